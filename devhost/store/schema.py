"""The tables, and how a connection to them is opened."""

import sqlite3
from pathlib import Path

from devhost.errors import StartError
from devhost.store.failures import is_damage

FILE = "devhost.sqlite3"

_APPLICATION = int.from_bytes(b"dvhs")
"""The application id in the header of the file."""
_VERSION = 1
"""The version of the tables below; raised whenever they change."""
_NAMES = frozenset({"activities", "history", "instances", "messages", "settings", "timers"})
START_OVER = (
    "move it away (with the files -wal and -shm beside it) and start again: the engine starts empty, and "
    "`python3 dev.py check --wake` resumes everything that waits in the tables."
)

# An instance's rows elsewhere carry its `key`. A key is never used again, so the rows left over from an instance
# that was replaced or purged affect no other. A timer is a message that is due later.
_TABLES = f"""
BEGIN;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS instances (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    execution_id TEXT NOT NULL,
    status TEXT NOT NULL,
    input TEXT,
    output TEXT,
    custom_status TEXT,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    episode INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS instances_by_creation ON instances (created);
CREATE TABLE IF NOT EXISTS history (
    key INTEGER NOT NULL, episode INTEGER NOT NULL, events TEXT NOT NULL, PRIMARY KEY (key, episode)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key INTEGER NOT NULL,
    due INTEGER NOT NULL,
    kind TEXT NOT NULL,
    event TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_by_instance ON messages (key);
CREATE INDEX IF NOT EXISTS messages_by_due ON messages (due);
CREATE TABLE IF NOT EXISTS activities (
    key INTEGER NOT NULL,
    task_id INTEGER NOT NULL,
    execution_id TEXT NOT NULL,
    name TEXT NOT NULL,
    input TEXT NOT NULL,
    PRIMARY KEY (key, task_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS timers (
    name TEXT PRIMARY KEY, schedule TEXT NOT NULL, last INTEGER, next INTEGER NOT NULL, updated INTEGER NOT NULL
) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
COMMIT;
"""


def open_checked(folder: Path) -> sqlite3.Connection:
    """Open or create the database in the folder, with all tables.

    Raises StartError if the file is damaged or another program's, and leaves it unchanged.
    """
    file = folder / FILE
    try:
        connection = _open(file)
        try:
            _check(connection, file)
            _configure(connection)
            connection.executescript(_TABLES)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as failure:
        raise _unusable(file, failure) from failure
    return connection


def connect(folder: Path) -> sqlite3.Connection:
    """Open another connection to the database in the folder, which was checked before."""
    connection = _open(folder / FILE)
    _configure(connection)
    return connection


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, isolation_level=None, check_same_thread=False)


def _configure(connection: sqlite3.Connection) -> None:
    """Make every commit be on disk before it returns."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA busy_timeout = 5000")


def _check(connection: sqlite3.Connection, file: Path) -> None:
    """Raise StartError if another program or another version wrote the file, or if it is damaged."""
    marks = _number(connection, "application_id"), _number(connection, "user_version")
    if marks != (_APPLICATION, _VERSION):
        _check_unmarked(connection, file, *marks)
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StartError(_damaged(file, found))


def _check_unmarked(connection: sqlite3.Connection, file: Path, application: int, version: int) -> None:
    """Accept a file that is new, or older than the marks; creating the tables marks it."""
    if application == _APPLICATION:
        raise StartError(
            f"{file} has version {version} of the layout, and this devhost reads version {_VERSION}; run the devhost "
            f"that made it, or {START_OVER}"
        )
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    if application or version or not _NAMES.issuperset(name for (name,) in rows):
        raise StartError(f"{file} is another program's; choose another --data, or {START_OVER}")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (number,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(number)


def _unusable(file: Path, failure: sqlite3.Error) -> StartError:
    if is_damage(failure):
        return StartError(_damaged(file, str(failure)))
    return StartError(
        f"{file} cannot be opened for writing ({failure}); free space on its disk, make the folder writable, or "
        "choose another --data."
    )


def _damaged(file: Path, detail: str) -> str:
    return f"{file} is damaged ({' '.join(detail.split())}); restore it from a copy, or {START_OVER}"
