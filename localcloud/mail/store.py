"""The messages that were accepted, in SQLite: committed to disk before the sender gets an answer."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from localcloud.errors import DamagedFileError, UnusableDataError
from localcloud.mail.messages import EmailMessage
from localcloud.mail.repeatability import TRACKED_FOR, RepeatableRequest
from localcloud.private_files import private_directory

_SCHEMA = Path(__file__).with_name("schema.sql")
_APPLICATION = int.from_bytes(b"mail")
"""The application id in the header of the file; schema.sql writes it."""
_VERSION = 1
"""The version of the tables; schema.sql writes it too."""
_TABLES = frozenset({"messages", "repeatable_requests", "reports"})
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_START_OVER = (
    "move it away (with the files -wal and -shm beside it) and start again: the sink starts without mails, and the "
    "app sends again only what it does not know to be sent."
)


@dataclass(frozen=True)
class Report:
    """What happened to a mail on its way to one recipient; `detail` is empty if nothing more is known."""

    recipient: str
    status: str
    detail: str


@dataclass(frozen=True)
class Send:
    """A request to send: at most once per operation id, and per repeatable request while that is tracked."""

    operation_id: str
    message: EmailMessage
    repeatable: RepeatableRequest | None = None


@dataclass(frozen=True)
class StoredMessage:
    """A message with its number, how often it was sent, and when it first arrived (domain time).

    `reports` holds the latest report of each recipient.
    """

    number: int
    operation_id: str
    attempts: int
    received: datetime
    message: EmailMessage
    reports: tuple[Report, ...] = ()


class MailStore:
    """All messages of one data directory. Survives kill -9 at any moment: WAL, synchronous=FULL."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises DamagedFileError, UnusableDataError."""
        self._connection = open_checked(path)
        self._connection.row_factory = sqlite3.Row

    def close(self) -> None:
        self._connection.close()

    def accept(self, send: Send, *, received: datetime) -> str:
        """Store the message unless the same send was accepted before; count the attempt; return the operation id.

        `received` is domain time. The first message of a send is kept, whatever a later attempt carries.
        """
        with self._transaction() as connection:
            operation_id = _tracked_operation(connection, send.repeatable) or send.operation_id
            if not _counted(connection, operation_id):
                connection.execute(
                    "INSERT INTO messages (operation_id, received, message) VALUES (?, ?, ?)",
                    (operation_id, received.isoformat(), send.message.to_json()),
                )
            _track(connection, send.repeatable, operation_id)
        return operation_id

    def knows_operation(self, operation_id: str) -> bool:
        found = self._connection.execute("SELECT 1 FROM messages WHERE operation_id = ?", (operation_id,))
        return found.fetchone() is not None

    def message(self, number: int) -> StoredMessage | None:
        rows = self._connection.execute("SELECT * FROM messages WHERE id = ?", (number,))
        return next(map(self._stored, rows), None)

    def after(self, number: int = 0) -> Iterator[StoredMessage]:
        """Yield the messages above `number`, oldest first."""
        rows = self._connection.execute("SELECT * FROM messages WHERE id > ? ORDER BY id", (number,))
        return map(self._stored, rows)

    def newest(self, *, before: int | None = None) -> Iterator[StoredMessage]:
        """Yield the messages, newest first; with `before`, only those below that number."""
        rows = self._connection.execute(
            "SELECT * FROM messages WHERE id < coalesce(?, 9223372036854775807) ORDER BY id DESC", (before,)
        )
        return map(self._stored, rows)

    def keep_report(self, number: int, report: Report) -> None:
        """Store the report, in place of an earlier one for the same recipient."""
        self._connection.execute(
            "INSERT INTO reports VALUES (?, ?, ?, ?) ON CONFLICT (message_id, recipient) "
            "DO UPDATE SET status = excluded.status, detail = excluded.detail",
            (number, report.recipient, report.status, report.detail),
        )

    def reports(self, number: int) -> tuple[Report, ...]:
        """Return the latest report of each recipient of a message, in the order of their first reports."""
        rows = self._connection.execute(
            "SELECT recipient, status, detail FROM reports WHERE message_id = ? ORDER BY rowid", (number,)
        )
        return tuple(Report(**row) for row in rows)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # on a full disk SQLite has rolled back already
                self._connection.execute("ROLLBACK")
            raise

    def _stored(self, row: sqlite3.Row) -> StoredMessage:
        return StoredMessage(
            number=row["id"],
            operation_id=row["operation_id"],
            attempts=row["attempts"],
            received=datetime.fromisoformat(row["received"]),
            message=EmailMessage.model_validate_json(row["message"]),
            reports=self.reports(row["id"]),
        )


def _counted(connection: sqlite3.Connection, operation_id: str) -> bool:
    """Count one more attempt if the operation is known; return whether it is."""
    changed = connection.execute(
        "UPDATE messages SET attempts = attempts + 1 WHERE operation_id = ?", (operation_id,)
    )
    return changed.rowcount == 1


def _tracked_operation(connection: sqlite3.Connection, request: RepeatableRequest | None) -> str | None:
    if request is None:
        return None
    rows = connection.execute(
        "SELECT operation_id FROM repeatable_requests WHERE request_id = ?", (request.request_id,)
    )
    found = rows.fetchone()
    return str(found["operation_id"]) if found else None


def _track(connection: sqlite3.Connection, request: RepeatableRequest | None, operation_id: str) -> None:
    if request is None:
        return
    # A first-sent may be five minutes ahead of the wall clock, so rows are kept for twice the tracked time.
    connection.execute(
        "DELETE FROM repeatable_requests WHERE first_sent < ?",
        ((request.first_sent - 2 * TRACKED_FOR).timestamp(),),
    )
    connection.execute(
        "INSERT OR IGNORE INTO repeatable_requests VALUES (?, ?, ?)",
        (request.request_id, request.first_sent.timestamp(), operation_id),
    )


def open_checked(path: Path) -> sqlite3.Connection:
    """Open or create the database; every commit is on disk before it returns.

    Raises DamagedFileError if the file is damaged or another program's, and leaves it unchanged; UnusableDataError
    if it cannot be written.
    """
    private_directory(path.parent)
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        try:
            _check(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_SCHEMA.read_text(encoding="utf-8"))
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as failure:
        raise _error(path, failure) from failure
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise DamagedFileError if another program or another version wrote the file, or if it is damaged."""
    marks = _number(connection, "application_id"), _number(connection, "user_version")
    if marks != (_APPLICATION, _VERSION):
        _check_unmarked(connection, path, *marks)
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise DamagedFileError(_damaged(path, found))


def _check_unmarked(connection: sqlite3.Connection, path: Path, application: int, version: int) -> None:
    """Accept a file that is new, or older than the marks; schema.sql marks it."""
    if application == _APPLICATION:
        raise DamagedFileError(
            f"{path} has version {version} of the layout, and this sink reads version {_VERSION}; {_START_OVER}"
        )
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    if application or version or not _TABLES.issuperset(name for (name,) in rows):
        raise DamagedFileError(f"{path} is another program's; choose another --data, or {_START_OVER}")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (number,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(number)


def _error(path: Path, failure: sqlite3.Error) -> DamagedFileError | UnusableDataError:
    if getattr(failure, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
        return DamagedFileError(_damaged(path, str(failure)))
    return UnusableDataError(
        f"{path} cannot be opened for writing ({failure}); free space on its disk, make its directory writable, or "
        "choose another one with --data."
    )


def _damaged(path: Path, detail: str) -> str:
    return f"{path} is damaged ({' '.join(detail.split())}); restore it from a copy, or {_START_OVER}"
