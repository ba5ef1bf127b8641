"""What a run has read or written is not read twice, and an entry is appended once though its timeline is not read."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from shared.domain.change import Change, CommandContext
from shared.domain.ids import OperationId
from shared.domain.lifecycle import record_failed_mail
from shared.domain.referral import Referral
from shared.storage import keys
from shared.storage.known_referrals import KnownReferrals
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import StoredRow
from shared.wiring import Service
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.service import service_on
from tests.examples.referrals import NOW, begun, context, referral, step

RECORD = referral()
OPERATION = OperationId("00000000-0000-5000-8000-000000000001")


class Counting(MemoryTables):
    """Counts how often documents, entries and whole timelines are read."""

    def __init__(self) -> None:
        super().__init__()
        self.documents = self.entries = self.timelines = 0

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        self.documents += key.startswith("d:")
        self.entries += key.startswith("t:")
        return await super().get(table, partition, key)

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
        self.timelines += table == keys.REFERRALS and start.startswith("t:")
        return await super().between(table, partition, start, end, limit, keys_only=keys_only)


@pytest.fixture
def tables() -> Counting:
    return Counting()


@pytest.fixture
async def service(tables: Counting) -> Service:
    """The service, with the record."""
    service = service_on(tables, MemoryMailService())
    await service.referrals.commit(begun(RECORD), None)
    return service


def failed(record: Referral, now: CommandContext) -> Change:
    return record_failed_mail(record, "invited", "kim@fabrikam.com", "Bounced", now)


async def append(
    service: Service,
    known: KnownReferrals | None,
    since: int | None = None,
    operation_id: OperationId = OPERATION,
) -> None:
    await service.commits.append_entry_once(RECORD.key, operation_id, failed, NOW, known=known, since=since)


async def appended(service: Service) -> int:
    entries = await service.referrals.entries(RECORD.key)
    return [entry.kind for entry in entries].count("mailFailed")


async def edit(service: Service) -> None:
    """Somebody else changes the record."""
    stored = await service.referrals.get(RECORD.key)
    assert stored
    await service.referrals.commit(step(stored.value, "edited", context(operation="edit"), name="X"), stored)


async def test_the_timeline_of_a_record_that_was_read_before_the_work_is_not_read(
    service: Service, tables: Counting
) -> None:
    known = KnownReferrals(service.referrals)
    await known.read(RECORD.key)
    await append(service, known, known.moment)
    assert (tables.timelines, tables.documents) == (0, 1)
    assert await appended(service) == 1


async def test_the_timeline_of_a_record_that_is_read_with_the_work_is_read(
    service: Service, tables: Counting
) -> None:
    known = KnownReferrals(service.referrals)
    await append(service, known, known.moment)
    assert tables.timelines == 1
    assert await appended(service) == 1


async def test_whoever_knows_nothing_reads_the_timeline(service: Service, tables: Counting) -> None:
    """A delivery report comes again."""
    await append(service, None)
    assert tables.timelines == 1
    await append(service, None)
    assert await appended(service) == 1


async def begins_before(known: KnownReferrals) -> int:
    return known.moment


async def has_read_it(known: KnownReferrals) -> int:
    await known.read(RECORD.key)
    return known.moment


async def has_read_it_twice(known: KnownReferrals) -> int:
    """The second time, the entry may be there."""
    await known.read(RECORD.key)
    since = known.moment
    await known.read(RECORD.key)
    return since


async def has_written_it_without_knowing_the_etag(known: KnownReferrals) -> int:
    """So it is read again."""
    await known.read(RECORD.key)
    known.wrote(RECORD, None, ())
    return known.moment


@pytest.mark.parametrize(
    "before", [begins_before, has_read_it, has_read_it_twice, has_written_it_without_knowing_the_etag]
)
@pytest.mark.parametrize("at", ["before it is read", "after it is read"])
async def test_an_entry_that_another_run_has_appended_is_not_appended_again(
    service: Service, before: Callable[[KnownReferrals], Awaitable[int]], at: str
) -> None:
    """A run of an earlier process: the ETag tells those that know an older record."""
    known = KnownReferrals(service.referrals)
    if at == "after it is read":
        since = await before(known)
        await append(service, None)
    else:
        since = known.moment
        await append(service, None)
        await before(known)
    await append(service, known, since)
    assert await appended(service) == 1


async def test_a_record_that_only_this_run_has_changed_since_still_precedes_the_work(
    service: Service, tables: Counting
) -> None:
    known = KnownReferrals(service.referrals)
    await known.read(RECORD.key)
    since = known.moment
    await append(service, known, since)
    await append(service, known, since, OperationId("00000000-0000-5000-8000-000000000002"))
    assert (tables.timelines, tables.documents) == (0, 1)
    assert await appended(service) == 2


async def test_a_record_that_somebody_else_has_changed_does_not(service: Service, tables: Counting) -> None:
    known = KnownReferrals(service.referrals)
    await known.read(RECORD.key)
    since = known.moment
    await edit(service)
    await append(service, known, since)
    assert tables.timelines == 1
    assert await appended(service) == 1


async def test_a_record_that_the_step_itself_made_precedes_its_work(tables: Counting) -> None:
    service = service_on(tables, MemoryMailService())
    known = KnownReferrals(service.referrals)
    change = begun(RECORD)
    written = await service.referrals.commit(change, None)
    known.wrote(change.after, written.record, change.entries)
    assert known.was_read_by(RECORD.key, known.moment)
    await append(service, known, known.moment)
    assert (tables.timelines, tables.documents) == (0, 0)


async def test_a_record_that_the_work_itself_made_does_not_precede_it(service: Service) -> None:
    """Another run of the same work may have made it, and more."""
    known = KnownReferrals(service.referrals)
    since = known.moment
    stored = await service.referrals.get(RECORD.key)
    assert stored
    known.wrote(stored.value, stored.etag, ())
    assert not known.was_read_by(RECORD.key, since)


async def test_what_was_read_or_written_is_not_read_again(service: Service, tables: Counting) -> None:
    known = KnownReferrals(service.referrals)
    first = await known.get(RECORD.key)
    assert await known.get(RECORD.key) == first
    assert tables.documents == 1
    assert first
    changed = replace(first.value, name="Y")
    known.wrote(changed, "etag", begun(RECORD).entries)
    again = await known.get(RECORD.key)
    assert again
    assert (again.value, again.etag) == (changed, "etag")
    assert await known.entry(RECORD.key, 1) == begun(RECORD).entries[0]
    assert (tables.documents, tables.entries) == (1, 0)


async def test_what_was_written_under_an_etag_that_storage_did_not_say_is_read_again(
    service: Service, tables: Counting
) -> None:
    known = KnownReferrals(service.referrals)
    await known.get(RECORD.key)
    known.wrote(RECORD, None, ())
    again = await known.get(RECORD.key)
    assert again
    assert again.etag
    assert tables.documents == 2


async def test_what_is_not_there_is_looked_for_again(tables: Counting) -> None:
    service = service_on(tables, MemoryMailService())
    known = KnownReferrals(service.referrals)
    assert await known.get(RECORD.key) is None
    await service.referrals.commit(begun(RECORD), None)
    assert await known.get(RECORD.key)
