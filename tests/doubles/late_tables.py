"""Table Storage in memory that takes a write after its caller was told nothing, while the caller looks again."""

from collections.abc import Sequence

from shared.errors import StoreUnavailable
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Operation, StoredRow


class LateTables(MemoryTables):
    """Takes the next write of a document only when a document is read again, and says nothing meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.delay_next = False
        self._late: tuple[str, str, Sequence[Operation]] | None = None

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        if self.delay_next and table == "referrals":
            self.delay_next, self._late = False, (table, partition, operations)
            raise StoreUnavailable("no answer")
        return await super().write(table, partition, operations)

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        if self._late and key.startswith("d:"):
            late, self._late = self._late, None
            await super().write(*late)
        return await super().get(table, partition, key)
