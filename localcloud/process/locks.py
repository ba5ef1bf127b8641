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


@contextmanager
def exclusively(path: Path) -> Iterator[None]:
    """Hold the lock of an existing file; wait for whoever holds it now."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# A holder that was asked to end a moment ago takes this long at most to note it.
_NOTICE = 1.0


@dataclass(frozen=True)
class Holder:
    """Who holds the lock; `url` is empty while it has none yet, `ending` is true once it was asked to end."""

    pid: int
    url: str = ""
    ending: bool = False

    def __str__(self) -> str:
        return f"the service with pid {self.pid}" + (f" at {self.url}" if self.url else "")


class DataLock:
    """The lock on one file. Not inherited by child processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None

    def acquire(self, *, patience: float, report: Report, interrupted: Event | None = None) -> None:
        """Take the lock, waiting `patience` seconds for a holder that is ending.

        Raises DataDirectoryBusyError that names the holder, UnusableDataError.
        """
        with usable(self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            self._wait(file, patience, report, interrupted)
        except BaseException:
            file.close()
            raise
        self._file = file
        self.tell(Holder(os.getpid()))

    def tell(self, holder: Holder) -> None:
        """Write down who holds the lock; nothing to do for one who does not hold it. Raises UnusableDataError."""
        if self._file is None:
            return
        with usable(self._path):
            self._file.seek(0)
            self._file.truncate()
            self._file.write(json.dumps(asdict(holder)).encode())

    def release(self) -> None:
        """Let go of the lock. Raises UnusableDataError if the holder's name stays behind, which harms nobody."""
        file, self._file = self._file, None
        if file is not None:
            with usable(self._path), file:
                file.truncate(0)

    def _wait(self, file: FileIO, patience: float, report: Report, interrupted: Event | None) -> None:
        if _locked(file):
            return
        wait_until(lambda: _locked(file) or self._ending(), _NOTICE, interrupted=interrupted)
        if self._ending():
            report(f"Waiting up to {patience:.0f} s for {self._described()} to end")
            wait_until(lambda: _locked(file), patience, interrupted=interrupted)
        if not _locked(file):
            raise DataDirectoryBusyError(
                f"The data directory {self._path.parent} is in use by {self._described()}. "
                "End that one first, or choose another directory with --data."
            )

    def _ending(self) -> bool:
        holder = _holder(self._path)
        return holder is not None and holder.ending

    def _described(self) -> str:
        return str(_holder(self._path) or "another process")


def is_held(path: Path) -> bool:
    """Say whether some process holds the lock on `path`."""
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
    """Return the holder, or None while it has the lock but has not written its name yet."""
    try:
        return Holder(**json.loads(path.read_bytes()))
    except (ValueError, TypeError):
        return None
