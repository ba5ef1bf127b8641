"""Table Storage through azure-data-tables. `azure_errors` translates its errors."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from uuid import uuid4

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient

from shared.errors import RecordTooLarge, ServiceError, StoreConflict, StoreUnavailable
from shared.storage.azure_errors import (
    CONFLICTS,
    MISSING_ROW,
    MISSING_TABLE,
    REQUEST_SECONDS,
    TOO_LARGE,
    code_of,
    failed_operation_index,
    guarded_request,
)
from shared.storage.sizes import MAX_TRANSACTION_BYTES, wire_size
from shared.storage.tables import Discard, Insert, Operation, Replace, Row, StoredRow, Upsert, Value

_KEYS = {"PartitionKey", "RowKey"}
_KEYS_ALONE: Mapping[str, Any] = {"select": "RowKey", "format": "application/json;odata=nometadata"}
"""The options of a query for keys: the client takes most of the time of a query to parse each property of each row,
so rows come without the partition's key, and without ETags."""
_NOTHING: Mapping[str, Value] = {}
_LARGEST_PAGE = 1000  # the maximum of the service, which rejects a higher number
_WRITE = "write_id"
"""A property of this adapter, on one row of each transaction: the id of the write that wrote the row."""
_OWN = {*_KEYS, _WRITE}
_REPEATED = frozenset({"POST"})
"""The client also retries inserts and transactions: `write` detects a retry that conflicts with its own first
attempt."""
_NO_CONTENT = "return-no-content"
"""Without it, storage returns the row that was inserted."""


class AzureTables:
    """Implements `shared.storage.tables.Tables`. `seconds` is the time limit of each request.

    `requests` counts the requests, for tests and benchmarks.
    """

    def __init__(self, service: TableServiceClient, seconds: float = REQUEST_SECONDS) -> None:
        self._service = service
        self._seconds = seconds
        self._clients: dict[str, TableClient] = {}
        self.requests = 0
        self._answered: tuple[float, str] = (0.0, "")

    def clock_ahead(self) -> timedelta:
        """See `Tables`. Storage tells its time in whole seconds, the one that has begun."""
        at, date = self._answered
        if not date:
            return timedelta()
        storage = parsedate_to_datetime(date).timestamp() + 1
        return max(timedelta(), timedelta(seconds=at - storage))

    async def create_tables(self, names: Sequence[str]) -> None:
        """See `Tables`."""
        for name in names:
            async with self._request():
                await self._service.create_table_if_not_exists(name)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.close()
        await self._service.close()

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        """See `Tables`."""
        async with self._request():
            try:
                return _to_row(table, await self._client(table).get_entity(partition, key))
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
        """See `Tables`."""
        to_row = partial(_to_key, table, partition) if keys_only else partial(_to_row, table)
        entities = self._client(table).query_entities(
            "PartitionKey eq @partition and RowKey ge @start and RowKey lt @end",
            parameters={"partition": partition, "start": start, "end": end},
            results_per_page=min(limit, _LARGEST_PAGE) if limit else None,
            raw_response_hook=self._note_time,
            **(_KEYS_ALONE if keys_only else {}),
        )
        rows: list[StoredRow] = []
        pages = entities.by_page()
        while limit is None or len(rows) < limit:
            async with self._request():
                page = await anext(pages, None)
                if page is None:
                    break
                rows.extend([to_row(entity) async for entity in page])
            if pages.continuation_token is None:  # type: ignore[attr-defined] # AsyncPageIterator's own
                break
        return rows[:limit]

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        """See `Tables`.

        After an error, the client sends a request again although storage may have stored it; the retry then fails on
        its own conditions. So one row has the id of the write, and after any error that row is read: with the same
        id, the write has succeeded. Comparing values is not enough, since two writers can write the same values.
        """
        marked = _with_write_id(operations)
        try:
            async with self._request():
                return await self._submit(table, partition, marked.operations)
        except ServiceError:  # whatever the error is, storage may have stored the write
            if marked.key is None or not await self._has_write_id(
                table, partition, marked.key, marked.write_id
            ):
                raise
            return (None,) * len(operations)

    async def _submit(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        """Send the operations; if a row to delete does not exist, send them again without that deletion."""
        remaining, etags = list(operations), dict[int, str | None]()
        while remaining:
            try:
                written = await self._send(table, partition, remaining)
            except HttpResponseError as error:
                remaining = _without_missing(remaining, error, partition)
            else:
                etags = {id(op): etag for op, etag in zip(remaining, written, strict=True)}
                break
        return tuple(etags.get(id(operation)) for operation in operations)

    async def _send(self, table: str, partition: str, operations: Sequence[Operation]) -> list[str | None]:
        """Send one request; a single operation as such, since a transaction is more to build and to parse."""
        client = self._client(table)
        if len(operations) == 1:
            return [await _send_single(client, partition, operations[0])]
        requests = [_to_request(partition, operation) for operation in operations]
        results = await client.submit_transaction(requests, retry_on_methods=_REPEATED)
        if len(results) != len(operations):
            raise StoreUnavailable(f"Table Storage answered {len(results)} of {len(operations)} operations.")
        return [result.get("etag") for result in results]

    async def _has_write_id(self, table: str, partition: str, key: str, write_id: str) -> bool:
        """Whether this write wrote the row."""
        async with self._request():
            try:
                found = await self._client(table).get_entity(partition, key, select=[_WRITE])
            except ResourceNotFoundError:
                return False
            return found.get(_WRITE) == write_id

    async def discard(self, table: str, partition: str, key: str) -> None:
        """See `Tables`."""
        await self.write(table, partition, [Discard(key)])

    async def scan_table(self, table: str) -> AsyncIterator[StoredRow]:
        """See `Tables`."""
        pages = self._client(table).list_entities().by_page()
        while True:
            async with self._request():
                page = await anext(pages, None)
                rows = [] if page is None else [_to_row(table, entity) async for entity in page]
            for row in rows:
                yield row
            if page is None or pages.continuation_token is None:  # type: ignore[attr-defined]
                return

    def _note_time(self, response: Any) -> None:
        self._answered = (time.time(), response.http_response.headers.get("Date", ""))

    def _client(self, table: str) -> TableClient:
        if table not in self._clients:
            self._clients[table] = self._service.get_table_client(table)
        return self._clients[table]

    @asynccontextmanager
    async def _request(self) -> AsyncIterator[None]:
        self.requests += 1
        async with guarded_request(self._seconds):
            yield


def _to_key(table: str, partition: str, entity: Mapping[str, Any]) -> StoredRow:
    return StoredRow(entity["RowKey"], _NOTHING, "", partition, table)


def _to_row(table: str, entity: Mapping[str, Any]) -> StoredRow:
    values: dict[str, Value] = {name: value for name, value in entity.items() if name not in _OWN}
    etag: str = entity.metadata["etag"]  # type: ignore[attr-defined] # of the library's own mapping
    return StoredRow(entity["RowKey"], values, etag, entity["PartitionKey"], table)


@dataclass(frozen=True, slots=True)
class _MarkedWrite:
    """A transaction whose row `key` has the id of this write; `key` is None if it only deletes rows."""

    operations: Sequence[Operation]
    key: str | None
    write_id: str


def _with_write_id(operations: Sequence[Operation]) -> _MarkedWrite:
    """Mark an inserted row, since others are least likely to change it soon; without one, a replaced row."""
    write_id = str(uuid4())
    rows = [op for kind in (Insert, Replace, Upsert) for op in operations if isinstance(op, kind)]
    if not rows:
        return _MarkedWrite(operations, None, write_id)
    first = rows[0]
    marked = replace(first, row=Row(first.row.key, {**first.row.values, _WRITE: write_id}))
    return _MarkedWrite([marked if op is first else op for op in operations], first.row.key, write_id)


def _without_missing(
    operations: Sequence[Operation], error: HttpResponseError, partition: str
) -> list[Operation]:
    """The transaction without the deletion of a row that does not exist.

    Raises `StoreConflict` if a condition failed, `RecordTooLarge`, or else the error itself. Storage names one failed
    operation; which one is not documented, and does not matter: sending the rest again fails on the others.
    """
    code, index = code_of(error), failed_operation_index(error)
    if index is not None and index < len(operations) and isinstance(operations[index], Discard):
        if code in MISSING_ROW:
            return [*operations[:index], *operations[index + 1 :]]
        if code == MISSING_TABLE and all(isinstance(each, Discard) for each in operations):
            return []
    if error.status_code == TOO_LARGE:
        raise RecordTooLarge(wire_size(partition, operations), MAX_TRANSACTION_BYTES) from error
    unclear = code in MISSING_ROW and index is None and any(isinstance(op, Discard) for op in operations)
    if code in CONFLICTS and not unclear:
        raise StoreConflict(f"{code} at operation {index}") from error
    raise error


async def _send_single(client: TableClient, partition: str, operation: Operation) -> str | None:
    """Send one operation; returns the ETag of the written row."""
    match operation:
        case Insert(row):
            written = await client.create_entity(
                _to_entity(partition, row), response_preference=_NO_CONTENT, retry_on_methods=_REPEATED
            )
        case Replace(row, etag):
            written = await client.update_entity(_to_entity(partition, row), **_unchanged(etag))
        case Upsert(row):
            written = await client.upsert_entity(_to_entity(partition, row), mode=UpdateMode.REPLACE)
        case Discard(key):
            await client.delete_entity(partition, key)
            return None
    return written.get("etag")


def _to_request(partition: str, operation: Operation) -> tuple[Any, ...]:
    match operation:
        case Insert(row):
            return ("create", _to_entity(partition, row))
        case Replace(row, etag):
            return ("update", _to_entity(partition, row), _unchanged(etag))
        case Upsert(row):
            return ("upsert", _to_entity(partition, row), {"mode": UpdateMode.REPLACE})
        case Discard(key):
            return ("delete", {"PartitionKey": partition, "RowKey": key})


def _unchanged(etag: str) -> dict[str, Any]:
    """The options of an update that replaces the row if it still has this ETag."""
    return {"mode": UpdateMode.REPLACE, "etag": etag, "match_condition": MatchConditions.IfNotModified}


def _to_entity(partition: str, row: Row) -> dict[str, Any]:
    return {"PartitionKey": partition, "RowKey": row.key, **row.values}
