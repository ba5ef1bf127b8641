"""Table Storage in memory, with the same contract as `azure_tables`, for tests without network and disk."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from shared.errors import RecordTooLarge, StoreConflict
from shared.storage.sizes import MAX_TRANSACTION_BYTES, wire_size
from shared.storage.tables import MAX_TRANSACTION_OPERATIONS, Discard, Insert, Operation, Replace, StoredRow


class MemoryTables:
    """Implements `shared.storage.tables.Tables` on a dictionary."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], dict[str, StoredRow]] = {}
        self._writes = 0

    async def create_tables(self, names: Sequence[str]) -> None:
        """Does nothing: a table exists when it has rows."""

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        """See `Tables`."""
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
        """See `Tables`."""
        rows = self._partition(table, partition)
        found = [rows[key] for key in sorted(rows) if start <= key < end][:limit]
        return [replace(row, values={}) for row in found] if keys_only else found

    async def write(self, table: str, partition: str, operations: Sequence[Operation]) -> None:
        """See `Tables`."""
        keys = [op.key if isinstance(op, Discard) else op.row.key for op in operations]
        if not 0 < len(keys) <= MAX_TRANSACTION_OPERATIONS or len(set(keys)) != len(keys):
            message = (
                f"a transaction has 1 to {MAX_TRANSACTION_OPERATIONS} operations on distinct keys, not {keys}"
            )
            raise ValueError(message)
        if (size := wire_size(partition, operations)) > MAX_TRANSACTION_BYTES:
            raise RecordTooLarge(size, MAX_TRANSACTION_BYTES)
        rows = dict(self._partition(table, partition))
        for operation in operations:
            self._apply(rows, operation, table, partition)
        self._rows[table, partition] = rows

    async def discard(self, table: str, partition: str, key: str) -> None:
        """See `Tables`."""
        self._partition(table, partition).pop(key, None)

    async def scan_table(self, table: str) -> AsyncIterator[StoredRow]:
        """See `Tables`."""
        for (name, _), rows in list(self._rows.items()):
            for row in list(rows.values()) if name == table else ():
                yield row

    def _partition(self, table: str, partition: str) -> dict[str, StoredRow]:
        return self._rows.setdefault((table, partition), {})

    def _apply(self, rows: dict[str, StoredRow], operation: Operation, table: str, partition: str) -> None:
        match operation:
            case Insert(row):
                _require(row.key not in rows, f"{row.key} exists")
            case Replace(row, etag):
                _require(row.key in rows and rows[row.key].etag == etag, f"{row.key} has changed")
            case Discard(key):
                rows.pop(key, None)
                return
            case _:
                row = operation.row
        self._writes += 1
        rows[row.key] = StoredRow(row.key, dict(row.values), f'W/"{self._writes}"', partition, table)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise StoreConflict(what)
