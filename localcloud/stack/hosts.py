"""The hosts that can run the function app here: devhost, and the Functions Core Tools with the real engine."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from localcloud import PROJECT
from localcloud.errors import InstallError
from localcloud.platform.engine_clock import NO_SHIFT
from localcloud.platform.installed import NO_CORE_TOOLS, CoreTools, find_core_tools
from localcloud.private_files import private_directory, read_or_create
from localcloud.process.children import ChildRecord
from localcloud.process.member import Command, Member
from localcloud.process.ports import host_runs
from localcloud.stack.data_directory import Addresses, DataDirectory

DEVHOST_COMMAND = (sys.executable, "-m", "devhost", "--app", str(PROJECT))


class Host(Protocol):
    """How a host is started, and what the other parts of the service need to know about it."""

    @property
    def name(self) -> str:
        """`devhost` or `func`."""

    @property
    def app(self) -> Path:
        """The folder of the app; the host is started in it."""

    @property
    def start_timeout(self) -> float:
        """How many seconds a start may take."""

    def command(self, data: DataDirectory, addresses: Addresses) -> tuple[str, ...]:
        """Return the command line."""

    def member(self, command: Command, record: ChildRecord, addresses: Addresses) -> Member:
        """Return the process, which knows when it is ready."""

    def environment(self, data: DataDirectory) -> Mapping[str, str]:
        """Return the host's settings besides those of the app."""

    def storage_environment(self, data: DataDirectory) -> Mapping[str, str]:
        """Return settings for the storage emulator."""

    def controls(self, addresses: Addresses) -> str:
        """Return the base URL for the clock and the mails."""

    def cloud_arguments(self, data: DataDirectory, addresses: Addresses) -> tuple[str, ...]:
        """Return further arguments for the local cloud's server."""


@dataclass(frozen=True)
class Devhost:
    """The embedded host. It has its own clock, and forwards requests for the mail pages."""

    arguments: Sequence[str] = DEVHOST_COMMAND
    name: str = "devhost"
    app: Path = PROJECT
    start_timeout: float = 60.0

    def command(self, data: DataDirectory, addresses: Addresses) -> tuple[str, ...]:
        where = ("--data", str(data.host), "--port", str(addresses.host))
        return (*self.arguments, *where, "--forward", f"/admin/devhost/mail={addresses.mail_url}")

    def member(self, command: Command, record: ChildRecord, addresses: Addresses) -> Member:  # noqa: ARG002
        return Member(command, record)

    def environment(self, data: DataDirectory) -> Mapping[str, str]:  # noqa: ARG002 - the protocol's
        return {}

    def storage_environment(self, data: DataDirectory) -> Mapping[str, str]:  # noqa: ARG002 - the protocol's
        return {}

    def controls(self, addresses: Addresses) -> str:
        return addresses.url

    def cloud_arguments(self, data: DataDirectory, addresses: Addresses) -> tuple[str, ...]:  # noqa: ARG002
        return ()


@dataclass(frozen=True)
class Func:
    """The Core Tools with the real durable engine. `python` is a virtual environment with the deployed packages.

    `node` is the host name to run under. Several hosts on one machine need different ones: the engine identifies the
    owners of the task hub's partitions by host name.
    """

    tools: CoreTools
    python: Path
    app: Path = PROJECT
    name: str = "func"
    node: str | None = None
    start_timeout: float = 300.0
    """A first start may download packages or an extension bundle."""

    @classmethod
    def found(cls, python: Callable[[], Path]) -> "Func":
        """Find the Core Tools on this machine; `python` makes the environment. Raises InstallError."""
        tools = find_core_tools()
        if tools is None:
            raise InstallError(NO_CORE_TOOLS)
        return cls(tools, python())

    def command(self, data: DataDirectory, addresses: Addresses) -> tuple[str, ...]:  # noqa: ARG002
        start = (str(self.tools.func), "start", "--port", str(addresses.host))
        if self.node is None:
            return start
        named = ("unshare", "--user", "--map-root-user", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"')
        return (*named, self.node, *start)

    def member(self, command: Command, record: ChildRecord, addresses: Addresses) -> Member:
        # The Core Tools print no `Ready:` line.
        return Member(command, record, lambda: host_runs(addresses.host))

    def environment(self, data: DataDirectory) -> Mapping[str, str]:
        shifted = {"CLOCK_SHIFT_FILE": str(shift_file(data))} if self.tools.clock_library else {}
        # Every second instead of every five as in production, because a person or a test is waiting.
        polling = "AzureFunctionsJobHost__extensions__durableTask__storageProvider__maxQueuePollingInterval"
        return {"VIRTUAL_ENV": str(self.python), polling: "00:00:01", **shifted}

    def storage_environment(self, data: DataDirectory) -> Mapping[str, str]:
        if self.tools.clock_library is None:
            return {}
        return {"LD_PRELOAD": str(self.tools.clock_library), "CLOCK_SHIFT_FILE": str(shift_file(data))}

    def controls(self, addresses: Addresses) -> str:
        return addresses.mail_url

    def cloud_arguments(self, data: DataDirectory, addresses: Addresses) -> tuple[str, ...]:
        shifted = ("--clock-shift-file", str(shift_file(data))) if self.tools.clock_library else ()
        return ("--engine-of", addresses.url, *shifted)


def shift_file(data: DataDirectory) -> Path:
    """Return the file that shifts the clocks of the engine and the storage emulator; create it if necessary."""
    file = private_directory(data.path / "func") / "clock-shift"
    read_or_create(file, lambda: NO_SHIFT)
    return file
