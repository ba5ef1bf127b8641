"""What can go wrong here, as sentences for the person at the terminal.

LocalCloudError
├── DataDirectoryBusyError   another service holds the data directory, or it belongs to another host
├── UnusableDataError        the data directory is a file, or nothing can be written there
├── NotRunningError          a command needs the running service, and there is none
├── PortTakenError           something else listens on the wanted port
├── InstallError             npm, pip or the network failed
├── MemberError              a process ended, or did not become ready
├── DamagedFileError         a file of ours does not hold what we wrote
├── UnknownPersonError       no such person among the samples
└── InterruptedStartError    the person asked to stop while things were starting
"""


class LocalCloudError(Exception):
    """Base of all; the text says what to do next."""


class DataDirectoryBusyError(LocalCloudError):
    pass


class UnusableDataError(LocalCloudError):
    pass


class NotRunningError(LocalCloudError):
    pass


class PortTakenError(LocalCloudError):
    pass


class InstallError(LocalCloudError):
    pass


class MemberError(LocalCloudError):
    pass


class DamagedFileError(LocalCloudError):
    pass


class UnknownPersonError(LocalCloudError):
    pass


class InterruptedStartError(LocalCloudError):
    pass
