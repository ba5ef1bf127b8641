"""Table Storage in memory whose requests take their time, so that sequential round trips can be counted."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Operation, StoredRow

_SPINS = 50
"""Turns of the event loop after which nothing goes on any more unless a request is answered."""


class TimedTables(MemoryTables):
    """While `counting_trips`, all requests that are under way at once are answered together: one round trip."""

    def __init__(self) -> None:
        super().__init__()
        self.trips = 0
        self._waiting: list[asyncio.Event] | None = None

    @asynccontextmanager
    async def counting_trips(self) -> AsyncIterator[None]:
        self.trips, self._waiting = 0, []
        answering = asyncio.create_task(self._answer(self._waiting))
        try:
            yield
        finally:
            answering.cancel()
            waiting, self._waiting = self._waiting, None
            for event in waiting:
                event.set()

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        await self._take_time()
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
        await self._take_time()
        return await super().between(table, partition, start, end, limit, keys_only=keys_only)

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        await self._take_time()
        return await super().write(table, partition, operations)

    async def _take_time(self) -> None:
        if self._waiting is not None:
            event = asyncio.Event()
            self._waiting.append(event)
            await event.wait()

    async def _answer(self, waiting: list[asyncio.Event]) -> None:
        while True:
            for _ in range(_SPINS):
                await asyncio.sleep(0)
            if waiting:
                self.trips += 1
                together, waiting[:] = list(waiting), []
                for event in together:
                    event.set()
