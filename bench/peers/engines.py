"""The engines, what each needs on this machine, and how each keeps what it confirmed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.peers import dbos, durable_functions, postgres
from bench.peers.measured import Measured, Size
from localcloud.platform.installed import NO_CORE_TOOLS, find_core_tools


@dataclass(frozen=True, slots=True)
class Engine:
    """`missing` says in a line what this machine lacks for it, or nothing. `measure` works in an empty folder."""

    name: str
    synced: str
    missing: Callable[[], str]
    measure: Callable[[Path, Size], Measured]


def _nothing() -> str:
    return ""


def _no_core_tools() -> str:
    return "" if find_core_tools() else NO_CORE_TOOLS.partition(".")[0] + "."


ENGINES = (
    Engine("devhost", "SQLite, WAL, synchronous=FULL", _nothing, durable_functions.on_devhost),
    Engine(
        "Durable Functions on Azurite (`func`)",
        "nothing: Azurite rewrites its files every 5 s, without fsync",
        _no_core_tools,
        durable_functions.on_func,
    ),
    Engine("DBOS, SQLite", "rollback journal (its default), synchronous=FULL", dbos.missing, dbos.on_sqlite),
    Engine(
        "DBOS, PostgreSQL",
        "fsync=on, synchronous_commit=on",
        lambda: postgres.missing() or dbos.missing(),
        dbos.on_postgres,
    ),
)
