"""One process of a service: started, watched until it is ready, ended."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event

from localcloud.errors import MemberError
from localcloud.private_files import usable
from localcloud.process.children import ChildRecord
from localcloud.process.waiting import wait_until

_TAIL_LINES = 20


@dataclass(frozen=True)
class Command:
    """What to start. `grace` is the seconds between SIGTERM and SIGKILL; `log` takes both outputs."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    log: Path
    grace: float = 15.0


class Member:
    """A process that can be started again after it ended. Entered in `record` while it runs."""

    def __init__(self, command: Command, record: ChildRecord) -> None:
        self.command = command
        self._record = record
        self._process: subprocess.Popen[bytes] | None = None
        self._log_begins = 0

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
        """Start the process in a session of its own, so that a Ctrl-C reaches the supervisor alone.

        Raises UnusableDataError if its log or the record cannot be written; it may run then, until stop().
        """
        log = self.command.log
        with usable(log):
            self._log_begins = log.stat().st_size if log.exists() else 0
            output = log.open("ab")
        with output:
            self._process = subprocess.Popen(
                self.command.arguments,
                cwd=self.command.directory,
                env=self.command.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._record.add(self.name, self._process.pid)

    def wait_ready(self, seconds: float, interrupted: Event | None = None) -> None:
        """Return when it is ready. Raises MemberError with the end of the log if it ends or takes too long."""
        in_time = wait_until(lambda: not self.running or self.ready(), seconds, interrupted=interrupted)
        if not self.running:
            raise self.failure(f"{self.name} ended while starting ({self.ending}).")
        if not in_time:
            raise self.failure(f"{self.name} was not ready within {seconds:.0f} seconds.")

    def wait_ended(self, seconds: float, interrupted: Event | None = None) -> None:
        """Return when the process has ended well. Raises MemberError with the end of its log if not, or too late."""
        in_time = wait_until(lambda: not self.running, seconds, interrupted=interrupted)
        if not in_time:
            raise self.failure(f"{self.name} was not through within {seconds:.0f} seconds.")
        if self.ending != "exit code 0":
            raise self.failure(f"{self.name} failed ({self.ending}).")

    def ready(self) -> bool:
        """Say whether this run has printed its `Ready:` line."""
        return any(line.startswith("Ready: ") for line in self._output().splitlines())

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
        """Let the process hang meanwhile, as SIGSTOP does: its connections are taken, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process as a power cut would: SIGKILL, at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._record.remove(self.name)

    def failure(self, sentence: str) -> MemberError:
        """Return the error that shows `sentence` and the end of the log of this run."""
        tail = self._output().splitlines()[-_TAIL_LINES:]
        return MemberError(
            "\n".join([f"{sentence} Its log is {self.command.log}:", *(f"  {line}" for line in tail)])
        )

    def _output(self) -> str:
        with self.command.log.open("rb") as log:
            log.seek(self._log_begins)
            return log.read().decode("utf-8", errors="replace")


class HttpMember(Member):
    """A process that is ready as soon as a question to it is answered as wanted; it need not say so."""

    def __init__(self, command: Command, record: ChildRecord, is_ready: Callable[[], bool]) -> None:
        super().__init__(command, record)
        self._is_ready = is_ready

    def ready(self) -> bool:
        """Ask."""
        return self._is_ready()


def host_runs(port: int) -> bool:
    """Say whether a Functions host answers on a loopback port that it is running."""
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/admin/host/status")
        answer = connection.getresponse()
        status = json.loads(answer.read()) if answer.status == HTTPStatus.OK else {}
    except (OSError, HTTPException, ValueError):
        return False
    finally:
        connection.close()
    return isinstance(status, dict) and status.get("state") == "Running"


def answers(port: int) -> bool:
    """Say whether an HTTP server answers on a loopback port, whatever the status."""
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True
