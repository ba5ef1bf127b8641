"""Data that version 1 wrote: it is migrated whatever ends the migration, and the service goes on with it."""

import copy
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from azure.data.tables.aio import TableServiceClient

from localcloud import azurite
from shared.admin.migrate import QUIET, NotNow, migrate_data
from shared.domain.ids import OrganizationId, ReferralId, leading_bits
from shared.domain.referral import ReferralKey
from shared.errors import DataOfAnotherVersion, StoreConflict
from shared.storage.azure_tables import AzureTables
from shared.storage.codec import values_of
from shared.storage.heartbeats import Heartbeats
from shared.storage.mail import MailRecord, MailRecords
from shared.storage.memory_tables import MemoryTables
from shared.storage.migrations import migrate
from shared.storage.schema import (
    CURRENT_VERSION,
    create_all_tables,
    prepare_storage,
    version_of_data,
    write_version,
)
from shared.storage.tables import Insert, Operation, Row, StoredRow, Tables, Upsert
from shared.workflow.mail_reports import DeliveryReport
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.service import service_on
from tests.examples.referrals import NOW
from tests.examples.stored_data import Sample, data_of_version_1
from tests.model.deaths import Fate
from tests.model.engine import Engine
from tests.model.schedule import Schedule

KIM, NIA, LEE, RAE = (
    "kim@fabrikam.com",
    "nia@northwindtraders.com",
    "lee@northwindtraders.com",
    "rae@contoso.com",
)


@pytest.fixture
def sample() -> Sample:
    return data_of_version_1()


@pytest.fixture
async def memory(sample: Sample) -> MemoryTables:
    tables = MemoryTables()
    await sample.load(tables)
    return tables


@pytest.fixture(params=["memory", "azurite"])
async def version_1(
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
    await migrate_data(tables, sample.now, said.append)
    return said


async def step(tables: Tables) -> list[str]:
    """Migrate to version 2; returns what was reported."""
    said: list[str] = []
    await create_all_tables(tables)
    await migrate(tables, 1, said.append, until=2)
    return said


async def mail_rows(tables: Tables) -> list[StoredRow]:
    rows = [row async for row in tables.scan_table("mail")]
    return sorted(rows, key=lambda row: (row.partition, row.key))


async def records_in(tables: Tables) -> dict[str, MailRecord]:
    """All mail records by operation."""
    records = MailRecords(tables)
    referrals = [r async for r in tables.scan_table("referrals") if r.key.startswith("d:")]
    found = [
        stored.value
        for row in referrals
        for stored in await records.list_for_referral(ReferralId(row.key.removeprefix("d:")))
    ]
    return {record.operation_id: record for record in found}


def content(rows: Sequence[StoredRow]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(row.partition, row.key, dict(row.values)) for row in rows]


async def test_all_mails_keep_their_operations_and_states_and_nothing_else_changes(
    version_1: Tables, sample: Sample
) -> None:
    before = {row.key: row for row in await mail_rows(version_1) if re.match(r"\w{8}-", row.partition)}
    others = [row for row in await mail_rows(version_1) if row.key not in before]
    (said,) = await step(version_1)
    assert said.startswith("Version 1 to 2: 11 mails of 4 referrals")
    after = await mail_rows(version_1)
    assert content([row for row in after if row.partition == "gate" or ":" in row.partition]) == content(
        others
    )
    mails = [row for row in after if row.partition != "gate" and ":" not in row.partition]
    assert [row.partition for row in mails] == [leading_bits(row.key[:36]) for row in mails]
    keys = [row.key[37:] for row in mails]
    assert sum(key.startswith("000001:invitee:own:00") for key in keys) == 4 + 2, "with the parts of one"
    assert "000001:invitee:own:01" in keys, "the invitation's second language"
    assert "reminder-first:answerers:own:01" in keys
    for row in mails:
        record = json.loads(str(row.values["json0"]))
        assert record["key"] == row.key[37:]
    stored = await records_in(version_1)
    assert len(stored) == 11
    assert Counter(record.state for record in stored.values()) == Counter(
        accepted=5, sending=3, split=1, refused=1, planned=1
    )


async def test_the_service_goes_on_with_migrated_data(version_1: Tables, sample: Sample) -> None:
    """Reports find their mails, no mail is sent twice, what waited is sent, and reminders and expiries come."""
    with pytest.raises(DataOfAnotherVersion):
        await prepare_storage(version_1)
    await migrated(version_1, sample)
    await prepare_storage(version_1)
    schedule = await going_on(version_1, sample)
    reports, mail = schedule.service.reports, schedule.mail
    stored = await records_in(version_1)
    for operation_id in sample.accepted:
        for recipient in stored[operation_id].recipients:
            status = "Bounced" if recipient == NIA else "Delivered"
            report = DeliveryReport(operation_id=operation_id, recipient=recipient, status=status)  # type: ignore[arg-type]
            assert await reports.take(report, schedule.now)

    await schedule.calm_down()

    assert not set(mail.attempts) & sample.accepted, "what the service had accepted is not sent again"
    new = Counter(
        (record.message, record.recipients) for each, record in mail.taken.items() if each in mail.attempts
    )
    assert max(new.values()) <= 2, "the reminders of one referral"
    assert new["invited", (KIM,)] == 1, "the invitation that waited for the mail service"
    assert new["reminder", ("min@northwindtraders.com",)] == 2, "the one that had failed, and the last one"
    assert new["reminder", (NIA,)] == 2, "apart from the one whose address is refused"
    assert not any(LEE in recipients for _, recipients in new)
    expired = [r.subject for r in mail.taken.values() if r.message == "expired"]
    assert sorted(re.findall("Northwind Traders|Fabrikam", " ".join(expired))) == [
        "Fabrikam",
        "Northwind Traders",
    ]
    assert {r.state for r in (await records_in(version_1)).values()} <= {
        *("accepted", "delivered", "bounced", "refused", "split")
    }
    northwind = await entries(schedule, "northwind")
    assert "expired" in northwind
    assert northwind.count("mailFailed") >= 2, "the refused address, and the one that was reported"
    assert [intent async for intent in schedule.service.intents.all()] == []


async def going_on(tables: Any, sample: Sample) -> Schedule:
    """The app that starts on migrated data: its engine has nothing yet, and the mail service is back."""
    schedule = Schedule(0, deadly=0.0, flaky=0.0, now=sample.now, wall_clock=sample.now)
    mail = MemoryMailService()
    mail.refuses = {LEE}
    stored = await records_in(tables)
    mail.taken = {each: stored[each] for each in sample.accepted}  # type: ignore[index]
    schedule.random = Random(0)
    schedule.fate = Fate(schedule.random, 0.0, 0.0)
    schedule.tables, schedule.mail = tables, mail  # type: ignore[assignment]
    schedule.service = schedule.calm = service_on(tables, mail, lambda: schedule.wall_clock)
    schedule.engine = schedule.handlers_engine = Engine(lambda: schedule.now, schedule.run_activity, None)
    return schedule


async def entries(schedule: Schedule, organization: str) -> list[str]:
    """The timeline of an organization's first referral."""
    referral_id = ReferralId(await schedule.referral_of(organization) or "")
    party = ReferralKey(organization_id=OrganizationId(organization), referral_id=referral_id)
    return [entry.kind for entry in await schedule.service.referrals.entries(party)]


async def test_a_message_that_version_1_planned_is_not_planned_again(
    memory: MemoryTables, sample: Sample
) -> None:
    """A task whose run ended before it said that it had planned its mails, with whoever takes mail by now."""
    await migrated(memory, sample)
    records = MailRecords(memory)
    planned = [record for record in (await records_in(memory)).values() if record.key.count(":") == 3]
    assert len(planned) == 9
    for record in planned:
        first = f"{record.key.rpartition(':')[0]}:00"
        with pytest.raises(StoreConflict):
            await records.insert(
                [MailRecord(**{**fields_of(record), "key": first, "recipients": ("new@x.example",)})]
            )


def fields_of(record: MailRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in MailRecord.__slots__}


class Dying(MemoryTables):
    """Tables whose user dies at the request after so many more, before or after it takes effect."""

    left, after = 0, False

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


class Died(BaseException):
    """The operator's machine went off."""


@pytest.mark.parametrize("after", [False, True], ids=["before it is stored", "after"])
async def test_a_migration_that_ends_at_any_point_is_finished_by_the_next_one(
    sample: Sample, memory: MemoryTables, after: bool
) -> None:
    await step(memory)
    wanted = content(await mail_rows(memory))
    begun = Dying()
    begun.left = -1
    await sample.load(begun)
    ends = 0
    while True:
        tables = copy.deepcopy(begun)
        tables.left, tables.after = ends, after
        try:
            await step(tables)
        except Died:
            if ends < 11 + 4:
                assert await version_of_data(tables) == 1, "the version is written last"
            tables.left = -1
            await step(tables)
            assert content(await mail_rows(tables)) == wanted, f"after {ends} writes"
            assert await version_of_data(tables) == 2
            ends += 1
            continue
        break
    assert ends == 11 + 4 + 1, (
        "each mail is copied, the rows of each referral are deleted, and the version is written"
    )


async def test_old_rows_that_are_left_change_no_copy() -> None:
    """More rows than one transaction deletes: the migration can end between two of them."""
    referral_id = ReferralId("01a1fd8c-6900-7e61-96c6-e9c92d99bf35")
    whole = Dying()
    whole.left = -1
    await write_version(whole, 1)
    for label in range(40):
        for group in ("de", "en", "ko"):
            key = f"{label:06d}:invitee:own:{group}"
            await whole.write(
                "mail", referral_id, [Insert(Row(key, {"json0": json.dumps({"key": key, "in": group})}))]
            )
    tables = copy.deepcopy(whole)
    await migrate_data(whole, NOW, print)
    tables.left = 120 + 1
    with pytest.raises(Died):
        await migrate_data(tables, NOW, print)
    assert len(await mail_rows(tables)) == 120 + 20
    tables.left = -1
    await migrate_data(tables, NOW, print)
    assert content(await mail_rows(tables)) == content(await mail_rows(whole))
    first = [row.values["json0"] for row in await mail_rows(tables)][:3]
    assert [(json.loads(str(text))["key"][-2:], json.loads(str(text))["in"]) for text in first] == [
        ("00", "de"),
        ("01", "en"),
        ("02", "ko"),
    ]


async def test_a_damaged_row_is_moved_as_it_is(memory: MemoryTables, sample: Sample) -> None:
    referral_id = "01a1fd8c-6900-7e61-96c6-e9c92d99bf35"
    for key, text in (("000009:invitee:own:en", '{"key'), ("000010:invitee:own:en", "[7]")):
        await memory.write("mail", referral_id, [Insert(Row(key, {"json0": text}))])
    await migrated(memory, sample)
    moved = {row.key[37:]: row.values for row in await mail_rows(memory)}
    assert moved["000009:invitee:own:00"] == {"json0": '{"key'}
    assert moved["000010:invitee:own:00"] == {"json0": "[7]"}


async def test_a_second_migration_does_nothing(memory: MemoryTables, sample: Sample) -> None:
    await migrated(memory, sample)
    before = content(await mail_rows(memory))
    (said,) = await migrated(memory, sample)
    assert "nothing to do" in said
    assert content(await mail_rows(memory)) == before


async def test_restored_mails_of_version_1_are_migrated_once_the_version_is_deleted(
    memory: MemoryTables, sample: Sample
) -> None:
    """As docs/operations.md says of tables that were restored from different days."""
    await migrated(memory, sample)
    wanted = content(await mail_rows(memory))
    await sample_mails(memory, sample)
    await memory.discard("status", "schema", "version")
    await migrated(memory, sample)
    assert content(await mail_rows(memory)) == wanted


async def sample_mails(tables: Tables, sample: Sample) -> None:
    for (table, partition), rows in sample.rows.items():
        if table == "mail" and re.match(r"\w{8}-", partition):
            await tables.write(table, partition, [Insert(row) for row in rows])


async def test_a_storage_without_data_is_not_migrated() -> None:
    with pytest.raises(NotNow, match="no data"):
        await migrate_data(MemoryTables(), data_of_version_1().now, print)


async def test_newer_data_is_not_migrated() -> None:
    tables = MemoryTables()
    await write_version(tables, CURRENT_VERSION + 1)
    with pytest.raises(DataOfAnotherVersion, match="Deploy the version"):
        await migrate_data(tables, data_of_version_1().now, print)


async def test_data_is_not_migrated_while_the_app_runs(memory: MemoryTables, sample: Sample) -> None:
    """The heartbeat is that of the version that runs, which had more properties."""
    before = content(await mail_rows(memory))
    at = (sample.now - timedelta(seconds=50)).isoformat()
    beat = {"at": at, "unmoved_since": at, "unmoved_at": None}
    await memory.write("status", "heartbeats", [Upsert(Row("sweep", values_of(json.dumps(beat))))])
    with pytest.raises(NotNow, match=r"running 50 seconds ago\. Stop it"):
        await migrated(memory, sample)
    assert content(await mail_rows(memory)) == before
    await migrate_data(memory, sample.now - timedelta(seconds=50) + QUIET, print)
    assert await version_of_data(memory) == CURRENT_VERSION


async def test_who_knows_that_the_app_is_stopped_does_not_wait(memory: MemoryTables, sample: Sample) -> None:
    await Heartbeats(memory).record_sweep(sample.now)
    await migrate_data(memory, sample.now, print, stopped=True)
    assert await version_of_data(memory) == CURRENT_VERSION
