"""Table Storage in memory that takes so many writes more, and then none: what ends in the middle of a step."""

from collections.abc import Sequence

from shared.errors import StoreUnavailable
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Operation


class EndingTables(MemoryTables):
    """`left` is how many writes it takes, None for all; then each raises what `end` makes."""

    left: int | None = None

    def end(self) -> BaseException:
        return StoreUnavailable("away")

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        self._count()
        return await super().write(table, partition, operations)

    async def discard(self, table: str, partition: str, key: str) -> None:
        self._count()
        await super().discard(table, partition, key)

    def _count(self) -> None:
        if self.left == 0:
            raise self.end()
        if self.left is not None:
            self.left -= 1
