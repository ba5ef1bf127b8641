"""The messages that were accepted, in SQLite: committed to disk before the sender hears of it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from localcloud.mail.database import open_checked
from localcloud.mail.messages import EmailMessage
from localcloud.mail.repeatability import TRACKED_FOR, RepeatableRequest
from localcloud.mail.reports import Report


@dataclass(frozen=True)
class Send:
    """A request to send: at most once per operation id, and per repeatable request while that is tracked."""

    operation_id: str
    message: EmailMessage
    repeatable: RepeatableRequest | None = None


@dataclass(frozen=True)
class StoredMessage:
    """A message with its number, the times it was asked for, and when it came first (domain time).

    `reports` holds the latest of each recipient.
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
        """Keep what became of a message on its way to a recipient, in place of what was known before."""
        self._connection.execute(
            "INSERT INTO reports VALUES (?, ?, ?, ?) ON CONFLICT (message_id, recipient) "
            "DO UPDATE SET status = excluded.status, detail = excluded.detail",
            (number, report.recipient, report.status, report.detail),
        )

    def reports(self, number: int) -> tuple[Report, ...]:
        """Return the latest report of each recipient of a message, in the order in which they first came."""
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
            if self._connection.in_transaction:  # where the disk is full, SQLite has rolled back by itself
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
    """Count one more attempt of a known operation; say whether it is known."""
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
    # A first-sent may lie five minutes ahead of the wall clock: twice the time keeps every row that can be asked for.
    connection.execute(
        "DELETE FROM repeatable_requests WHERE first_sent < ?",
        ((request.first_sent - 2 * TRACKED_FOR).timestamp(),),
    )
    connection.execute(
        "INSERT OR IGNORE INTO repeatable_requests VALUES (?, ?, ?)",
        (request.request_id, request.first_sent.timestamp(), operation_id),
    )
