"""What the kernel counts for processes: memory, and CPU time of a process with all that descend from it."""

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# The fields of proc(5)'s `stat`, counted from the third on: the second is a name that may contain spaces.
_PARENT = 1
_TIMES = slice(11, 15)
"""utime, stime, and those of children that have ended: cutime, cstime."""


@dataclass(frozen=True, slots=True)
class Process:
    """A running process; `cpu_seconds` includes those of its children that have ended."""

    pid: int
    parent: int
    command: str
    cpu_seconds: float


def rss_mib(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    lines = (_PROC / str(pid) / "status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def family(pid: int) -> list[Process]:
    """Return a process and all its descendants, the process itself first. Raises ProcessLookupError."""
    running = {each.pid: each for each in map(_read, _pids()) if each is not None}
    if pid not in running:
        raise ProcessLookupError(f"Process {pid} has ended.")
    found = [running[pid]]
    for member in found:
        found += [each for each in running.values() if each.parent == member.pid]
    return found


def _pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]


def _read(pid: int) -> Process | None:
    """Return None for a process that has ended meanwhile."""
    folder = _PROC / str(pid)
    try:
        fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        command = (folder / "cmdline").read_text(encoding="utf-8", errors="replace").replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return None
    ticks = sum(map(int, fields[_TIMES]))
    return Process(pid, int(fields[_PARENT]), command.strip(), ticks / _TICKS_PER_SECOND)
