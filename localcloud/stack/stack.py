"""All processes of the service on one data directory, started and stopped in order."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

from localcloud import PROJECT
from localcloud.azurite import Azurite, ensure_installed
from localcloud.errors import UnusableDataError
from localcloud.private_files import usable
from localcloud.process.children import ChildRecord
from localcloud.process.foreground import Report
from localcloud.process.locks import DataLock, Holder
from localcloud.process.member import Command, Member
from localcloud.process.ports import require_free
from localcloud.stack.data_directory import Addresses, DataDirectory
from localcloud.stack.environment import MAIL_EVENTS_PATH, NO_LIMITS, app_environment
from localcloud.stack.hosts import Devhost, Host

_START_TIMEOUT = 60.0
_SAMPLES_TIMEOUT = 300.0
_GRACE = 15.0
_LOCK_TIMEOUT = 20.0


@contextmanager
def storage_alone(path: Path, report: Report) -> Iterator[Azurite]:
    """Run the storage of the service on `path` without the service, while the context is open.

    Raises DataDirectoryBusyError while the service runs there, MemberError.
    """
    data = DataDirectory.prepared(path)
    lock, record = DataLock(data.lock), ChildRecord(data.children)
    lock.acquire(timeout=_LOCK_TIMEOUT, report=report)
    try:
        record.end_leftovers(_GRACE, report)
        ports = Addresses.with_free_ports(0).azurite
        azurite = Azurite(data.path, ports, node=ensure_installed(), log=data.log("azurite"), record=record)
        try:
            azurite.start_and_wait()
            yield azurite
        finally:
            azurite.stop()
    finally:
        lock.release()


class Stack:
    """The service on `data`: Azurite, the local cloud's server and the host, each in its own process.

    `port` 0 takes a free one. Ports are chosen once, at the start, so that a member can be killed and started again.
    Without `limits` the service's limits on use are switched off.
    `interrupted` ends a start early (InterruptedStartError). `lock_timeout` is how many seconds to wait for a
    service that is ending. `access_log` makes Azurite log each request.
    """

    def __init__(
        self,
        data: Path,
        *,
        port: int = 0,
        samples: bool = False,
        host: Host = Devhost(),  # noqa: B008 - immutable
        report: Report = lambda _line: None,
        interrupted: Event | None = None,
        lock_timeout: float = _LOCK_TIMEOUT,
        access_log: bool = False,
        limits: bool = False,
    ) -> None:
        self.data = DataDirectory.prepared(data)
        self._port = port
        self._samples = samples
        self._host = host
        self._report = report
        self._interrupted = interrupted or Event()
        self._lock_timeout = lock_timeout
        self._access_log = access_log
        self._limits = {} if limits else NO_LIMITS
        self._lock = DataLock(self.data.lock)
        self._record = ChildRecord(self.data.children)
        self._started: list[Member] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base URL of the host, without a trailing slash."""
        return self.addresses.url

    @property
    def controls(self) -> str:
        """The base URL for the clock and the mails."""
        return self._host.controls(self.addresses)

    @property
    def members(self) -> tuple[Member, ...]:
        """The started members, in the order of their start."""
        return tuple(self._started)

    def environment(self) -> dict[str, str]:
        """Return the environment of the app."""
        return self._environment(self.addresses)

    def _environment(self, addresses: Addresses) -> dict[str, str]:
        return app_environment(self.data, addresses, {**os.environ, **self._limits})

    def start(self) -> None:
        """Start everything; on an error, stop what was started. Raises LocalCloudError."""
        self._lock.acquire(timeout=self._lock_timeout, report=self._report, interrupted=self._interrupted)
        try:
            self.data.claim_for(self._host.name)
            self._record.end_leftovers(_GRACE, self._report)
            if self._port:
                require_free(self._port)
            self.addresses = Addresses.with_free_ports(self._port)
            self._start_members()
        except BaseException:
            self.stop()
            raise
        replace(self.addresses, controls=self.controls).write(self.data.addresses)
        self._lock.set_holder(Holder(os.getpid(), self.url))

    def stop(self) -> None:
        """Stop the members, last started first, even if the disk is full. The data stays."""
        with self._disk_errors_reported():
            self._lock.set_holder(Holder(os.getpid(), ending=True))
        for member in reversed(self._started):
            if member.running:
                self._report(f"Ending {member.name}")
            with self._disk_errors_reported():
                member.stop()
        self._started.clear()
        with self._disk_errors_reported(), usable(self.data.addresses):
            self.data.addresses.unlink(missing_ok=True)
        with self._disk_errors_reported():
            self._lock.release()

    @contextmanager
    def _disk_errors_reported(self) -> Iterator[None]:
        """Report disk errors instead of raising them: files may stay behind, but every process must be stopped."""
        try:
            yield
        except UnusableDataError as failure:
            self._report(str(failure))

    def restart(self, member: Member) -> None:
        """Start a member that has ended again, on the same data and ports; return when it is ready."""
        member.start()
        member.wait_ready(_START_TIMEOUT, self._interrupted)

    def first_ended(self) -> Member | None:
        """Return a member that has ended without being stopped, if there is one."""
        return next((member for member in self._started if not member.running), None)

    def _start_members(self) -> None:
        node = ensure_installed()
        data, ports = self.data.path, self.addresses.azurite
        self.azurite = Azurite(
            data,
            ports,
            node=node,
            log=self.data.log("azurite"),
            record=self._record,
            environment=self._host.storage_environment(self.data),
            access_log=self._access_log,
        )
        self._start(self.azurite)
        self.localcloud = self._member("localcloud", self._localcloud_command())
        self._start(self.localcloud)
        if self._samples:
            self._load_samples()
        self.host = self.add_host(self._host)

    def add_host(self, host: Host, addresses: Addresses | None = None, name: str = "") -> Member:
        """Start a host on the service's storage; a second one needs its own addresses and name."""
        addresses = addresses or self.addresses
        environment = {**self._environment(addresses), **host.environment(self.data)}
        name = name or host.name
        command = Command(
            name, host.command(self.data, addresses), environment, host.app, self.data.log(name), _GRACE
        )
        member = host.member(command, self._record, addresses)
        self._start(member, host.start_timeout)
        return member

    def _start(self, member: Member, timeout: float = _START_TIMEOUT) -> None:
        self._report(f"Starting {member.name}")
        self._started.append(member)
        member.start()
        member.wait_ready(timeout, self._interrupted)

    def _load_samples(self) -> None:
        loader = self._member("samples", (sys.executable, "-m", "samples.load"))
        self._report("Loading the sample world")
        try:
            loader.start()
            loader.wait_ended(_SAMPLES_TIMEOUT, self._interrupted)
        finally:
            loader.stop()

    def _member(self, name: str, arguments: tuple[str, ...]) -> Member:
        command = Command(name, arguments, self.environment(), PROJECT, self.data.log(name), _GRACE)
        return Member(command, self._record)

    def _localcloud_command(self) -> tuple[str, ...]:
        where = ("--data", str(self.data.path), "--port", str(self.addresses.mail))
        return (
            sys.executable,
            "-m",
            "localcloud",
            *where,
            "--clock-offset-file",
            str(self.data.clock_offset),
            # Without its secret, because every user of the machine sees command lines. The sink reads it from disk.
            "--mail-events-url",
            self.addresses.url + MAIL_EVENTS_PATH,
            *self._host.cloud_arguments(self.data, self.addresses),
        )
