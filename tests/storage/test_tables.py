"""The contract of the port to Table Storage."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import RecordTooLarge, StoreConflict, StoreUnavailable
from shared.storage import keys
from shared.storage.azure_tables import AzureTables
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import (
    MAX_KEY_LENGTH,
    Discard,
    Insert,
    Operation,
    Replace,
    Row,
    StoredRow,
    Tables,
    Upsert,
    in_transactions,
)

T = "referrals"


def row(key: str, text: str = "x") -> Row:
    return Row(key, {"text": text, "number": 7, "flag": True})


async def keys_in(tables: Tables, partition: str) -> list[str]:
    return [each.key for each in await tables.between(T, partition, "", "~")]


async def test_what_was_written_is_read_with_a_tag(tables: Tables, partition: str) -> None:
    await tables.write(T, partition, [Insert(row("a", "서울 “quote” 🙂"))])
    found = await tables.get(T, partition, "a")
    assert found
    assert (found.key, found.partition, found.values["text"]) == ("a", partition, "서울 “quote” 🙂")
    assert (found.values["number"], found.values["flag"]) == (7, True)
    assert await tables.get(T, partition, "b") is None


LONGEST = "k" * MAX_KEY_LENGTH
FORBIDDEN = {
    **{ascii(each): f"a{each}b" for each in "\\#?\x00\n\x1f\x7f\x85\x9f"},
    "too long": f"{LONGEST}k",
    "accents": "é" * 513,
    "emoji": "🙂" * 257,
}
ALLOWED = {
    "the longest": LONGEST,
    "accents": "é" * 512,
    "emoji": "🙂" * 256,
    "a quote": "a'b",
    "signs": "a%b+c d",
    "our own": ".~_-",
}


@pytest.mark.parametrize("name", FORBIDDEN)
async def test_a_key_that_storage_does_not_allow_is_refused_and_nothing_is_stored(
    tables: Tables, partition: str, name: str
) -> None:
    key = FORBIDDEN[name]
    for operations in ([Insert(row(key))], [Insert(row("a")), Insert(row(key))], [Upsert(row(key))]):
        with pytest.raises(StoreUnavailable):
            await tables.write(T, partition, operations)
    with pytest.raises(StoreUnavailable):
        await tables.write(T, key, [Insert(row("a"))])
    assert await keys_in(tables, partition) == []


async def test_a_slash_in_a_key_is_refused() -> None:
    """On the twin only: Azurite answers 500 to it, and the client tries that several times."""
    tables = MemoryTables()
    with pytest.raises(StoreUnavailable):
        await tables.write(T, "partition", [Insert(row("a/b"))])
    for key in ("a/b", "a#b", f"{LONGEST}k"):
        with pytest.raises(StoreUnavailable):
            await tables.get(T, "partition", key)
        with pytest.raises(StoreUnavailable):
            await tables.between(T, key, "a", "b")
        with pytest.raises(StoreUnavailable):
            await tables.discard(T, key, "a")


@pytest.mark.parametrize("name", ALLOWED)
async def test_the_longest_and_the_strangest_keys_that_storage_allows_are_stored(
    tables: Tables, partition: str, name: str
) -> None:
    key = ALLOWED[name]
    await tables.write(T, partition, [Insert(row(key))])
    assert await tables.get(T, partition, key)
    await tables.discard(T, partition, key)
    assert await tables.get(T, partition, key) is None


async def test_what_comes_after_the_longest_key_is_asked_for_with_a_key_that_is_no_longer(
    tables: Tables, partition: str
) -> None:
    await tables.write(
        T, partition, [Insert(row(each)) for each in (LONGEST[:-1], LONGEST, LONGEST[:-1] + "l")]
    )
    found = await tables.between(T, partition, keys.after(LONGEST), "l")
    assert len(keys.after(LONGEST)) == MAX_KEY_LENGTH
    assert [each.key for each in found] == [LONGEST[:-1] + "l"]


async def test_a_row_is_inserted_once(tables: Tables, partition: str) -> None:
    await tables.write(T, partition, [Insert(row("a"))])
    with pytest.raises(StoreConflict):
        await tables.write(T, partition, [Insert(row("a", "y"))])


async def test_a_row_is_replaced_only_as_it_was_read(tables: Tables, partition: str) -> None:
    await tables.write(T, partition, [Insert(row("a"))])
    read = await tables.get(T, partition, "a")
    assert read
    await tables.write(T, partition, [Replace(row("a", "y"), read.etag)])
    with pytest.raises(StoreConflict):
        await tables.write(T, partition, [Replace(row("a", "z"), read.etag)])
    with pytest.raises(StoreConflict):
        await tables.write(T, partition, [Replace(row("nowhere"), read.etag)])
    found = await tables.get(T, partition, "a")
    assert found
    assert found.values["text"] == "y"


async def test_a_transaction_is_stored_whole_or_not_at_all(tables: Tables, partition: str) -> None:
    await tables.write(T, partition, [Insert(row("a")), Insert(row("b"))])
    with pytest.raises(StoreConflict):
        await tables.write(T, partition, [Insert(row("c")), Discard("a"), Upsert(row("d")), Insert(row("b"))])
    assert await keys_in(tables, partition) == ["a", "b"]
    await tables.write(T, partition, [Discard("a"), Upsert(row("b", "new")), Insert(row("c"))])
    assert await keys_in(tables, partition) == ["b", "c"]


async def test_a_transaction_removes_what_is_there_and_does_not_mind_what_is_not(
    tables: Tables, partition: str
) -> None:
    await tables.write(T, partition, [Insert(row("a")), Insert(row("b"))])
    await tables.write(
        T, partition, [Discard("w"), Insert(row("c")), Discard("x"), Discard("a"), Discard("y")]
    )
    assert await keys_in(tables, partition) == ["b", "c"]
    await tables.write(T, partition, [Discard("x"), Discard("y")])
    assert await keys_in(tables, partition) == ["b", "c"]


async def test_a_condition_counts_beside_rows_to_remove_that_are_not_there(
    tables: Tables, partition: str
) -> None:
    await tables.write(T, partition, [Insert(row("a")), Insert(row("b"))])
    read = await tables.get(T, partition, "a")
    assert read
    await tables.write(T, partition, [Upsert(row("a", "newer"))])
    refused: list[list[Operation]] = [
        [Discard("x"), Replace(row("a", "y"), read.etag), Discard("b")],
        [Replace(row("a", "y"), read.etag), Discard("b"), Discard("x")],
        [Discard("x"), Discard("b"), Insert(row("a"))],
        [Discard("x"), Replace(row("nowhere"), read.etag), Discard("b")],
    ]
    for operations in refused:
        with pytest.raises(StoreConflict):
            await tables.write(T, partition, operations)
    assert await keys_in(tables, partition) == ["a", "b"]


async def test_in_a_table_that_is_not_there_nothing_can_be_removed_and_nothing_written(
    tables: Tables, partition: str
) -> None:
    await tables.write("nothere", partition, [Discard("a"), Discard("b")])
    await tables.discard("nothere", partition, "a")
    if isinstance(tables, AzureTables):  # in memory a table is there when it has rows
        with pytest.raises(StoreUnavailable):
            await tables.write("nothere", partition, [Discard("a"), Insert(row("b"))])


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_a_transaction_that_is_too_large_on_the_wire_is_refused_whole(
    tables: Tables, partition: str
) -> None:
    """서 takes six bytes there, of three in UTF-8."""
    rows = [Row(f"{index:02d}", {"text": "서" * 15_000}) for index in range(50)]
    with pytest.raises(RecordTooLarge):
        await tables.write(T, partition, [Insert(each) for each in rows])
    assert await keys_in(tables, partition) == []
    await tables.write(T, partition, [Insert(each) for each in rows[:40]])
    assert len(await keys_in(tables, partition)) == 40


async def test_a_hundred_rows_fit_into_one_transaction(tables: Tables, partition: str) -> None:
    await tables.write(T, partition, [Insert(row(f"{index:03d}")) for index in range(100)])
    assert len(await keys_in(tables, partition)) == 100


async def test_more_rows_than_a_transaction_holds_are_written_in_several(
    tables: Tables, partition: str
) -> None:
    for operations in in_transactions(Upsert(row(f"{index:03d}")) for index in range(201)):
        await tables.write(T, partition, operations)
    assert len(await keys_in(tables, partition)) == 201
    assert list(in_transactions([])) == []


async def test_a_key_of_two_bounded_parts_is_stored_and_found(tables: Tables, partition: str) -> None:
    key = "  ".join(keys.bounded(text * 255) for text in ("한", "🙂"))
    await tables.write(T, keys.bounded(partition * 9), [Upsert(row(key))])
    start, end = keys.starting_with(keys.head("한" * 255))
    (found,) = await tables.between(T, keys.bounded(partition * 9), start, end)
    assert found.key == key


async def test_ranges_are_in_order_half_open_and_limited(tables: Tables, partition: str) -> None:
    await tables.write(T, partition, [Insert(row(key)) for key in ("c", "a", "b", "d")])
    found = await tables.between(T, partition, "a", "d")
    assert [each.key for each in found] == ["a", "b", "c"]
    assert [each.key for each in await tables.between(T, partition, "b", "~", 2)] == ["b", "c"]
    assert await tables.between(T, f"{partition}-other", "", "~") == []


async def test_a_range_of_keys_has_neither_properties_nor_etags(tables: Tables, partition: str) -> None:
    names = ["a/é", "b", "c"]
    await tables.write(T, partition, [Insert(row(keys.safe(name))) for name in names])
    found = await tables.between(T, partition, "", "~", keys_only=True)
    assert found == [StoredRow(key, {}, "", partition, T) for key in sorted(map(keys.safe, names))]
    assert len(await tables.between(T, partition, "", "~", 2, keys_only=True)) == 2


async def test_discarding_what_is_not_there_is_no_fault(tables: Tables, partition: str) -> None:
    await tables.write(T, partition, [Insert(row("a")), Insert(row("b"))])
    assert await keys_in(tables, partition) == ["a", "b"]
    for _ in range(2):
        await tables.discard(T, partition, "a")
        assert await keys_in(tables, partition) == ["b"]


async def test_everything_crosses_partitions(tables: Tables, partition: str) -> None:
    for index in range(3):
        await tables.write("intents", f"{partition}{index}", [Insert(row("a"))])
    found = {each.partition async for each in tables.scan_table("intents")}
    assert {f"{partition}{index}" for index in range(3)} <= found


async def test_of_many_who_replace_the_same_row_one_wins(tables: Tables, partition: str) -> None:
    await tables.write(T, partition, [Insert(row("a"))])
    read = await tables.get(T, partition, "a")
    assert read
    attempts = [tables.write(T, partition, [Replace(row("a", str(i)), read.etag)]) for i in range(8)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == [*["StoreConflict"] * 7, "tuple"]


async def test_a_write_returns_the_new_etag_of_each_row_in_order(tables: Tables, partition: str) -> None:
    await tables.write(T, partition, [Insert(row("gone"))])
    alone = await tables.write(T, partition, [Insert(row("a"))])
    read = await tables.get(T, partition, "a")
    assert read
    assert alone == (read.etag,)
    operations = [Insert(row("b")), Discard("missing"), Replace(row("a", "y"), read.etag), Discard("gone")]
    written = await tables.write(T, partition, [*operations, Upsert(row("c"))])
    of_b, _, of_a, of_gone, _ = written
    for key, etag in (("a", of_a), ("b", of_b)):
        stored = await tables.get(T, partition, key)
        assert stored
        assert stored.etag == etag
    assert of_gone is None


@pytest.mark.parametrize(
    "operation", [Replace(row("a", "y"), ""), Upsert(row("a", "y"))], ids=["replace", "upsert"]
)
async def test_a_single_write_returns_an_etag_that_the_next_replacement_can_use(
    tables: Tables, partition: str, operation: Replace | Upsert
) -> None:
    (inserted,) = await tables.write(T, partition, [Insert(row("a"))])
    assert inserted
    first = replace(operation, etag=inserted) if isinstance(operation, Replace) else operation
    (written,) = await tables.write(T, partition, [first])
    assert written
    assert written != inserted
    await tables.write(T, partition, [Replace(row("a", "z"), written)])
    with pytest.raises(StoreConflict):
        await tables.write(T, partition, [Replace(row("a", "z"), written)])
    assert await tables.write(T, partition, [Discard("a")]) == (None,)


async def test_storage_that_does_not_answer_is_told_apart_from_a_conflict() -> None:
    from azure.core.credentials import AzureNamedKeyCredential
    from azure.data.tables.aio import TableServiceClient

    nowhere = TableServiceClient(
        "http://127.0.0.1:9/x",
        credential=AzureNamedKeyCredential("x", "eA=="),
        retry_total=0,
        connection_timeout=1,
    )
    tables = AzureTables(nowhere)
    with pytest.raises(StoreUnavailable):
        await tables.get(T, "p", "k")
    with pytest.raises(StoreUnavailable):
        await tables.write(T, "p", [Insert(row("a"))])
    await tables.close()


async def test_the_clock_of_this_host_is_compared_with_that_of_storage(
    tables: Tables, partition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both clocks are that of this machine; storage tells whole seconds."""
    assert tables.clock_ahead() == timedelta()
    await tables.between(T, partition, "a", "b")
    assert tables.clock_ahead() == timedelta()
    if isinstance(tables, AzureTables):
        monkeypatch.setattr(
            "shared.storage.azure_tables.time.time", lambda: datetime.now(UTC).timestamp() + 60
        )
        await tables.between(T, partition, "a", "b")
        assert timedelta(seconds=55) < tables.clock_ahead() <= timedelta(seconds=60)
