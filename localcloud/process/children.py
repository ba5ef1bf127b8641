"""The record of started processes, so that the next start can end what a killed one left behind."""

import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from localcloud.errors import DamagedFileError, MemberError
from localcloud.private_files import replace_private
from localcloud.process.foreground import Report
from localcloud.process.waiting import wait_until

_PROC = Path("/proc")
_BOOT_ID = _PROC / "sys" / "kernel" / "random" / "boot_id"
_KILL_TIMEOUT = 5.0


@dataclass(frozen=True)
class ProcessIdentity:
    """A pid, which may be reused, and when its process started, in the format of the system."""

    pid: int
    started: str

    def alive(self) -> bool:
        return identify(self.pid) == self

    def end(self, grace: float) -> bool:
        """End the process with SIGTERM, after `grace` seconds with SIGKILL. Return whether it is gone."""
        for number, timeout in ((signal.SIGTERM, grace), (signal.SIGKILL, _KILL_TIMEOUT)):
            if not self.alive():
                return True
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return True
            if wait_until(lambda: not self.alive(), timeout):
                return True
        return False


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of a running process, else None."""
    started = _start_from_proc(pid) if _BOOT_ID.exists() else _start_from_ps(pid)
    return None if started is None else ProcessIdentity(pid, started)


def _start_from_proc(pid: int) -> str | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The fields of proc(5) from the third on: the second is a name that may contain spaces and parentheses.
    state, *fields = stat.rpartition(")")[2].split()
    if state in "ZX":
        return None
    return f"{_BOOT_ID.read_text(encoding='ascii').strip()} {fields[18]}"


def _start_from_ps(pid: int) -> str | None:
    printed = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = printed.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


class ChildRecord:
    """A file with the names and identities of started processes, in the order of their start."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, name: str, pid: int) -> None:
        process = identify(pid)
        if process is not None:
            self._write({**self._read(), name: process})

    def remove(self, name: str) -> None:
        self._write({other: process for other, process in self._read().items() if other != name})

    def end_leftovers(self, grace: float, report: Report) -> None:
        """End what still runs, last started first. Raises MemberError if a process does not end."""
        for name, process in reversed(self._read().items()):
            if process.alive():
                report(f"Ending {name} (pid {process.pid}) of an earlier start")
                if not process.end(grace):
                    raise MemberError(
                        f"{name} (pid {process.pid}) of an earlier start does not end. "
                        "End it yourself, then start again."
                    )
            self.remove(name)

    def _read(self) -> dict[str, ProcessIdentity]:
        try:
            content = json.loads(self._path.read_bytes())
            return {name: ProcessIdentity(**process) for name, process in content.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError) as error:
            raise DamagedFileError(
                f"{self._path} is damaged. Make sure that no earlier start still runs, then delete it."
            ) from error

    def _write(self, processes: dict[str, ProcessIdentity]) -> None:
        content = {name: {"pid": one.pid, "started": one.started} for name, one in processes.items()}
        replace_private(self._path, json.dumps(content, indent=2).encode())
