"""All processes of the service on one data directory, started and ended in order."""

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
from localcloud.stack.environment import MAIL_EVENTS_PATH, app_environment
from localcloud.stack.hosts import Devhost, Host

_START_TAKES = 60.0
_SAMPLES_TAKE = 300.0
_GRACE = 15.0


def silent(_line: str) -> None:
    """Report nothing."""


class Stack:
    """The service on `data`: Azurite, the local cloud's server and the host, each a process of its own.

    `port` 0 takes a free one. Ports stay the same as long as the object lives, so that single members can be killed
    and started again.
    `interrupted` ends a start early (InterruptedStartError). `access_log` has Azurite log each request.
    """

    def __init__(
        self,
        data: Path,
        *,
        port: int = 0,
        samples: bool = False,
        host: Host = Devhost(),  # noqa: B008 - immutable
        report: Report = silent,
        interrupted: Event | None = None,
        patience: float = 20.0,
        access_log: bool = False,
    ) -> None:
        self.data = DataDirectory.prepared(data)
        self._port = port
        self._samples = samples
        self._runs_on = host
        self._report = report
        self._interrupted = interrupted or Event()
        self._patience = patience
        self._access_log = access_log
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
        """The address of the host, without a slash at the end."""
        return self.addresses.url

    @property
    def controls(self) -> str:
        """The address at which the clock is moved and the mails are read."""
        return self._runs_on.controls(self.addresses)

    @property
    def members(self) -> tuple[Member, ...]:
        """The members that were started, in the order of their start."""
        return tuple(self._started)

    def environment(self) -> dict[str, str]:
        """Return the environment that the app runs with."""
        return app_environment(self.data, self.addresses, os.environ)

    def start(self) -> None:
        """Start everything; on an error, end what was started. Raises LocalCloudError."""
        self._lock.acquire(patience=self._patience, report=self._report, interrupted=self._interrupted)
        try:
            self.data.claim_for(self._runs_on.name)
            self._record.end_leftovers(_GRACE, self._report)
            if self._port:
                require_free(self._port)
            self.addresses = Addresses.drawn(self._port)
            self._start_members()
        except BaseException:
            self.stop()
            raise
        replace(self.addresses, controls=self.controls).write(self.data.addresses)
        self._lock.tell(Holder(os.getpid(), self.url))

    def stop(self) -> None:
        """End the members, last started first, even if the disk takes nothing any more; the data stays."""
        with self._despite_the_disk():
            self._lock.tell(Holder(os.getpid(), ending=True))
        for member in reversed(self._started):
            if member.running:
                self._report(f"Ending {member.name}")
            with self._despite_the_disk():
                member.stop()
        self._started.clear()
        with self._despite_the_disk(), usable(self.data.addresses):
            self.data.addresses.unlink(missing_ok=True)
        with self._despite_the_disk():
            self._lock.release()

    @contextmanager
    def _despite_the_disk(self) -> Iterator[None]:
        """What is noted in files at the end is for others; what was started must end all the same."""
        try:
            yield
        except UnusableDataError as failure:
            self._report(str(failure))

    def restart(self, member: Member) -> None:
        """Start a member again that has ended or was killed, on the same data and ports; return when it is ready."""
        member.start()
        member.wait_ready(_START_TAKES, self._interrupted)

    def first_ended(self) -> Member | None:
        """Return a member that has ended on its own, if there is one."""
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
            environment=self._runs_on.storage_environment(self.data),
            access_log=self._access_log,
        )
        self._start(self.azurite)
        self.localcloud = self._member("localcloud", self._localcloud_command())
        self._start(self.localcloud)
        if self._samples:
            self._load_samples()
        self.host = self.add_host(self._runs_on)

    def add_host(self, host: Host, addresses: Addresses | None = None, name: str = "") -> Member:
        """Start a host on the service's storage; one more of them needs addresses and a name of its own."""
        addresses = addresses or self.addresses
        environment = {**app_environment(self.data, addresses, os.environ), **host.environment(self.data)}
        name = name or host.name
        command = Command(
            name, host.command(self.data, addresses), environment, host.app, self.data.log(name), _GRACE
        )
        member = host.member(command, self._record, addresses)
        self._start(member, host.start_takes)
        return member

    def _start(self, member: Member, takes: float = _START_TAKES) -> None:
        self._report(f"Starting {member.name}")
        self._started.append(member)
        member.start()
        member.wait_ready(takes, self._interrupted)

    def _load_samples(self) -> None:
        loader = self._member("samples", (sys.executable, "-m", "samples.load"))
        self._report("Loading the sample world")
        try:
            loader.start()
            loader.wait_ended(_SAMPLES_TAKE, self._interrupted)
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
            # Without its secret, which everybody on this machine could read here: the sink has it on disk.
            "--mail-events-url",
            self.addresses.url + MAIL_EVENTS_PATH,
            *self._runs_on.cloud_arguments(self.data, self.addresses),
        )
