"""Table Storage over azure-data-tables, and the one place where its errors are translated."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableTransactionError, UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient

from shared.errors import RecordTooLarge, StoreConflict, StoreUnavailable
from shared.storage.sizes import MOST_BYTES, wire_size
from shared.storage.tables import Delete, Insert, Operation, Replace, Row, StoredRow, Upsert, Value

CONNECT_SECONDS, READ_SECONDS, RETRIES = 5, 10, 3
"""Bounds on one attempt: until connected, and between two parts of an answer; and how often the client repeats it."""
REQUEST_SECONDS = 30
"""Bound on one request with all its attempts, pauses and the identity's token.

Storage that accepts and never answers would otherwise take 44.8 s (four attempts of 10 s, pauses of 0, 1.6 and
3.2 s), one that also connects slowly 64.8 s; an answer in drops, or a far `Retry-After`, would take any time.
With functionTimeout it bounds how long a handler can hold an intent.
"""

_KEYS = {"PartitionKey", "RowKey"}
_LARGEST_PAGE = 1000  # what the service gives at most; it refuses to be asked for more
_CONFLICTS = frozenset({404, 409, 412})
_TOO_LARGE = 413


class AzureTables:
    """Implements `shared.storage.tables.Tables`. `seconds` bounds each request.

    `requests` counts the requests sent, for tests and benchmarks.
    """

    def __init__(self, service: TableServiceClient, seconds: float = REQUEST_SECONDS) -> None:
        self._service = service
        self._seconds = seconds
        self._clients: dict[str, TableClient] = {}
        self.requests = 0

    async def create_tables(self, names: Sequence[str]) -> None:
        """See the port."""
        for name in names:
            async with self._request():
                await self._service.create_table_if_not_exists(name)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.close()
        await self._service.close()

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        """See the port."""
        async with self._request():
            try:
                return _stored(await self._client(table).get_entity(partition, key))
            except ResourceNotFoundError:
                return None

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
        entities = self._client(table).query_entities(
            "PartitionKey eq @partition and RowKey ge @start and RowKey lt @end",
            parameters={"partition": partition, "start": start, "end": end},
            results_per_page=min(limit, _LARGEST_PAGE) if limit else None,
            select=sorted(_KEYS) if keys_only else None,
        )
        rows: list[StoredRow] = []
        pages = entities.by_page()
        while limit is None or len(rows) < limit:
            async with self._request():
                page = await anext(pages, None)
                if page is None:
                    break
                rows.extend([_stored(entity) async for entity in page])
            if pages.continuation_token is None:  # type: ignore[attr-defined] # AsyncPageIterator's own
                break
        return rows[:limit]

    async def write(self, table: str, partition: str, operations: Sequence[Operation]) -> None:
        """See the port."""
        async with self._request():
            try:
                await self._client(table).submit_transaction(
                    [_request_of(partition, op) for op in operations]
                )
            except (
                TableTransactionError,
                ResourceExistsError,
                ResourceModifiedError,
                ResourceNotFoundError,
            ) as refused:
                if refused.status_code == _TOO_LARGE:
                    raise RecordTooLarge(wire_size(partition, operations), MOST_BYTES) from refused
                if refused.status_code not in _CONFLICTS and not isinstance(refused, ResourceExistsError):
                    raise
                raise StoreConflict(str(refused)) from refused

    async def discard(self, table: str, partition: str, key: str) -> None:
        """See the port."""
        async with self._request():
            await self._client(table).delete_entity(partition, key)

    async def everything(self, table: str) -> AsyncIterator[StoredRow]:
        """See the port."""
        pages = self._client(table).list_entities().by_page()
        while True:
            async with self._request():
                page = await anext(pages, None)
                rows = [] if page is None else [_stored(entity) async for entity in page]
            for row in rows:
                yield row
            if page is None or pages.continuation_token is None:  # type: ignore[attr-defined]
                return

    def _client(self, table: str) -> TableClient:
        if table not in self._clients:
            self._clients[table] = self._service.get_table_client(table)
        return self._clients[table]

    @asynccontextmanager
    async def _request(self) -> AsyncIterator[None]:
        self.requests += 1
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError as slow:
            raise StoreUnavailable(
                f"Table Storage gave no answer within {self._seconds:g} seconds."
            ) from slow
        except HttpResponseError as failed:
            raise StoreUnavailable(
                f"Table Storage answered {failed.status_code}: {failed.reason}"
            ) from failed
        except AzureError as failed:
            raise StoreUnavailable(f"Table Storage could not be reached: {failed}") from failed


def _stored(entity: Mapping[str, Any]) -> StoredRow:
    values: dict[str, Value] = {name: value for name, value in entity.items() if name not in _KEYS}
    return StoredRow(entity["RowKey"], values, entity.metadata["etag"], entity["PartitionKey"])  # type: ignore[attr-defined]


def _request_of(partition: str, operation: Operation) -> tuple[Any, ...]:
    match operation:
        case Insert(row):
            return ("create", _entity(partition, row))
        case Replace(row, etag):
            condition = {
                "mode": UpdateMode.REPLACE,
                "etag": etag,
                "match_condition": MatchConditions.IfNotModified,
            }
            return ("update", _entity(partition, row), condition)
        case Upsert(row):
            return ("upsert", _entity(partition, row), {"mode": UpdateMode.REPLACE})
        case Delete(key):
            return ("delete", {"PartitionKey": partition, "RowKey": key})


def _entity(partition: str, row: Row) -> dict[str, Any]:
    return {"PartitionKey": partition, "RowKey": row.key, **row.values}
