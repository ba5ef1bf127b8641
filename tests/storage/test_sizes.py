"""What a transaction takes on the wire is foretold from what the client library really writes."""

from typing import Any

import pytest
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.data.tables.aio import TableServiceClient

from shared.errors import StoreUnavailable
from shared.storage.azure_tables import AzureTables
from shared.storage.sizes import wire_size
from shared.storage.tables import Discard, Insert, Operation, Replace, Row, Upsert

ACCOUNT = "DefaultEndpointsProtocol=http;AccountName=x;AccountKey=eA==;TableEndpoint=http://127.0.0.1:9/x;"
TEXTS = ["x" * 15_000, "서" * 15_000, "é" * 9000, "🙂" * 7000, '{"a":"\\\\\\""}' * 1000, "\x7f\n\t" * 3000]
ETAG = "W/\"datetime'2026-11-21T10%3A00%3A00.0000000Z'\""


class Scales(AsyncHttpTransport[Any, Any]):
    """Weighs what is sent, and loses it."""

    weight = 0

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def __aexit__(self, *_: object) -> None:
        """Nothing to close."""

    async def send(self, request: Any, **_: Any) -> Any:
        self.weight = len(request.body)
        raise StoreUnavailable("lost")


async def weighed(partition: str, operations: list[Operation]) -> int:
    scales = Scales()
    tables = AzureTables(TableServiceClient.from_connection_string(ACCOUNT, transport=scales))
    with pytest.raises(StoreUnavailable):
        await tables.write("referrals", partition, operations)
    return scales.weight


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:5]))
async def test_large_rows_weigh_what_was_foretold(text: str) -> None:
    values = {"json0": text, "json1": text}
    operations: list[Operation] = [Upsert(Row(f"m:{number}", values)) for number in range(9)]
    weight = await weighed("contoso", operations)
    assert weight <= wire_size("contoso", operations) <= weight * 1.05


@pytest.mark.parametrize("key", ["k", "서" * 150, "a b'c" * 60, "🙂" * 100], ids=lambda key: ascii(key[:3]))
async def test_many_small_rows_weigh_no_more_than_was_foretold(key: str) -> None:
    kinds: list[Operation] = [
        Insert(Row(f"{key}1", {"n": 7, "f": True})),
        Replace(Row(f"{key}2", {}), ETAG),
        Upsert(Row(f"{key}3", {})),
        Discard(f"{key}4"),
    ]
    for operations in ([each] for each in kinds):
        assert await weighed(key, operations) <= wire_size(key, operations)
    assert await weighed(key, kinds) <= wire_size(key, kinds)
