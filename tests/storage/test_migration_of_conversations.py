"""Data that version 2 wrote: its conversations go on after the migration, whatever ends it."""

import copy
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure.data.tables.aio import TableServiceClient

from api.http.response import Response
from api.referrals.messages import list_messages, post_message
from localcloud import azurite
from shared.admin.migrate import migrate_data
from shared.errors import DataOfAnotherVersion
from shared.storage.azure_tables import AzureTables
from shared.storage.memory_tables import MemoryTables
from shared.storage.migrations import migrate
from shared.storage.schema import prepare_storage, version_of_data
from shared.storage.tables import Insert, Operation, Row, Tables
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.service import NO_LIMITS, SETTINGS, ask, service_on
from tests.examples.stored_data import Sample, data_of_version_2


@pytest.fixture
def sample() -> Sample:
    return data_of_version_2()


@pytest.fixture
async def memory(sample: Sample) -> MemoryTables:
    tables = MemoryTables()
    await sample.load(tables)
    return tables


@pytest.fixture(params=["memory", "azurite"])
async def version_2(
    request: pytest.FixtureRequest, sample: Sample, memory: MemoryTables, tmp_path: Path
) -> AsyncIterator[Tables]:
    """The sample in storage of its own."""
    if request.param == "memory":
        yield memory
        return
    with azurite.running(tmp_path) as running:
        stored = AzureTables(TableServiceClient.from_connection_string(running.connection_string))
        await sample.load(stored)
        try:
            yield stored
        finally:
            await stored.close()


async def migrated(tables: Tables, sample: Sample) -> list[str]:
    """Migrate; returns what was reported."""
    said: list[str] = []
    await migrate_data(tables, sample.now, said.append, stopped=True)
    return said


async def step(tables: Tables) -> list[str]:
    """Migrate to version 3; returns what was reported."""
    said: list[str] = []
    await migrate(tables, 2, said.append, until=3)
    return said


async def content(tables: Tables) -> list[tuple[str, str, str, dict[str, Any]]]:
    """All rows but the version, which a repeated migration writes again."""
    names = ("directory", "engagements", "intents", "mail", "referrals")
    return sorted(
        [
            (name, row.partition, row.key, dict(row.values))
            for name in names
            async for row in tables.scan_table(name)
        ],
        key=lambda row: row[:3],
    )


def conversation(sample: Sample) -> dict[str, str]:
    """The route to the long conversation."""
    deals = {place[1]: rows for place, rows in sample.rows.items() if place[0] == "engagements"}
    return {"engagementId": max(deals, key=lambda each: len(deals[each]))}


async def test_messages_keep_what_they_say_and_nothing_else_changes(
    version_2: Tables, sample: Sample
) -> None:
    before = await content(version_2)
    (said,) = await step(version_2)
    assert said.startswith("Version 2 to 3: 71 messages of 2 deals have new keys.")
    after = await content(version_2)
    old = [row for row in before if row[0] == "engagements" and row[2].startswith("m:")]
    new = [row for row in after if row[0] == "engagements" and row[2][:2] in {"n:", "a:"}]
    assert [row for row in after if row not in new] == [row for row in before if row not in old]
    assert sorted(json.dumps(row[3]) for row in new if row[2].startswith("n:")) == sorted(
        json.dumps(row[3]) for row in old
    )
    assert len([row for row in new if row[2].startswith("a:")]) == 71


async def test_a_conversation_goes_on_after_the_migration(version_2: Tables, sample: Sample) -> None:
    with pytest.raises(DataOfAnotherVersion):
        await prepare_storage(version_2)
    await migrated(version_2, sample)
    await prepare_storage(version_2)
    there = conversation(sample)
    service = service_on(version_2, MemoryMailService(), lambda: sample.now)

    async def asked(who: str, handler: Any, body: object = None, **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await ask(service, who, handler, body, now=sample.now, route=there, headers=named)

    page = (await asked("nia", list_messages)).body
    assert [(each["sequence"], each["text"]) for each in page["value"]] == [
        (number, f"Message {number}") for number in range(70, 0, -1)
    ]
    again = await asked("rae", post_message, {"text": "Message 10"}, Idempotency_Key="key-10")
    assert (again.status, again.body["sequence"]) == (201, 10)
    new = await asked("rae", post_message, {"text": "And now"})
    assert (new.status, new.body["sequence"]) == (201, 71)


@pytest.mark.parametrize(("who", "hour", "in_all"), [("rae", 1, 47), ("nia", 1, 23)])
async def test_messages_of_before_count_for_their_parties(
    memory: MemoryTables, sample: Sample, who: str, hour: int, in_all: int
) -> None:
    """In the hour in which the recording ends, each party has written one."""
    await migrated(memory, sample)

    async def status(**limits: int) -> int:
        settings = replace(SETTINGS, limits=replace(NO_LIMITS, **limits))
        service = service_on(memory, MemoryMailService(), lambda: sample.now, settings)
        answer = await ask(
            service, who, post_message, {"text": ""}, now=sample.now, route=conversation(sample)
        )
        return answer.status

    hourly = [await status(messages_per_hour=hour + more) for more in (0, 1)]
    assert hourly == [429, 422]
    assert [await status(messages_per_deal=in_all + more) for more in (0, 1)] == [409, 422]


class Died(BaseException):
    """The operator's machine went off."""


class Dying(MemoryTables):
    """Tables whose user dies at the request after so many more, before or after it takes effect."""

    left, after = -1, False

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        if self.left == 0 and not self.after:
            raise Died
        written = await super().write(table, partition, operations)
        if self.left == 0:
            raise Died
        self.left -= 1
        return written


@pytest.mark.parametrize("after", [False, True], ids=["before it is stored", "after"])
async def test_a_migration_that_ends_at_any_point_is_finished_by_the_next_one(
    memory: MemoryTables, sample: Sample, after: bool
) -> None:
    await step(memory)
    wanted = await content(memory)
    begun = Dying()
    await sample.load(begun)
    writes = 3 + 1 + 1
    """The messages of the long conversation, that of the other one, the version."""
    for ends in range(writes + 1):
        tables = copy.deepcopy(begun)
        tables.left, tables.after = ends, after
        if ends == writes:
            await step(tables)
            break
        with pytest.raises(Died):
            await step(tables)
        written = ends == writes - 1 and after
        assert await version_of_data(tables) == (3 if written else 2), "it is written last"
        tables.left = -1
        await step(tables)
        assert await content(tables) == wanted, f"after {ends} writes"


async def test_a_damaged_message_is_moved_as_it_is_and_counts_for_nobody(
    memory: MemoryTables, sample: Sample
) -> None:
    deal = conversation(sample)["engagementId"]
    broken = (
        '{"sequence',
        "[7]",
        '{"organization_id": "contoso"}',
        '{"organization_id": 7, "at": "2027-03-01"}',
    )
    for number, text in enumerate(broken, start=71):
        await memory.write("engagements", deal, [Insert(Row(f"m:{number:06d}", {"json0": text}))])
    await migrated(memory, sample)
    rows = await memory.between("engagements", deal, "n:", "n;", 4)
    assert [row.values["json0"] for row in reversed(rows)] == list(broken)
    assert len(await memory.between("engagements", deal, "a:", "a;")) == 70


async def test_a_restored_conversation_of_version_2_is_migrated_once_the_version_is_deleted(
    memory: MemoryTables, sample: Sample
) -> None:
    """As docs/operations.md says of tables that were restored from different days."""
    await migrated(memory, sample)
    wanted = await content(memory)
    deal = conversation(sample)["engagementId"]
    for row in sample.rows["engagements", deal]:
        if row.key.startswith("m:"):
            await memory.write("engagements", deal, [Insert(row)])
    await memory.discard("status", "schema", "version")
    await migrated(memory, sample)
    assert await content(memory) == wanted
