"""The task hub in Azure Storage: whether the engine's tables and queues exist.

The host creates them only when it starts; if they are deleted later, it accepts starts and events and loses them. The
names are those of the Durable extension's Azure Storage backend.
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
    """The storage of the durable engine, for health checks."""

    async def missing(self) -> list[str]:
        """The sorted names of missing tables and queues. Raises `StoreUnavailable`."""
        ...


class AzureTaskHub:
    """Implements `TaskHub` for a hub name and a number of control queues, with two concurrent requests."""

    def __init__(
        self, tables: TableServiceClient, queues: QueueServiceClient, name: str, partitions: int
    ) -> None:
        self._tables = tables
        self._queues = queues
        self._name = name
        self._table_names = {f"{name}History", f"{name}Instances"}
        self._queue_names = {f"{name.lower()}-control-{number:02d}" for number in range(partitions)}
        self._queue_names.add(f"{name.lower()}-workitems")

    async def missing(self) -> list[str]:
        """See `TaskHub`."""
        async with _guarded_requests():
            tables, queues = await asyncio.gather(self._find_tables(), self._find_queues())
        # Table names are case-insensitive: the account keeps the case of the request that created a table.
        missing = [f"table {name}" for name in self._table_names if name.casefold() not in tables]
        missing += [f"queue {name}" for name in self._queue_names - queues]
        return sorted(missing)

    async def close(self) -> None:
        """Close the connections."""
        await self._tables.close()
        await self._queues.close()

    async def _find_tables(self) -> set[str]:
        names = " or ".join(f"TableName eq '{name}'" for name in sorted(self._table_names))
        return {table.name.casefold() async for table in self._tables.query_tables(names)}

    async def _find_queues(self) -> set[str]:
        prefix = f"{self._name.lower()}-"
        return {queue.name async for queue in self._queues.list_queues(name_starts_with=prefix)}


@asynccontextmanager
async def _guarded_requests() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            yield
    except TimeoutError as error:
        raise StoreUnavailable(
            f"The task hub's storage did not answer within {REQUEST_SECONDS} seconds."
        ) from error
    except AzureError as error:
        raise StoreUnavailable(f"The task hub's storage could not be reached: {error}") from error
