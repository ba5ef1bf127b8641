"""Table Storage over azure-data-tables. What that raises is translated in `azure_errors`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
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
    answered,
    code_of,
    failed_operation_index,
)
from shared.storage.sizes import MAX_TRANSACTION_BYTES, wire_size
from shared.storage.tables import Discard, Insert, Operation, Replace, Row, StoredRow, Upsert, Value

_KEYS = {"PartitionKey", "RowKey"}
_LARGEST_PAGE = 1000  # what the service gives at most; it refuses to be asked for more
_WRITE = "write_id"
"""A property of the adapter's own, on one row of each transaction: which write the row is of."""
_OWN = {*_KEYS, _WRITE}
_REPEATED = frozenset({"POST"})
"""Transactions are repeated by the library like everything else: a repetition that meets its own first is known."""


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
                return _stored(table, await self._client(table).get_entity(partition, key))
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
                rows.extend([_stored(table, entity) async for entity in page])
            if pages.continuation_token is None:  # type: ignore[attr-defined] # AsyncPageIterator's own
                break
        return rows[:limit]

    async def write(self, table: str, partition: str, operations: Sequence[Operation]) -> None:
        """See the port.

        After an error the library sends a transaction again, though storage may have taken it, and then its own
        conditions refuse it. So one row carries the id of the write; after a refusal, and after an answer that says
        nothing, that row is looked at. Values would not do: two who write the same would both take it for theirs.
        """
        known = _recognizable(operations)
        try:
            async with self._request():
                await self._submit(table, partition, known.operations)
        except ServiceError:  # whichever it is, storage may have taken the write before
            if known.key is None or not await self._is_of(table, partition, known.key, known.write_id):
                raise

    async def _submit(self, table: str, partition: str, operations: Sequence[Operation]) -> None:
        """Send a transaction; once more without each row that it would remove and that is not there."""
        left = list(operations)
        while left:
            requests = [_request_of(partition, operation) for operation in left]
            try:
                answers = await self._client(table).submit_transaction(requests, retry_on_methods=_REPEATED)
            except HttpResponseError as refused:
                left = _without_missing(left, refused, partition)
            else:
                if len(answers) != len(left):
                    raise StoreUnavailable(
                        f"Table Storage answered {len(answers)} of {len(left)} operations."
                    )
                return

    async def _is_of(self, table: str, partition: str, key: str, write_id: str) -> bool:
        """Whether a row is of this write."""
        async with self._request():
            try:
                found = await self._client(table).get_entity(partition, key, select=[_WRITE])
            except ResourceNotFoundError:
                return False
            return found.get(_WRITE) == write_id

    async def discard(self, table: str, partition: str, key: str) -> None:
        """See the port."""
        await self.write(table, partition, [Discard(key)])

    async def everything(self, table: str) -> AsyncIterator[StoredRow]:
        """See the port."""
        pages = self._client(table).list_entities().by_page()
        while True:
            async with self._request():
                page = await anext(pages, None)
                rows = [] if page is None else [_stored(table, entity) async for entity in page]
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
        async with answered(self._seconds):
            yield


def _stored(table: str, entity: Mapping[str, Any]) -> StoredRow:
    values: dict[str, Value] = {name: value for name, value in entity.items() if name not in _OWN}
    etag: str = entity.metadata["etag"]  # type: ignore[attr-defined] # of the library's own mapping
    return StoredRow(entity["RowKey"], values, etag, entity["PartitionKey"], table)


@dataclass(frozen=True, slots=True)
class _Recognizable:
    """A transaction whose row `key` carries the id of this write; `key` is None if it only removes rows."""

    operations: Sequence[Operation]
    key: str | None
    write_id: str


def _recognizable(operations: Sequence[Operation]) -> _Recognizable:
    """Mark a new row, which others change least soon; without one, one that is written over."""
    write_id = str(uuid4())
    rows = [op for kind in (Insert, Replace, Upsert) for op in operations if isinstance(op, kind)]
    if not rows:
        return _Recognizable(operations, None, write_id)
    chosen = rows[0]
    marked = replace(chosen, row=Row(chosen.row.key, {**chosen.row.values, _WRITE: write_id}))
    return _Recognizable([marked if op is chosen else op for op in operations], chosen.row.key, write_id)


def _without_missing(
    operations: Sequence[Operation], refused: HttpResponseError, partition: str
) -> list[Operation]:
    """The transaction without the row that it would remove and that is not there.

    Raises `StoreConflict` if a condition was refused, `RecordTooLarge`, and the refusal itself if it is another.
    Storage names one operation, and it is not documented that this is the first that fails; it does not matter,
    since a transaction that is sent once more is refused for what else is wrong with it.
    """
    code, place = code_of(refused), failed_operation_index(refused)
    if place is not None and place < len(operations) and isinstance(operations[place], Discard):
        if code in MISSING_ROW:
            return [*operations[:place], *operations[place + 1 :]]
        if code == MISSING_TABLE and all(isinstance(each, Discard) for each in operations):
            return []
    if refused.status_code == TOO_LARGE:
        raise RecordTooLarge(wire_size(partition, operations), MAX_TRANSACTION_BYTES) from refused
    unclear = code in MISSING_ROW and place is None and any(isinstance(op, Discard) for op in operations)
    if code in CONFLICTS and not unclear:
        raise StoreConflict(f"refused with {code} at operation {place}") from refused
    raise refused


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
        case Discard(key):
            return ("delete", {"PartitionKey": partition, "RowKey": key})


def _entity(partition: str, row: Row) -> dict[str, Any]:
    return {"PartitionKey": partition, "RowKey": row.key, **row.values}
