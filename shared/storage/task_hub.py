"""The task hub as it lies in Azure Storage: whether the engine's tables and queues are there.

The host makes them when it starts, and not again while it runs; without them it takes starts and events and loses
them. Their names are those of the Durable extension's Azure Storage backend.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from azure.core.exceptions import AzureError
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

from shared.errors import StoreUnavailable
from shared.storage.azure_errors import REQUEST_SECONDS


class TaskHub(Protocol):
    """Where the engine keeps its state, as far as it can be looked at."""

    async def missing(self) -> list[str]:
        """What of it is not there, by name. Raises `StoreUnavailable`."""
        ...


class AzureTaskHub:
    """Implements `TaskHub` for a hub of this name with so many control queues: two requests, made at once."""

    def __init__(
        self, tables: TableServiceClient, queues: QueueServiceClient, name: str, partitions: int
    ) -> None:
        self._tables = tables
        self._queues = queues
        self._name = name
        self._wanted_tables = {f"{name}History", f"{name}Instances"}
        self._wanted_queues = {f"{name.lower()}-control-{number:02d}" for number in range(partitions)}
        self._wanted_queues.add(f"{name.lower()}-workitems")

    async def missing(self) -> list[str]:
        """See the port."""
        async with _translated():
            tables, queues = await asyncio.gather(self._found_tables(), self._found_queues())
        # The names of tables are compared without case: the account keeps the spelling of whoever made them.
        absent = [f"table {name}" for name in self._wanted_tables if name.casefold() not in tables]
        absent += [f"queue {name}" for name in self._wanted_queues - queues]
        return sorted(absent)

    async def close(self) -> None:
        """Close the connections."""
        await self._tables.close()
        await self._queues.close()

    async def _found_tables(self) -> set[str]:
        names = " or ".join(f"TableName eq '{name}'" for name in sorted(self._wanted_tables))
        return {table.name.casefold() async for table in self._tables.query_tables(names)}

    async def _found_queues(self) -> set[str]:
        prefix = f"{self._name.lower()}-"
        return {queue.name async for queue in self._queues.list_queues(name_starts_with=prefix)}


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            yield
    except TimeoutError as slow:
        raise StoreUnavailable(
            f"The task hub's storage gave no answer within {REQUEST_SECONDS} seconds."
        ) from slow
    except AzureError as failed:
        raise StoreUnavailable(f"The task hub's storage could not be reached: {failed}") from failed
