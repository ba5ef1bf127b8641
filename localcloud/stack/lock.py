"""One service per data directory: an exclusive lock that the system releases however its holder ends."""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import BinaryIO

from localcloud.errors import DataDirectoryBusyError
from localcloud.process.children import Report
from localcloud.process.waiting import wait_until


@dataclass(frozen=True)
class Holder:
    """Who holds the lock; `url` is empty while it has none yet."""

    pid: int
    url: str = ""


class DataLock:
    """The lock on one file. Not inherited by child processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def acquire(self, *, patience: float, report: Report, interrupted: Event | None = None) -> None:
        """Take the lock, waiting `patience` seconds for a holder that is about to end.

        Raises DataDirectoryBusyError that names the holder.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(descriptor, "r+b")
        try:
            self._wait(file, patience, report, interrupted)
        except BaseException:
            file.close()
            raise
        self._file = file
        self.tell(Holder(os.getpid()))

    def tell(self, holder: Holder) -> None:
        """Write down who holds the lock."""
        if self._file is None:
            raise RuntimeError("acquire the lock before telling who holds it")
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps(asdict(holder)).encode())
        self._file.flush()

    def release(self) -> None:
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None

    def _wait(self, file: BinaryIO, patience: float, report: Report, interrupted: Event | None) -> None:
        if _locked(file):
            return
        report(f"Waiting up to {patience:.0f} s for {_described(self._path)} to end")
        if not wait_until(lambda: _locked(file), patience, interrupted=interrupted):
            raise DataDirectoryBusyError(
                f"The data directory {self._path.parent} is in use by {_described(self._path)}. "
                "End that one first, or choose another directory with --data."
            )


def is_held(path: Path) -> bool:
    """Say whether some process holds the lock on `path`."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        return not _locked(file)


def _locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _described(path: Path) -> str:
    try:
        holder = Holder(**json.loads(path.read_bytes()))
    except (ValueError, TypeError):
        # The holder is between taking the lock and writing its name.
        return "another process"
    return f"the service with pid {holder.pid}" + (f" at {holder.url}" if holder.url else "")
