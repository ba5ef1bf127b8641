"""Errors that end a command. Each text is for the person at the terminal and says what to do next."""


class LocalCloudError(Exception):
    """Base class."""


class DataDirectoryBusyError(LocalCloudError):
    """Another service uses the data directory, or it belongs to another host."""


class UnusableDataError(LocalCloudError):
    """The data directory is a file, or cannot be written."""


class NotRunningError(LocalCloudError):
    """The command needs a running service, and there is none."""


class PortTakenError(LocalCloudError):
    """Another program listens on the port."""


class InstallError(LocalCloudError):
    """npm, pip or the network failed, or a program that cannot be installed is missing."""


class MemberError(LocalCloudError):
    """A process of the service ended, or was not ready in time."""


class DamagedFileError(LocalCloudError):
    """A file of the data directory has invalid content."""


class UnknownCallerError(LocalCloudError):
    """The sample world has no such person or application."""


class InterruptedStartError(LocalCloudError):
    """The start was interrupted with Ctrl-C or SIGTERM."""
