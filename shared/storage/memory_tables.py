"""Table Storage in memory: the twin of `azure_tables`, for tests and measurements without network or disk."""

import re
from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

from shared.errors import RecordTooLarge, StoreConflict, StoreUnavailable
from shared.storage.sizes import MAX_TRANSACTION_BYTES, wire_size
from shared.storage.tables import (
    MAX_KEY_LENGTH,
    MAX_TRANSACTION_OPERATIONS,
    Discard,
    Insert,
    Operation,
    Replace,
    StoredRow,
)

_Place = tuple[str, str]
"""A table, and a partition of it."""
_LARGEST_PAGE = 1000
_NOT_IN_KEYS = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Characters that Table Storage does not allow in keys; a lone surrogate cannot be sent at all."""


class MemoryTables:
    """Implements `shared.storage.tables.Tables`: each partition's rows by key, with the keys sorted.

    `requests` counts as `AzureTables` does: a range is one request for each 1,000 rows returned. `ahead` is what
    `clock_ahead` returns.

    Keys that storage refuses in rows are refused in every request; Azurite lets most of them pass when it reads.
    """

    def __init__(self) -> None:
        self._rows: dict[_Place, dict[str, StoredRow]] = {}
        self._order: dict[_Place, list[str]] = {}
        self._writes = 0
        self.requests = 0
        self.ahead = timedelta()

    def clock_ahead(self) -> timedelta:
        """See `Tables`."""
        return self.ahead

    async def create_tables(self, names: Sequence[str]) -> None:
        """Does nothing: a table exists when it has rows."""

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        """See `Tables`."""
        self.requests += 1
        _require_keys(partition, key)
        return self._partition(table, partition).get(key)

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
        """See `Tables`. The bounds of a range are no keys: they may contain characters that keys may not."""
        _require_keys(partition)
        _require_lengths(start, end)
        rows, order = self._partition(table, partition), self._ordered(table, partition)
        keys = order[bisect_left(order, start) : bisect_left(order, end)][:limit]
        self.requests += max(1, -(-len(keys) // _LARGEST_PAGE))
        found = [rows[key] for key in keys]
        return [replace(row, values={}, etag="") for row in found] if keys_only else found

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        """See `Tables`."""
        self.requests += 1
        keys = [op.key if isinstance(op, Discard) else op.row.key for op in operations]
        if not 0 < len(keys) <= MAX_TRANSACTION_OPERATIONS or len(set(keys)) != len(keys):
            message = (
                f"a transaction has 1 to {MAX_TRANSACTION_OPERATIONS} operations on distinct keys, not {keys}"
            )
            raise ValueError(message)
        _require_keys(partition, *keys)
        if (size := wire_size(partition, operations)) > MAX_TRANSACTION_BYTES:
            raise RecordTooLarge(size, MAX_TRANSACTION_BYTES)
        rows = self._partition(table, partition)
        for operation in operations:
            _require_condition(operation, rows)
        return tuple([self._apply(operation, table, partition) for operation in operations])

    async def discard(self, table: str, partition: str, key: str) -> None:
        """See `Tables`."""
        self.requests += 1
        _require_keys(partition, key)
        self._remove(table, partition, key)

    async def scan_table(self, table: str) -> AsyncIterator[StoredRow]:
        """See `Tables`."""
        for (name, _), rows in list(self._rows.items()):
            for row in list(rows.values()) if name == table else ():
                yield row

    def _partition(self, table: str, partition: str) -> dict[str, StoredRow]:
        return self._rows.setdefault((table, partition), {})

    def _ordered(self, table: str, partition: str) -> list[str]:
        """A partition's keys in order: sorted when they are asked for the first time after they changed."""
        if (table, partition) not in self._order:
            self._order[table, partition] = sorted(self._partition(table, partition))
        return self._order[table, partition]

    def _apply(self, operation: Operation, table: str, partition: str) -> str | None:
        if isinstance(operation, Discard):
            self._remove(table, partition, operation.key)
            return None
        row, rows = operation.row, self._partition(table, partition)
        if row.key not in rows:
            self._order.pop((table, partition), None)
        self._writes += 1
        etag = f'W/"{self._writes}"'
        rows[row.key] = StoredRow(row.key, dict(row.values), etag, partition, table)
        return etag

    def _remove(self, table: str, partition: str, key: str) -> None:
        if self._partition(table, partition).pop(key, None):
            self._order.pop((table, partition), None)


def _require_keys(*keys: str) -> None:
    """Raise `StoreUnavailable` for a key that storage refuses, as `AzureTables` does."""
    _require_lengths(*keys)
    if any(_NOT_IN_KEYS.search(key) for key in keys):
        raise StoreUnavailable("Table Storage answered 400 InvalidInput.")


def _require_lengths(*keys: str) -> None:
    if any(len(key.encode("utf-16-le", "surrogatepass")) > 2 * MAX_KEY_LENGTH for key in keys):
        raise StoreUnavailable("Table Storage answered 400 InvalidInput.")


def _require_condition(operation: Operation, rows: dict[str, StoredRow]) -> None:
    """Raise `StoreConflict` unless the operation's condition holds."""
    match operation:
        case Insert(row) if row.key in rows:
            raise StoreConflict(f"{row.key} exists")
        case Replace(row, etag) if row.key not in rows or rows[row.key].etag != etag:
            raise StoreConflict(f"{row.key} has changed")
        case _:
            return
