"""The workflow on DBOS, in an environment of its own, over SQLite or PostgreSQL."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.errors import MeasurementError
from bench.peers import postgres
from bench.peers.measured import Measured, Size
from bench.processes import family
from localcloud import PROJECT
from localcloud.commands.bootstrap import prepare
from localcloud.errors import InstallError

_FOLDER = Path(__file__).parent
_ENVIRONMENT = PROJECT / ".venv-peers"
_RUN_SECONDS = 300.0


def missing() -> str:
    """Make the peers' environment up to date; return in a line why that failed, or nothing."""
    try:
        prepare(_ENVIRONMENT, _FOLDER / "requirements.txt", sys.executable, clear=True)
    except InstallError as failure:
        return f"The packages of the peers cannot be installed: {str(failure).splitlines()[0]}"
    return ""


def on_sqlite(folder: Path, size: Size) -> Measured:
    """See `Engine.measure`."""
    return _run(f"sqlite:///{folder / 'dbos.sqlite3'}", folder, size)


def on_postgres(folder: Path, size: Size) -> Measured:
    """See `Engine.measure`. The server's CPU is that of the whole run, divided by all workflows of it."""
    with postgres.running(folder) as (url, pid):
        before = _cpu(pid)
        measured = _run(url, folder, size)
        workflows = size.workflows + size.singles + 1
        spent = (_cpu(pid) - before) / workflows
    return Measured(measured.workflows_per_second, measured.latencies, {**measured.cpu, "PostgreSQL": spent})


def _run(url: str, folder: Path, size: Size) -> Measured:
    numbers = [str(number) for number in (size.workflows, size.clients, size.singles)]
    ended = subprocess.run(
        [str(_ENVIRONMENT / "bin" / "python"), "-P", str(_FOLDER / "dbos_program.py"), url, *numbers],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=_RUN_SECONDS,
    )
    if ended.returncode != 0:
        tail = "\n".join(ended.stderr.splitlines()[-20:])
        raise MeasurementError(f"DBOS on {url} failed; the end of its output:\n{tail}")
    result: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    _check_synced(result["synced"])
    return Measured(
        size.workflows / result["batch_seconds"],
        tuple(result["latencies"]),
        {"with its clients": result["cpu_seconds"] / size.workflows},
    )


def _check_synced(connections: list[tuple[str, int]]) -> None:
    """Raise MeasurementError if SQLite had another journal than the table says, or synced less than FULL (2)."""
    if any(tuple(each) != ("delete", 2) for each in connections):
        raise MeasurementError(
            f"SQLite's connections have these modes now: {connections}. Correct the table."
        )


def _cpu(pid: int) -> float:
    return sum(each.cpu_seconds for each in family(pid))
