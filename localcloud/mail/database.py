"""Opens the sink's database, if it is sound and the sink's own."""

import sqlite3
from pathlib import Path

from localcloud.errors import DamagedFileError, UnusableDataError
from localcloud.private_files import private_directory

_SCHEMA = Path(__file__).with_name("schema.sql")
_APPLICATION = int.from_bytes(b"mail")
"""What SQLite keeps in the file's header, so that programs know their own files; schema.sql writes it."""
_VERSION = 1
"""Of the tables in schema.sql, which writes it too."""
_TABLES = frozenset({"messages", "repeatable_requests", "reports"})
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BEGIN_ANEW = (
    "move it away (with the files -wal and -shm beside it) and start again: the sink begins without mails, and the "
    "app sends again only what it does not know to be sent."
)


def open_checked(path: Path) -> sqlite3.Connection:
    """Open or create the database; every commit is on the disk before it returns.

    Raises DamagedFileError if it is not sound, or not the sink's own, and leaves it as it is; UnusableDataError if
    nothing can be written there.
    """
    private_directory(path.parent)
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        try:
            _recognize(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_SCHEMA.read_text(encoding="utf-8"))
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as failure:
        raise _refusal(path, failure) from failure
    return connection


def _recognize(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is not the sink's, what another version wrote, and what is damaged. Raises DamagedFileError."""
    marks = _number(connection, "application_id"), _number(connection, "user_version")
    if marks != (_APPLICATION, _VERSION):
        _recognize_unmarked(connection, path, *marks)
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise DamagedFileError(_damaged(path, found))


def _recognize_unmarked(connection: sqlite3.Connection, path: Path, application: int, version: int) -> None:
    """Take a file that is new, or from before the sink marked its files: it is marked with the tables."""
    if application == _APPLICATION:
        raise DamagedFileError(
            f"{path} has version {version} of the layout, and this sink reads version {_VERSION}; {_BEGIN_ANEW}"
        )
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    if application or version or not _TABLES.issuperset(name for (name,) in rows):
        raise DamagedFileError(f"{path} is another program's; choose another --data, or {_BEGIN_ANEW}")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (number,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(number)


def _refusal(path: Path, failure: sqlite3.Error) -> DamagedFileError | UnusableDataError:
    if getattr(failure, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
        return DamagedFileError(_damaged(path, str(failure)))
    return UnusableDataError(
        f"{path} cannot be opened for writing ({failure}); free space on its disk, make its directory writable, or "
        "choose another one with --data."
    )


def _damaged(path: Path, how: str) -> str:
    return f"{path} is damaged ({' '.join(how.split())}); restore it from a copy, or {_BEGIN_ANEW}"
