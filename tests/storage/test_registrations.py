"""Registrations and the reviewers' queue, on the twin and on Azurite (G4, G5, G8, C5)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise, permutations
from uuid import NAMESPACE_DNS, uuid5

import pytest

from shared.domain.deal_registration import record_registrations
from shared.domain.ids import OrganizationId, ReferralId, RegistrationId
from shared.domain.referral import Referral, ReferralKey, Solution, Terms
from shared.domain.registration import (
    FieldError,
    RegisteredCustomer,
    Registration,
    RegistrationContact,
    ReviewRound,
    review,
    save,
    submit,
)
from shared.domain.registration_rules import MAX_ERROR_LENGTH, MAX_ERRORS, MAX_REASON_LENGTH
from shared.errors import RecordTooLarge, StoreConflict, StoreUnavailable
from shared.storage import keys
from shared.storage.codec import Stored
from shared.storage.idempotency import IdempotencyKeys, IdempotencyRecord, RequestKey
from shared.storage.memory_tables import MemoryTables
from shared.storage.referrals import Referrals
from shared.storage.registration_rows import registration_operations
from shared.storage.registrations import QUEUE, QUEUE_ROWS, IndexEntry, Queued, Registrations, stored_with
from shared.storage.tables import Insert, Operation, Tables
from tests.doubles.queue import in_queue, registered_by
from tests.doubles.yielding_tables import YieldingTables
from tests.examples.referrals import NOW, begun, contact, context, creators
from tests.examples.registrations import APPROVAL, FORM, REJECTION, REQUEST, draft

ALL = ("Submitted", "ReviewPending", "ActionRequired", "Approved", "Rejected")


def identified(partition: str, number: int = 1) -> RegistrationId:
    return RegistrationId(f"{uuid5(NAMESPACE_DNS, partition)}"[:-2] + f"{number:02d}")


def fresh(partition: str, number: int = 1, **changes: object) -> Registration:
    """A draft of this test's own organization, whose deal is `deal-1`."""
    party = ReferralKey(organization_id=OrganizationId(partition), referral_id=ReferralId("deal-1"))
    own = {"id": identified(partition, number), "organization_id": party.organization_id, "referral": party}
    return draft(**(own | changes))


def life(partition: str) -> list[Registration]:
    """A record's versions from its draft to its approval in the second round."""
    versions = [save(fresh(partition), FORM, (), NOW)]
    for step in (
        lambda r, at: submit(r, FORM, at),
        lambda r, at: review(r, REQUEST, at),
        lambda r, at: save(r, FORM, (), at),
        lambda r, at: submit(r, FORM, at),
        lambda r, at: review(r, APPROVAL, at),
    ):
        versions.append(step(versions[-1], versions[-1].updated_at + timedelta(days=1)))
    return versions


async def queued(registrations: Registrations, partition: str) -> list[Registration]:
    """This test's own rows of the whole queue."""
    found = [each.registration for each in await in_queue(registrations, ALL)]
    return [each for each in found if each.organization_id == partition]


async def test_the_queue_row_moves_with_the_status(tables: Tables, partition: str) -> None:
    """G5: nothing of a draft is queued; later each record stands there once, as it is now."""
    registrations = Registrations(tables)
    for version in life(partition):
        await registrations.index(version)
        await registrations.index(version)  # to be repeated freely
        expected = [] if version.status == "Draft" else [version]
        assert await queued(registrations, partition) == expected
        for status in ALL:
            found = [each.registration for each in await in_queue(registrations, [status])]
            own = [each for each in found if each.organization_id == partition]
            assert own == (expected if status == version.status else [])
        filed = await registrations.index_entry(version.id)
        assert filed
        assert replace(filed, queued=None) == IndexEntry(
            organization_id=OrganizationId(partition),
            referral_id=ReferralId("deal-1"),
            version=version.version,
        )
        assert (filed.queued is None) == (version.status == "Draft")


async def test_an_older_version_changes_nothing(tables: Tables, partition: str) -> None:
    registrations, versions = Registrations(tables), life(partition)
    await registrations.index(versions[-1])
    for older in versions[:-1]:
        await registrations.index(older)
    assert await queued(registrations, partition) == [versions[-1]]
    filed = await registrations.index_entry(versions[-1].id)
    assert filed
    assert filed.version == versions[-1].version


async def test_whatever_the_order_in_which_versions_are_filed_the_latest_stays() -> None:
    versions = life("contoso")
    for number, order in enumerate(permutations(versions[1:6])):
        registrations = Registrations(MemoryTables())
        for version in order:
            await registrations.index(version)
        assert await queued(registrations, "contoso") == [versions[5]], number


async def test_of_two_filings_at_once_one_is_refused_and_repeating_it_leaves_the_latest(
    tables: Tables, partition: str
) -> None:
    registrations, versions = Registrations(tables), life(partition)
    for earlier, later in pairwise(versions):
        both = [earlier, later]
        done = await asyncio.gather(*map(registrations.index, both), return_exceptions=True)
        assert all(each is None or isinstance(each, StoreConflict) for each in done)
        assert None in done
        for version, outcome in zip(both, done, strict=True):
            if outcome is not None:
                await registrations.index(version)
        filed = await registrations.index_entry(later.id)
        assert filed
        assert filed.version == later.version
        assert await queued(registrations, partition) == ([] if later.status == "Draft" else [later])


async def test_filings_that_interleave_are_never_both_taken() -> None:
    registrations, versions = Registrations(YieldingTables()), life("contoso")
    await registrations.index(versions[0])
    done = await asyncio.gather(*map(registrations.index, versions[1:]), return_exceptions=True)
    assert [isinstance(each, StoreConflict) for each in done].count(False) == 1
    assert len(await queued(registrations, "contoso")) == 1


async def test_an_isv_connect_record_is_filed_and_never_queued(tables: Tables, partition: str) -> None:
    """G5: only IP co-sell records are reviewed."""
    registrations = Registrations(tables)
    complete = submit(fresh(partition, kind="IsvConnect"), FORM, NOW)
    await registrations.index(complete)
    assert await registrations.index_entry(complete.id)
    assert await queued(registrations, partition) == []


async def test_the_queue_shows_the_longest_waiting_first(tables: Tables, partition: str) -> None:
    """By the present round, not by the id."""
    registrations = Registrations(tables)
    days = {1: 3, 2: 1, 3: 4, 4: 2}
    for number, day in days.items():
        record = submit(fresh(partition, number), FORM, NOW + timedelta(days=day))
        await registrations.index(record if number % 2 else review(record, REJECTION, record.updated_at))
    found = await queued(registrations, partition)
    assert [each.id for each in found] == [identified(partition, number) for number in (2, 4, 1, 3)]


async def test_a_registration_is_stored_in_the_step_of_its_deal_or_not_at_all(
    tables: Tables, partition: str
) -> None:
    """G4, L9: record, entry, milestone and work are one transaction."""
    referrals, registrations = Referrals(tables), Registrations(tables)
    deal = creators(id=ReferralId("deal-1"), organization_id=OrganizationId(partition))
    await referrals.commit(begun(deal), None)
    read = await referrals.get(deal.key)
    assert read
    both = (
        submit(fresh(partition, 1, kind="IsvConnect"), FORM, NOW),
        submit(fresh(partition, 2), FORM, NOW),
    )
    await referrals.commit(record_registrations(read.value, both, context(operation="one")), read)
    late = submit(fresh(partition, 3), FORM, NOW)
    with pytest.raises(StoreConflict):
        await referrals.commit(record_registrations(read.value, (late,), context(operation="two")), read)
    assert await registrations.list_for_deal(deal.key) == list(both)
    assert await registrations.get(deal.key, both[1].id) == both[1]
    assert await registrations.get(deal.key, identified(partition, 3)) is None
    stored = await referrals.get(deal.key)
    assert stored
    assert stored.value.registrations == tuple(each.summary for each in both)
    kinds = [entry.kind for entry in await referrals.entries(deal.key)]
    assert kinds == ["received", "registrationChanged", "registrationChanged"]


async def test_a_deal_shows_its_own_registrations_alone(tables: Tables, partition: str) -> None:
    referrals, registrations = Referrals(tables), Registrations(tables)
    for number, name in enumerate(("deal-1", "deal-10"), start=1):
        deal = creators(id=ReferralId(name), organization_id=OrganizationId(partition))
        await referrals.commit(begun(deal), None)
        read = await referrals.get(deal.key)
        assert read
        own = submit(fresh(partition, number, referral=deal.key), FORM, NOW)
        await referrals.commit(record_registrations(deal, (own,), context()), read)
        assert await registrations.list_for_deal(deal.key) == [own]
    assert len(await registered_by(registrations, OrganizationId(partition))) == 2


async def test_a_review_takes_any_number_of_rounds_and_keeps_each(tables: Tables, partition: str) -> None:
    """G5; the record does not grow with them."""
    referrals, registrations = Referrals(tables), Registrations(tables)
    deal = creators(id=ReferralId("deal-1"), organization_id=OrganizationId(partition))
    await referrals.commit(begun(deal), None)
    record, decided = fresh(partition), list[ReviewRound]()
    for number in range(1, 41):
        at = NOW + timedelta(days=number)
        record = submit(record, replace(FORM, solution_value=Decimal(number)), at)
        await stored(tables, deal.key, record, f"submit-{number}")
        asked = FieldError(target="/solutionValue", message=f"Not {number}.")
        record = review(record, replace(REQUEST, errors=(asked,)), at)
        await stored(tables, deal.key, record, f"review-{number}")
        assert record.latest
        decided.append(record.latest)
    read = await registrations.get(deal.key, record.id)
    assert read == record
    assert await registrations.rounds(read) == decided
    assert [each.form.solution_value for each in decided] == [Decimal(number) for number in range(1, 41)]


async def test_the_rounds_of_a_record_that_is_not_submitted_are_none(tables: Tables, partition: str) -> None:
    assert await Registrations(tables).rounds(fresh(partition)) == []


@pytest.mark.parametrize("letter", ["가", '"', "😀", "x"])
async def test_the_longest_words_of_partner_and_reviewer_find_room(
    tables: Tables, partition: str, letter: str
) -> None:
    registrations = Registrations(tables)
    deal = creators(id=ReferralId("deal-1"), organization_id=OrganizationId(partition))
    await Referrals(tables).commit(begun(deal), None)
    errors = (FieldError(target="/contract/startDateTime", message=letter * MAX_ERROR_LENGTH),) * MAX_ERRORS
    name = letter * 255
    form = replace(
        FORM,
        solution_id=letter * 100,
        customer=RegisteredCustomer(name=name, country="US", city=name, state=name),
        contact=RegistrationContact(first_name=name, last_name=name, phone_number=name, email=name),
    )
    sent = submit(fresh(partition, solution_id=letter * 100, solution_name=name, deal_name=name), form, NOW)
    record = review(sent, replace(REQUEST, errors=errors, reason=letter * MAX_REASON_LENGTH), NOW)
    await stored(tables, deal.key, record, "review")
    await registrations.index(record)
    assert await registrations.get(deal.key, record.id) == record
    assert await queued(registrations, partition) == [record]


async def stored(tables: Tables, party: ReferralKey, record: Registration, operation: str) -> None:
    referrals = Referrals(tables)
    read = await referrals.get(party)
    assert read
    await referrals.commit(record_registrations(read.value, (record,), context(operation=operation)), read)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize("letter", ["가", "x"])
@pytest.mark.parametrize("members", [1, 50])
async def test_a_deal_that_is_full_to_the_last_character_shows_all_that_can_be_registered(
    tables: Tables, partition: str, letter: str, members: int
) -> None:
    """G2: a closed deal cannot be shortened any more; two records of each of fifty solutions, and their reviews."""
    solutions = tuple(
        Solution(
            id=f"{'S' * 90}{number}",
            name=f"S{number}",
            kind="MyCompany",
            incentives=("IsvConnect", "AzureIpCoSell"),
        )
        for number in range(50)
    )
    team = tuple(contact(f"{number}@contoso.com") for number in range(members))

    def deal(length: int) -> Referral:
        terms = Terms(deal_value=None, currency=None, closing_at=None, solutions=solutions)
        return creators(
            id=ReferralId("deal-1"),
            organization_id=OrganizationId(partition),
            terms=terms,
            team=team,
            notes=letter * length,
        )

    async def taken(tables: Tables, length: int) -> bool:
        try:
            await Referrals(tables).commit(begun(deal(length)), None)
        except RecordTooLarge:
            return False
        return True

    fits, too_large = 0, 60_000
    while too_large - fits > 1:
        middle = (fits + too_large) // 2
        fits, too_large = (middle, too_large) if await taken(MemoryTables(), middle) else (fits, middle)
    assert await taken(tables, fits)
    for number, solution in enumerate(solutions):
        both = tuple(
            submit(
                fresh(partition, number, id=_id(kind, number), kind=kind, solution_id=solution.id), FORM, NOW
            )
            for kind in ("IsvConnect", "IpCoSell")
        )
        read = await Referrals(tables).get(deal(fits).key)
        assert read
        await Referrals(tables).commit(
            record_registrations(read.value, both, context(operation=f"{number}")), read
        )
    read = await Referrals(tables).get(deal(fits).key)
    assert read
    assert len(read.value.registrations) == 100


def _id(kind: str, number: int) -> RegistrationId:
    return RegistrationId(f"{uuid5(NAMESPACE_DNS, f'{kind}{number}')}")


def report(partition: str, number: int = 1) -> Registration:
    return submit(fresh(partition, number, kind="IsvConnect", referral=None), FORM, NOW)


def key_in(partition: str, expired: Stored[IdempotencyRecord] | None = None) -> RequestKey:
    record = IdempotencyRecord(
        organization_id=OrganizationId(partition), key_hash="key", body_hash="body", record_id="", at=NOW
    )
    return RequestKey(record=record, expired=expired)


async def test_a_deal_that_was_never_co_sold_is_registered_without_one(
    tables: Tables, partition: str
) -> None:
    """G8."""
    registrations, record = Registrations(tables), report(partition)
    await registrations.insert_without_deal(record, None)
    place = stored_with(record)
    assert place == ReferralKey(organization_id=OrganizationId(partition), referral_id=keys.NO_DEAL)
    assert await registrations.get(place, record.id) == record
    assert await registered_by(registrations, record.organization_id) == [record]
    assert await registrations.rounds(record) == [record.latest]
    with pytest.raises(StoreConflict):
        await registrations.insert_without_deal(record, None)


async def test_under_one_key_one_report_is_stored(tables: Tables, partition: str) -> None:
    """G8, C5."""
    registrations, key = Registrations(tables), key_in(partition)
    records = [report(partition, number) for number in range(1, 5)]
    done = await asyncio.gather(
        *(registrations.insert_without_deal(each, key.with_result(each.id)) for each in records),
        return_exceptions=True,
    )
    assert [isinstance(each, StoreConflict) for each in done].count(False) == 1
    (stored,) = await registered_by(registrations, OrganizationId(partition))
    found = await IdempotencyKeys(tables).get(OrganizationId(partition), "key")
    assert found
    assert found.value == key.with_result(stored.id).record


async def test_a_key_that_has_expired_is_replaced_once(tables: Tables, partition: str) -> None:
    """C5."""
    registrations, keys_ = Registrations(tables), IdempotencyKeys(tables)
    first, second, third = (report(partition, number) for number in (1, 2, 3))
    await registrations.insert_without_deal(first, key_in(partition).with_result(first.id))
    expired = key_in(partition, await keys_.get(OrganizationId(partition), "key"))
    await registrations.insert_without_deal(second, expired.with_result(second.id))
    with pytest.raises(StoreConflict):
        await registrations.insert_without_deal(third, expired.with_result(third.id))
    assert await registered_by(registrations, first.organization_id) == [first, second]


async def test_an_assignment_stays_with_the_record_whatever_becomes_of_it(
    tables: Tables, partition: str
) -> None:
    """G5: it is Microsoft's own, so that the record of the partner knows nothing of it."""
    registrations, versions = Registrations(tables), life(partition)
    await registrations.index(versions[1])
    for _ in range(2):
        await registrations.assign(versions[1], "dee@microsoft.com", await filed(registrations, versions[1]))
    for version in versions[1:]:
        await registrations.index(version)
        found = [each for each in await in_queue(registrations, ALL) if each.registration == version]
        assert [each.assigned_to for each in found] == ["dee@microsoft.com"]


async def test_an_assignment_of_what_was_read_before_a_decision_does_not_take_the_decision_back(
    tables: Tables, partition: str
) -> None:
    registrations, versions = Registrations(tables), life(partition)
    await registrations.index(versions[-1])
    before = await filed(registrations, versions[-1])
    with pytest.raises(StoreConflict):
        await registrations.assign(versions[1], "dee@microsoft.com", before)
    assert await queued(registrations, partition) == [versions[-1]]


async def test_of_two_assignments_at_the_same_moment_one_is_told_of_the_other(
    tables: Tables, partition: str
) -> None:
    registrations, version = Registrations(tables), life(partition)[1]
    await registrations.index(version)
    before = await filed(registrations, version)
    await registrations.assign(version, "dee@microsoft.com", before)
    with pytest.raises(StoreConflict):
        await registrations.assign(version, "vera@microsoft.com", before)
    await registrations.assign(version, None, await filed(registrations, version))
    assert await filed(registrations, version) == before


async def test_what_was_filed_before_tables_were_restored_is_filed_anew(
    tables: Tables, partition: str
) -> None:
    """The deal's record is the truth, be it older than what was filed, or newer."""
    registrations = Registrations(tables)
    first, *_, last = [each for each in life(partition) if each.version]
    for stored, known in ((first, last), (last, first)):
        await _lies(tables, stored)
        await registrations.reindex(stored_with(known), known.id)
        await _lies(tables, known)
        assert not await registrations.is_indexed(known)
        await registrations.reindex(stored_with(known), known.id)
        assert await registrations.is_indexed(known)
        assert await queued(registrations, partition) == ([known] if known.latest else [])


async def test_what_is_filed_and_lies_nowhere_is_forgotten() -> None:
    """In memory alone: it looks through the whole table, which on Azurite is that of other tests too."""
    tables = MemoryTables()
    registrations = Registrations(tables)
    lost, kept = (life(name)[1] for name in ("lost", "kept"))
    await registrations.index(lost)
    await _lies(tables, kept)
    await registrations.index(kept)
    stray = QUEUE_ROWS.row(f"s:Approved:000000000001:{kept.id}", Queued(registration=kept))
    await tables.write(keys.REVIEWS, QUEUE, [Insert(stray)])
    assert await registrations.prune() == 3
    assert await registrations.prune() == 0
    assert await registrations.index_entry(lost.id) is None
    assert await registrations.is_indexed(kept)
    assert [each.registration for each in await in_queue(registrations, ALL)] == [kept]


async def test_filing_anew_comes_to_an_end_though_half_of_what_was_filed_is_missing(
    tables: Tables, partition: str
) -> None:
    """A copy of a table that was written meanwhile: the look-up names a place in the queue that is not there."""
    registrations, versions = Registrations(tables), life(partition)
    for known in versions[1:]:
        await registrations.index(known)
        before = await filed(registrations, known)
        await tables.discard(keys.REVIEWS, QUEUE, before.queued or "")
        await _lies(tables, known)
        assert not await registrations.is_indexed(known)
        later = versions[-1]
        await _lies(tables, later)
        await registrations.reindex(stored_with(later), later.id)
        assert await registrations.is_indexed(later)
        assert await queued(registrations, partition) == [later]
        await tables.discard(keys.REVIEWS, QUEUE, (await filed(registrations, later)).queued or "")
        await tables.discard(keys.REVIEWS, QUEUE, f"r:{later.id}")


async def test_a_place_in_the_queue_that_is_missing_keeps_no_review_from_going_on(
    tables: Tables, partition: str
) -> None:
    registrations, versions = Registrations(tables), life(partition)
    for version in versions:
        await registrations.index(version)
        assert await queued(registrations, partition) == ([] if version.status == "Draft" else [version])
        if place := (await filed(registrations, version)).queued:
            await tables.discard(keys.REVIEWS, QUEUE, place)


async def _lies(tables: Tables, registration: Registration) -> None:
    place = stored_with(registration)
    partition = keys.partition_of(place.organization_id)
    operations = registration_operations(place.referral_id, registration)
    await tables.write(keys.REFERRALS, partition, operations)


async def filed(registrations: Registrations, registration: Registration) -> IndexEntry:
    found = await registrations.index_entry(registration.id)
    assert found
    return found


class Away(MemoryTables):
    """Storage that takes nothing for the queue."""

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        if table == keys.REVIEWS:
            raise StoreUnavailable("no answer")
        return await super().write(table, partition, operations)


async def test_of_two_filings_at_once_the_newer_version_is_there_at_last() -> None:
    registrations, versions = Registrations(YieldingTables()), life("contoso")
    await asyncio.gather(*map(registrations.index, versions), return_exceptions=True)
    await registrations.index(replace(versions[-1]))
    assert await queued(registrations, "contoso") == [versions[-1]]
