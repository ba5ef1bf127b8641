"""Locks between processes; the system releases them however their holder ends."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from threading import Event

from localcloud.errors import DataDirectoryBusyError
from localcloud.private_files import usable
from localcloud.process.foreground import Report
from localcloud.process.waiting import wait_until

# A holder that has just been asked to end needs up to this many seconds to record it.
_ENDING_NOTICE = 1.0


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold the lock of an existing file; wait while another process holds it."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Holder:
    """The process that holds the lock; `url` is empty until it serves, `ending` is true once it was asked to end."""

    pid: int
    url: str = ""
    ending: bool = False

    def __str__(self) -> str:
        return f"the service with pid {self.pid}" + (f" at {self.url}" if self.url else "")


class DataLock:
    """The lock on one data directory, for one service at a time. Child processes do not inherit it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None

    def acquire(self, *, timeout: float, report: Report, interrupted: Event | None = None) -> None:
        """Take the lock, waiting `timeout` seconds for a holder that is ending.

        Raises DataDirectoryBusyError with the holder, UnusableDataError.
        """
        with usable(self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            self._wait(file, timeout, report, interrupted)
        except BaseException:
            file.close()
            raise
        self._file = file
        self.set_holder(Holder(os.getpid()))

    def set_holder(self, holder: Holder) -> None:
        """Record `holder` in the file if this process holds the lock. Raises UnusableDataError."""
        if self._file is None:
            return
        with usable(self._path):
            self._file.seek(0)
            self._file.truncate()
            self._file.write(json.dumps(asdict(holder)).encode())

    def release(self) -> None:
        """Release the lock. Raises UnusableDataError if the file still names the holder, which is harmless."""
        file, self._file = self._file, None
        if file is not None:
            with usable(self._path), file:
                file.truncate(0)

    def _wait(self, file: FileIO, timeout: float, report: Report, interrupted: Event | None) -> None:
        if _locked(file):
            return
        wait_until(lambda: _locked(file) or self._ending(), _ENDING_NOTICE, interrupted=interrupted)
        if self._ending():
            report(f"Waiting up to {timeout:.0f} s for {self._described()} to end")
            wait_until(lambda: _locked(file), timeout, interrupted=interrupted)
        if not _locked(file):
            raise DataDirectoryBusyError(
                f"The data directory {self._path.parent} is in use by {self._described()}. "
                "End it first, or choose another directory with --data."
            )

    def _ending(self) -> bool:
        holder = _holder(self._path)
        return holder is not None and holder.ending

    def _described(self) -> str:
        return str(_holder(self._path) or "another process")


def is_held(path: Path) -> bool:
    """Return whether a process holds the lock on `path`."""
    if not path.exists():
        return False
    with path.open("rb", buffering=0) as file:
        return not _locked(file)


def _locked(file: FileIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> Holder | None:
    """Return the recorded holder, or None if it has not been recorded yet."""
    try:
        return Holder(**json.loads(path.read_bytes()))
    except (ValueError, TypeError):
        return None
