"""The interface to Table Storage: rows, key ranges and entity-group transactions.

Two implementations have the same contract and run the same tests: `azure_tables`, and `memory_tables` in memory.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Protocol, TypeVar

T = TypeVar("T")

Value = str | int | bool
MAX_TRANSACTION_OPERATIONS = 100
"""The maximum number of operations in one transaction."""
MAX_KEY_LENGTH = 512
"""The maximum length of a partition key and of a row key in UTF-16 units (1 KiB)."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its key in the partition, and its properties."""

    key: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class StoredRow(Row):
    """A row as read, with its ETag, partition and table."""

    etag: str
    partition: str
    table: str


@dataclass(frozen=True, slots=True)
class Insert:
    """Insert a row; conflicts if it exists."""

    row: Row


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace a row; conflicts if it has changed since it was read, or does not exist."""

    row: Row
    etag: str


@dataclass(frozen=True, slots=True)
class Upsert:
    """Insert or replace a row, without a condition."""

    row: Row


@dataclass(frozen=True, slots=True)
class Discard:
    """Delete a row, if it exists.

    A missing row is no conflict. If another writer can insert the row at the same time, the transaction needs another
    operation with a condition (`Insert`, `Replace`), so that one of the two writers gets a conflict.
    """

    key: str


Operation = Insert | Replace | Upsert | Discard


class Tables(Protocol):
    """Table Storage as this service uses it. Every method raises `StoreUnavailable` if storage does not answer.

    Keys have at most `MAX_KEY_LENGTH` units, and neither slashes, backslashes, `#`, `?` nor control characters.
    Storage refuses all others, which raises `StoreUnavailable` as well: keys are made in `keys` alone.
    """

    async def create_tables(self, names: Sequence[str]) -> None:
        """Create the tables that do not exist."""
        ...

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        """One row, or None."""
        ...

    async def between(
        self,
        table: str,
        partition: str,
        start: str,
        end: str,
        limit: int | None = None,
        *,
        keys_only: bool = False,
    ) -> list[StoredRow]:
        """The rows with start ≤ key < end, sorted by key, at most `limit`.

        With `keys_only` they have neither properties nor ETags, and cost a fraction of the time.
        """
        ...

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        """Execute all operations or none, on one partition; at most `MAX_TRANSACTION_OPERATIONS`, each key once.

        Returns the new ETag of each row in order: None of a deleted one, and if storage did not say it.
        Raises `StoreConflict` if a condition fails because of another write; a retry that conflicts with its own
        unconfirmed first attempt counts as success. Raises `RecordTooLarge` above `sizes.MAX_TRANSACTION_BYTES`.
        """
        ...

    async def discard(self, table: str, partition: str, key: str) -> None:
        """Delete a row, if it exists."""
        ...

    def clock_ahead(self) -> timedelta:
        """How far this host's clock was ahead of storage's at the last range that was read; zero if it was not."""
        ...

    def scan_table(self, table: str) -> AsyncIterator[StoredRow]:
        """All rows of a table, in no particular order."""
        ...


def in_transactions(items: Iterable[T], operations_each: int = 1) -> Iterator[list[T]]:
    """Split items, of which each needs so many operations, into groups that fit into one transaction, in order."""
    rest = iter(items)
    while group := list(islice(rest, MAX_TRANSACTION_OPERATIONS // operations_each)):
        yield group
