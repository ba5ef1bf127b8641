"""Table Storage in memory of which one partition is slow: it takes writes long after their callers gave them up."""

from collections.abc import Sequence

from shared.errors import StoreConflict, StoreUnavailable
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Operation


class SlowTables(MemoryTables):
    """Writes to the referrals of the organizations in `slow` are held back; their callers get no answer."""

    def __init__(self, *slow: str) -> None:
        super().__init__()
        self.slow = set(slow)
        self._held: list[tuple[str, str, Sequence[Operation]]] = []

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        if table == "referrals" and partition in self.slow:
            self._held.append((table, partition, operations))
            raise StoreUnavailable("no answer")
        return await super().write(table, partition, operations)

    async def catch_up(self) -> None:
        """What was held back arrives, in order, and all is fast again; what comes too late is refused unheard."""
        self.slow.clear()
        held, self._held = self._held, []
        for write in held:
            try:
                await super().write(*write)
            except StoreConflict:
                continue
