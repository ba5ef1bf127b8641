"""Classifies SQLite errors: the disk cannot be written now, the file is damaged, or neither."""

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
    """Whether a retry may succeed: the disk is full, read-only or failing, or the file is locked."""
    return _primary_code(failure) in _PASSING


def is_damage(failure: sqlite3.Error) -> bool:
    """Whether the file is damaged."""
    return _primary_code(failure) in _DAMAGE


def _primary_code(failure: sqlite3.Error) -> int | None:
    """Return the primary code, which is the low byte; None for errors that Python raises, such as invalid UTF-8."""
    code: int | None = getattr(failure, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
