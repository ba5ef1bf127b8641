"""The hosts that the function app can run on here: devhost, and the Functions Core Tools over the real engine."""

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
from localcloud.process.member import Command, HttpMember, Member, host_runs
from localcloud.stack.data_directory import Addresses, DataDirectory

DEVHOST_COMMAND = (sys.executable, "-m", "devhost", "--app", str(PROJECT))


class Host(Protocol):
    """How a host is started, and what the other parts of the service must know of it."""

    @property
    def name(self) -> str:
        """`devhost` or `func`."""

    @property
    def app(self) -> Path:
        """The folder of the app, in which the host is started."""

    @property
    def start_takes(self) -> float:
        """How many seconds a start may take."""

    def command(self, data: DataDirectory, addresses: Addresses) -> tuple[str, ...]:
        """The command line."""

    def member(self, command: Command, record: ChildRecord, addresses: Addresses) -> Member:
        """The process, which knows when it is ready."""

    def environment(self, data: DataDirectory) -> Mapping[str, str]:
        """What the host is told besides the app's settings."""

    def storage_environment(self, data: DataDirectory) -> Mapping[str, str]:
        """What the storage emulator is told."""

    def controls(self, addresses: Addresses) -> str:
        """The address where people look at mails and move the clock."""

    def cloud_arguments(self, data: DataDirectory, addresses: Addresses) -> tuple[str, ...]:
        """Further arguments of the local cloud's server."""


@dataclass(frozen=True)
class Devhost:
    """The embedded host. It has a clock of its own, and hands requests for the mail pages on."""

    arguments: Sequence[str] = DEVHOST_COMMAND
    name: str = "devhost"
    app: Path = PROJECT
    start_takes: float = 60.0

    def command(self, data: DataDirectory, addresses: Addresses) -> tuple[str, ...]:
        """See the protocol."""
        where = ("--data", str(data.host), "--port", str(addresses.host))
        return (*self.arguments, *where, "--forward", f"/admin/devhost/mail={addresses.mail_url}")

    def member(self, command: Command, record: ChildRecord, addresses: Addresses) -> Member:  # noqa: ARG002
        """See the protocol: it says so itself."""
        return Member(command, record)

    def environment(self, data: DataDirectory) -> Mapping[str, str]:  # noqa: ARG002 - the protocol's
        """See the protocol."""
        return {}

    def storage_environment(self, data: DataDirectory) -> Mapping[str, str]:  # noqa: ARG002 - the protocol's
        """See the protocol."""
        return {}

    def controls(self, addresses: Addresses) -> str:
        """See the protocol."""
        return addresses.url

    def cloud_arguments(self, data: DataDirectory, addresses: Addresses) -> tuple[str, ...]:  # noqa: ARG002
        """See the protocol."""
        return ()


@dataclass(frozen=True)
class Func:
    """The Core Tools over the real durable engine. `python` is an environment with what is deployed.

    `node` is a host name of its own, which each of several hosts on one machine needs: by it the engine tells who
    owns which part of the task hub.
    """

    tools: CoreTools
    python: Path
    app: Path = PROJECT
    name: str = "func"
    node: str | None = None
    start_takes: float = 300.0
    """A first start may fetch the worker's packages, or an extension bundle."""

    @classmethod
    def found(cls, python: Callable[[], Path]) -> "Func":
        """The Core Tools of this machine, and the environment that `python` makes. Raises InstallError."""
        tools = find_core_tools()
        if tools is None:
            raise InstallError(NO_CORE_TOOLS)
        return cls(tools, python())

    def command(self, data: DataDirectory, addresses: Addresses) -> tuple[str, ...]:  # noqa: ARG002
        """See the protocol."""
        start = (str(self.tools.func), "start", "--port", str(addresses.host))
        if self.node is None:
            return start
        named = ("unshare", "--user", "--map-root-user", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"')
        return (*named, self.node, *start)

    def member(self, command: Command, record: ChildRecord, addresses: Addresses) -> Member:
        """See the protocol: the Core Tools print no line that says so."""
        return HttpMember(command, record, lambda: host_runs(addresses.host))

    def environment(self, data: DataDirectory) -> Mapping[str, str]:
        """See the protocol."""
        shifted = {"CLOCK_SHIFT_FILE": str(shift_file(data))} if self.tools.clock_library else {}
        # Each second, not every five as in production: here somebody waits for it.
        polling = "AzureFunctionsJobHost__extensions__durableTask__storageProvider__maxQueuePollingInterval"
        return {"VIRTUAL_ENV": str(self.python), polling: "00:00:01", **shifted}

    def storage_environment(self, data: DataDirectory) -> Mapping[str, str]:
        """See the protocol."""
        if self.tools.clock_library is None:
            return {}
        return {"LD_PRELOAD": str(self.tools.clock_library), "CLOCK_SHIFT_FILE": str(shift_file(data))}

    def controls(self, addresses: Addresses) -> str:
        """See the protocol."""
        return addresses.mail_url

    def cloud_arguments(self, data: DataDirectory, addresses: Addresses) -> tuple[str, ...]:
        """See the protocol."""
        shifted = ("--clock-shift-file", str(shift_file(data))) if self.tools.clock_library else ()
        return ("--engine-of", addresses.url, *shifted)


def shift_file(data: DataDirectory) -> Path:
    """The file that shifts the clocks of the engine and of the storage emulator; made when it is not there."""
    file = private_directory(data.path / "func") / "clock-shift"
    read_or_create(file, lambda: NO_SHIFT)
    return file
