"""The tables, and how a connection to them is opened."""

import sqlite3
from pathlib import Path

FILE = "devhost.sqlite3"

# An instance's rows elsewhere carry its `key`. A key is never used again, so what is left over from an instance that
# was replaced or purged reaches nobody. A timer is a message that is due later.
_TABLES = """
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
"""


def connect(folder: Path) -> sqlite3.Connection:
    """Open the database in the folder; every commit is on the disk before it returns."""
    connection = sqlite3.connect(folder / FILE, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection


def create_tables(connection: sqlite3.Connection) -> None:
    """Create what is missing."""
    connection.executescript(_TABLES)
