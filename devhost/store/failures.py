"""What an error of SQLite says: that the disk takes nothing now, that the file is damaged, or neither."""

import sqlite3

_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def may_pass(failure: sqlite3.Error) -> bool:
    """Whether the same may succeed later: the disk is full, read-only or fails, or the file is locked."""
    return _primary_code(failure) in _PASSING


def is_damage(failure: sqlite3.Error) -> bool:
    """Whether the file is no sound database any more."""
    return _primary_code(failure) in _DAMAGE


def _primary_code(failure: sqlite3.Error) -> int | None:
    """None for what Python raises by itself, as for a text that is no UTF-8. The low byte is the primary code."""
    code: int | None = getattr(failure, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
