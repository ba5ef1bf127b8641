"""Table Storage in memory that lets others go on before it answers, so that requests made at once interleave."""

import asyncio
from collections.abc import Sequence

from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Operation, StoredRow


class YieldingTables(MemoryTables):
    """Every request waits for one turn of the event loop."""

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        await asyncio.sleep(0)
        return await super().get(table, partition, key)

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
        await asyncio.sleep(0)
        return await super().between(table, partition, start, end, limit, keys_only=keys_only)

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        await asyncio.sleep(0)
        return await super().write(table, partition, operations)
