"""The port to Table Storage: rows, key ranges and entity-group transactions, nothing more.

Two adapters keep the same contract, and the same tests: `azure_tables` and, in memory, `memory_tables`.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar

T = TypeVar("T")

Value = str | int | bool
MAX_TRANSACTION_OPERATIONS = 100
"""What one transaction holds at most."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its key within the partition and its properties."""

    key: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class StoredRow(Row):
    """A row as read, with the tag that a conditional write needs and the place it came from."""

    etag: str
    partition: str
    table: str


@dataclass(frozen=True, slots=True)
class Insert:
    """Write a row that must not exist."""

    row: Row


@dataclass(frozen=True, slots=True)
class Replace:
    """Write a row that must exist unchanged since it was read."""

    row: Row
    etag: str


@dataclass(frozen=True, slots=True)
class Upsert:
    """Write a row whatever is there."""

    row: Row


@dataclass(frozen=True, slots=True)
class Discard:
    """Remove a row, if it is there.

    Whether it is there is not a condition. If somebody could bring it in at the same moment, the transaction needs
    a condition (`Insert`, `Replace`) that refuses one of both.
    """

    key: str


Operation = Insert | Replace | Upsert | Discard


class Tables(Protocol):
    """Table Storage as this service uses it. Every method raises `StoreUnavailable` when storage does not answer."""

    async def create_tables(self, names: Sequence[str]) -> None:
        """Create the tables that do not exist; until then they read as empty."""
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
        """The rows with start ≤ key < end in order of key, at most `limit`; with `keys_only` without properties."""
        ...

    async def write(self, table: str, partition: str, operations: Sequence[Operation]) -> None:
        """All operations or none, on one partition; at most `MAX_TRANSACTION_OPERATIONS`, each key once.

        Raises `StoreConflict` when an operation's condition fails because of somebody else's write: what storage
        took of this one and did not confirm is success. `RecordTooLarge` when all of it takes more than
        `sizes.MAX_TRANSACTION_BYTES` on the wire.
        """
        ...

    async def discard(self, table: str, partition: str, key: str) -> None:
        """Remove a row, if it is there."""
        ...

    def scan_table(self, table: str) -> AsyncIterator[StoredRow]:
        """Every row of a small table, in no order that callers may rely on."""
        ...


def in_transactions(things: Iterable[T]) -> Iterator[list[T]]:
    """Things in their order, in groups of as many as one transaction holds; none of them is empty."""
    rest = iter(things)
    while group := list(islice(rest, MAX_TRANSACTION_OPERATIONS)):
        yield group
