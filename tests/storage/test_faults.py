"""What storage answers, and does not answer: each is an error of the contract, and what was taken counts (L4)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.errors import RecordTooLarge, StoreConflict, StoreUnavailable
from shared.storage import keys
from shared.storage.azure_tables import AzureTables
from shared.storage.tables import Discard, Insert, Operation, Replace, Row, Upsert
from tests.doubles.storage_proxy import Fault, StorageProxy, storage_proxy

T = "referrals"
JSON, BATCH = "application/json", "multipart/mixed; boundary=b"
PART = b"--b\r\nContent-Type: %s\r\n\r\n%s\r\n--b--\r\n"
ODD_BODIES = [
    *(
        (body, JSON)
        for body in (b"", b"{}", b"[]", b"null", b"7", b'"x"', b"{", b"\xff\xfe\x00", b"[" * 50_000)
    ),
    *(
        (body, JSON)
        for body in (b'{"odata.error": 7}', b'{"odata.error": {"message": "x"}}', b'{"value": 7}')
    ),
    *(
        (body, JSON)
        for body in (b'{"odata.error": {"code": {}, "message": {"value": 1}}}', b'{"value": [7]}')
    ),
    *((b"<html>", text) for text in ("text/html", "application/xml", "", "x", "text/html; charset=x")),
    (b"x", BATCH),
    (b"", "multipart/mixed"),
    (b"--b--\r\n", BATCH),
    (PART % (b"text/plain", b"x"), BATCH),
    (PART % (b"application/http", b""), BATCH),
    (PART % (b"application/http", b"HTTP/1.1 x\r\n\r\n"), BATCH),
    (PART % (b"application/http", b"HTTP/1.1 409 Conflict\r\n\r\n"), BATCH),
    (PART % (b"application/http", b"HTTP/1.1 404 Not Found\r\n\r\n"), BATCH),
    (PART % (b"application/http", b"HTTP/1.1 412 No\r\nContent-Type: application/json\r\n\r\n\xff"), BATCH),
    (PART % (b"multipart/mixed; boundary=c", b"x"), BATCH),
]
STATUSES = (
    201,
    204,
    304,
    307,
    400,
    401,
    403,
    404,
    405,
    408,
    409,
    411,
    412,
    413,
    415,
    429,
    500,
    501,
    502,
    503,
    504,
)
AFTER = [
    *(Fault(status=status, body=b"") for status in (408, 429, 500, 502, 503, 504)),
    Fault(drop=True),
    Fault(cut=True),
    Fault(body=b"\xff", content_type=JSON),
    Fault(status=202, body=b"--b--\r\n", content_type=BATCH),
    Fault(status=503, body=b"<html>busy</html>", content_type="text/html"),
]


@pytest.fixture
async def faulty(connection_string: str) -> AsyncIterator[tuple[StorageProxy, AzureTables]]:
    async with storage_proxy(connection_string) as (proxy, tables):
        await tables.create_tables(keys.TABLES)
        yield proxy, tables


def row(key: str, text: str = "x") -> Row:
    return Row(key, {"text": text})


async def texts(tables: AzureTables, partition: str) -> dict[str, object]:
    return {each.key: each.values["text"] for each in await tables.between(T, partition, "", "~")}


@pytest.mark.parametrize("fault", AFTER, ids=str)
async def test_what_storage_took_and_did_not_confirm_is_success(
    faulty: tuple[StorageProxy, AzureTables], partition: str, fault: Fault
) -> None:
    proxy, tables = faulty
    partition = f"{partition[:40]}{AFTER.index(fault)}"
    await tables.write(T, partition, [Insert(row("a")), Insert(row("gone")), Insert(row("also-gone"))])
    read = await tables.get(T, partition, "a")
    assert read
    writes: list[tuple[list[Operation], int]] = [
        ([Insert(row("new"))], 0),
        (
            [Discard("gone"), Replace(row("a", "y"), read.etag), Discard("never")],
            1,
        ),  # after "never" is left out
        ([Discard("also-gone"), Upsert(row("b"))], 0),
    ]
    for operations, after in writes:
        proxy.strike(fault, after=after)
        await tables.write(T, partition, operations)
    assert await texts(tables, partition) == {"a": "y", "b": "x", "new": "x"}


@pytest.mark.parametrize("status", [None, 408, 429, 500, 502, 503, 504])
async def test_what_storage_did_not_take_for_a_passing_reason_is_sent_again(
    faulty: tuple[StorageProxy, AzureTables], partition: str, status: int | None
) -> None:
    """A connection that was left idle is often closed just when it is used again."""
    proxy, tables = faulty
    partition = keys.bounded(partition)[:100]
    fault = Fault(passed_on=False, status=status, drop=status is None, body=b"")
    for operation in (Insert(row("a")), Upsert(row("b")), Discard("a")):
        proxy.strike(fault, times=2)
        await tables.write(T, partition, [operation])
    assert list(await texts(tables, partition)) == ["b"]


@pytest.mark.parametrize("fault", AFTER, ids=str)
async def test_what_somebody_else_wrote_is_a_conflict_even_if_it_is_the_same(
    faulty: tuple[StorageProxy, AzureTables], partition: str, fault: Fault
) -> None:
    """Of two who write the same at the same time one alone has written it, and may act on it."""
    proxy, tables = faulty
    partition = f"{partition[:40]}{AFTER.index(fault)}"
    await tables.write(T, partition, [Insert(row("a"))])
    read = await tables.get(T, partition, "a")
    assert read
    await tables.write(T, partition, [Replace(row("a", "y"), read.etag)])
    for refused in (Insert(row("a", "y")), Replace(row("a", "y"), read.etag)):
        proxy.strike(fault)
        with pytest.raises((StoreConflict, StoreUnavailable)) as told:
            await tables.write(T, partition, [refused])
        if fault.status == 503:
            assert isinstance(told.value, StoreConflict)


@pytest.mark.parametrize("passed_on", [True, False])
@pytest.mark.parametrize("status", STATUSES)
async def test_every_status_is_an_error_of_the_port(
    faulty: tuple[StorageProxy, AzureTables], partition: str, status: int, passed_on: bool
) -> None:
    await _asked_of_everything(faulty, partition, Fault(status=status, body=b"", passed_on=passed_on))


@pytest.mark.parametrize("status", [200, 202, 404, 409, 412, 500])
@pytest.mark.parametrize(("body", "content_type"), ODD_BODIES)
async def test_every_odd_body_is_an_error_of_the_port(
    faulty: tuple[StorageProxy, AzureTables], partition: str, status: int, body: bytes, content_type: str
) -> None:
    fault = Fault(status=status, body=body, content_type=content_type, passed_on=False)
    await _asked_of_everything(faulty, partition, fault)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(drop=True),
        Fault(drop=True, passed_on=False),
        Fault(cut=True),
        Fault(headers={"Content-Encoding": "gzip"}),
        Fault(status=302, headers={"Location": "/elsewhere"}, body=b""),
        Fault(headers={"x-ms-continuation-NextPartitionKey": "\u00e9"}),
    ],
    ids=str,
)
async def test_every_broken_connection_is_an_error_of_the_port(
    faulty: tuple[StorageProxy, AzureTables], partition: str, fault: Fault
) -> None:
    await _asked_of_everything(faulty, partition, fault)


async def _asked_of_everything(
    faulty: tuple[StorageProxy, AzureTables], partition: str, fault: Fault
) -> None:
    """Each request of the port, with the fault at each of its requests to storage."""
    proxy, tables = faulty
    partition = keys.bounded(partition)[:100]

    async def everything() -> list[object]:
        return [each async for each in tables.scan_table("claims")]

    async def anything() -> None:
        for ask in (
            lambda: tables.get(T, partition, "a"),
            lambda: tables.between(T, partition, "", "~", 2),
            lambda: tables.between(T, partition, "", "~", keys_only=True),
            everything,
            lambda: tables.write(T, partition, [Insert(row("a"))]),
            lambda: tables.write(T, partition, [Upsert(row("b")), Discard("c")]),
            lambda: tables.discard(T, partition, "a"),
            lambda: tables.create_tables(["claims"]),
        ):
            try:
                await ask()
            except (StoreUnavailable, StoreConflict, RecordTooLarge):
                continue

    for times in (1, 99):
        proxy.strike(fault, times=times)
        await anything()
    proxy.heal()
    await tables.discard(T, partition, "a")
    await tables.write(T, partition, [Insert(row("a"))])


async def test_storage_that_asks_for_an_hours_patience_is_unavailable_in_time(
    faulty: tuple[StorageProxy, AzureTables], partition: str
) -> None:
    proxy, tables = faulty
    tables._seconds = 0.2
    proxy.strike(Fault(status=503, body=b"", headers={"Retry-After": "3600"}, passed_on=False), times=99)
    async with asyncio.timeout(10):
        with pytest.raises(StoreUnavailable):
            await tables.get(T, partition, "a")
        with pytest.raises(StoreUnavailable):
            await tables.write(T, partition, [Insert(row("a"))])
