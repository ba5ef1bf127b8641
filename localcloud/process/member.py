"""One process of a service: started, watched until it is ready, ended."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from localcloud.errors import MemberError
from localcloud.private_files import PRIVATE, usable
from localcloud.process.children import ChildRecord
from localcloud.process.waiting import wait_until

_TAIL_LINES = 20


@dataclass(frozen=True)
class Command:
    """What to start. `log` gets stdout and stderr; `grace` is the seconds between SIGTERM and SIGKILL."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    log: Path
    grace: float = 15.0


class Member:
    """A process that can be started again after it ended; `record` lists it while it runs.

    Ready when `is_ready` returns true, or by default when it has printed a line that starts with `Ready:`.
    """

    def __init__(
        self, command: Command, record: ChildRecord, is_ready: Callable[[], bool] | None = None
    ) -> None:
        self.command = command
        self._record = record
        self.ready = is_ready or self._has_printed_ready
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def name(self) -> str:
        return self.command.name

    @property
    def pid(self) -> int:
        """The pid of the running process. Raises MemberError if there is none."""
        if self._process is None or not self.running:
            raise MemberError(f"{self.name} does not run; start it first.")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def ending(self) -> str:
        """How the process ended: `exit code N` or `signal NAME`; empty while it runs or before."""
        code = None if self._process is None else self._process.poll()
        if code is None:
            return ""
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def start(self) -> None:
        """Start the process in its own session, so that Ctrl-C reaches only the supervisor.

        Raises UnusableDataError if its log or the record cannot be written; the process may be running: stop it.
        """
        log = self.command.log
        with usable(log):
            self._log_start = log.stat().st_size if log.exists() else 0
            output = os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
        with output:
            self._process = subprocess.Popen(
                self.command.arguments,
                cwd=self.command.directory,
                env=self.command.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=PRIVATE,
            )
        self._record.add(self.name, self._process.pid)

    def wait_ready(self, seconds: float, interrupted: Event | None = None) -> None:
        """Wait until it is ready. Raises MemberError with the end of the log if it ends or takes too long."""
        in_time = wait_until(lambda: not self.running or self.ready(), seconds, interrupted=interrupted)
        if not self.running:
            raise self.failure(f"{self.name} ended while starting ({self.ending}).")
        if not in_time:
            raise self.failure(f"{self.name} was not ready within {seconds:.0f} seconds.")

    def wait_ended(self, seconds: float, interrupted: Event | None = None) -> None:
        """Wait for exit code 0. Raises MemberError with the end of the log if it fails or takes too long."""
        in_time = wait_until(lambda: not self.running, seconds, interrupted=interrupted)
        if not in_time:
            raise self.failure(f"{self.name} did not end within {seconds:.0f} seconds.")
        if self.ending != "exit code 0":
            raise self.failure(f"{self.name} failed ({self.ending}).")

    def stop(self) -> None:
        """End the process and wait for it: SIGTERM, the grace, SIGKILL."""
        if self._process is not None and self.running:
            self._process.terminate()
            try:
                self._process.wait(self.command.grace)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._record.remove(self.name)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Suspend the process with SIGSTOP meanwhile: it accepts connections and does not respond."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process at once with SIGKILL, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._record.remove(self.name)

    def failure(self, sentence: str) -> MemberError:
        """Return an error with `sentence` and the end of this run's log."""
        tail = self._output().splitlines()[-_TAIL_LINES:]
        return MemberError(
            "\n".join([f"{sentence} Its log is {self.command.log}:", *(f"  {line}" for line in tail)])
        )

    def _has_printed_ready(self) -> bool:
        return any(line.startswith("Ready: ") for line in self._output().splitlines())

    def _output(self) -> str:
        with self.command.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode("utf-8", errors="replace")
