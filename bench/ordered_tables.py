"""Table Storage in memory with sorted rows, for sizes that take too long to write to an emulator."""

from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Operation, StoredRow


class OrderedTables:
    """Implements `shared.storage.tables.Tables`; `requests` counts as `AzureTables` does: one per page of a range.

    The rows of a partition are sorted at the first read after a write.
    """

    def __init__(self) -> None:
        self._rows = MemoryTables()
        self._order: dict[tuple[str, str], list[StoredRow]] = {}
        self.requests = 0

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        """See the port."""
        self.requests += 1
        return await self._rows.get(table, partition, key)

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
        """See the port."""
        if (table, partition) not in self._order:
            self._order[table, partition] = await self._rows.between(table, partition, "", "\x7f")
        rows = self._order[table, partition]
        first = bisect_left(rows, start, key=lambda row: row.key)
        last = bisect_left(rows, end, key=lambda row: row.key)
        found = rows[first : min(last, first + limit) if limit else last]
        self.requests += max(1, -(-len(found) // 1000))
        return [replace(row, values={}) for row in found] if keys_only else found

    async def write(self, table: str, partition: str, operations: Sequence[Operation]) -> None:
        """See the port."""
        self.requests += 1
        self._order.pop((table, partition), None)
        await self._rows.write(table, partition, operations)

    async def discard(self, table: str, partition: str, key: str) -> None:
        """See the port."""
        self.requests += 1
        self._order.pop((table, partition), None)
        await self._rows.discard(table, partition, key)

    def everything(self, table: str) -> AsyncIterator[StoredRow]:
        """See the port."""
        return self._rows.everything(table)
