"""The repositories on the twin and on Azurite: whole steps, lists for each reader (V4, N4), idempotency (C5)."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.domain.change import Act, change
from shared.domain.directory import Person
from shared.domain.ids import (
    EngagementId,
    LocationId,
    OperationId,
    OrganizationId,
    PersonId,
    ReferralId,
    uuid7,
)
from shared.domain.permissions import Reach
from shared.domain.timeline import Actor
from shared.domain.work import Settle
from shared.errors import RecordTooLarge, StoreConflict
from shared.storage.azure_tables import AzureTables
from shared.storage.engagements import Engagements
from shared.storage.referrals import IdempotencyRecord, Referrals
from shared.storage.tables import Tables
from tests.unit.examples import NOW, begun, contact, referral

EVERYTHING = Reach(everything=True)


def act(operation: str, now: datetime = NOW) -> Act:
    return Act(actor=Actor(organization_id=None), now=now, operation_id=OperationId(operation))


def numbered(organization: str, index: int, **fields: object):
    identifier = ReferralId(uuid7(NOW + timedelta(seconds=index), bytes([index]) * 16))
    return referral(id=identifier, organization_id=OrganizationId(organization), **fields)


async def test_a_step_is_stored_whole(tables: Tables, partition: str) -> None:
    repository = Referrals(tables)
    new = numbered(partition, 1)
    await repository.commit(begun(new), None)
    stored = await repository.get(new.party)
    assert stored
    assert stored.value == new
    step = change(new, "accepted", act("op-2"), (Settle(),), status="Active", substatus="Accepted")
    await repository.commit(step, stored)
    after = await repository.get(new.party)
    assert after
    assert (after.value.state, after.value.version, after.value.sequence) == ("Active/Accepted", 2, 2)
    assert [entry.kind for entry in await repository.entries(new.party)] == ["received", "accepted"]
    assert [row.value.label for row in await repository.work(new.party)] == ["000001", "000002"]
    with pytest.raises(StoreConflict):
        await repository.commit(change(new, "declined", act("op-3"), ()), stored)
    assert (await repository.entry(new.party, 2)).operation_id == "op-2"


async def test_lists_follow_the_record_and_hold_no_stale_row(tables: Tables, partition: str) -> None:
    repository = Referrals(tables)
    rae, ulf = contact("rae@contoso.com"), contact("ULF@contoso.com")
    new = numbered(partition, 1, team=(rae, ulf), location=LocationId("seattle"))
    await repository.commit(begun(new), None)
    reader = Person(
        id=PersonId("ulf"),
        organization_id=new.organization_id,
        email="ulf@contoso.com",
        first_name="U",
        last_name="U",
        roles=frozenset(),
    )
    team = Reach(team_locations=frozenset({LocationId("seattle")}))
    assert await _ids(repository, reader, team) == [new.id]
    assert await _ids(repository, reader, Reach(team_locations=frozenset({LocationId("munich")}))) == []
    stored = await repository.get(new.party)
    await repository.commit(change(new, "accepted", act("op-2"), (), team=(rae,)), stored)
    assert await _ids(repository, reader, team) == []
    assert await _ids(repository, reader, Reach(locations=frozenset({LocationId("seattle")}))) == [new.id]


async def test_a_scoped_reader_gets_its_locations_merged_newest_first_in_pages(
    tables: Tables, partition: str
) -> None:
    repository = Referrals(tables)
    places = ["seattle", "munich", "seoul"]
    made = [numbered(partition, i, location=LocationId(places[i % 3])) for i in range(9)]
    for each in made:
        await repository.commit(begun(each), None)
    reader = Person(
        id=PersonId("mia"),
        organization_id=OrganizationId(partition),
        email="mia@contoso.com",
        first_name="M",
        last_name="M",
        roles=frozenset(),
    )
    scope = Reach(locations=frozenset({LocationId("seattle"), LocationId("munich")}))
    wanted = [each.id for each in reversed(made) if each.location != "seoul"]
    assert await _ids(repository, reader, scope) == wanted
    first = await _ids(repository, reader, scope, limit=4)
    assert first + await _ids(repository, reader, scope, after=first[-1], limit=4) == wanted
    assert await _ids(repository, reader, EVERYTHING) == [each.id for each in reversed(made)]


async def test_a_page_costs_one_request(tables: Tables, partition: str) -> None:
    if not isinstance(tables, AzureTables):
        pytest.skip("requests are counted where there are some")
    repository = Referrals(tables)
    for index in range(12):
        await repository.commit(begun(numbered(partition, index)), None)
    person = Person(
        id=PersonId("rae"),
        organization_id=OrganizationId(partition),
        email="rae@contoso.com",
        first_name="R",
        last_name="R",
        roles=frozenset(),
    )
    before = tables.requests
    await _ids(repository, person, EVERYTHING, limit=5)
    assert tables.requests - before == 1


async def test_an_idempotency_key_is_taken_once(tables: Tables, partition: str) -> None:
    repository = Referrals(tables)
    record = IdempotencyRecord(
        organization_id=OrganizationId(partition),
        key_hash="k",
        body_hash="b",
        referral_id=ReferralId("r"),
        at=NOW,
    )
    await repository.commit(begun(numbered(partition, 1)), None, record)
    with pytest.raises(StoreConflict):
        await repository.commit(begun(numbered(partition, 2)), None, record)
    assert await repository.get(numbered(partition, 2).party) is None
    found = await repository.idempotency(OrganizationId(partition), "k")
    assert found
    assert found.value == record
    later = replace(record, at=NOW + timedelta(days=8))
    await repository.commit(begun(numbered(partition, 3)), None, later, found)


async def test_a_record_that_is_too_large_is_refused_before_anything_is_sent(
    tables: Tables, partition: str
) -> None:
    repository = Referrals(tables)
    large = numbered(partition, 1, team=tuple(contact(f"{'x' * 1200}{i}@contoso.com") for i in range(50)))
    with pytest.raises(RecordTooLarge):
        await repository.commit(begun(large), None)
    assert await repository.get(large.party) is None


async def test_what_the_clock_adds_to_a_record_at_the_limit_is_stored(tables: Tables, partition: str) -> None:
    repository = Referrals(tables)
    full = numbered(partition, 1, notes="x" * 47_600)
    await repository.commit(begun(full), None)
    stored = await repository.get(full.party)
    by_the_clock = change(
        full, "expired", act("op-2"), (), status="Closed", substatus="Expired", closed_at=NOW
    )
    more = replace(by_the_clock, after=replace(by_the_clock.after, notes="x" * 48_800))
    await repository.commit(more, stored)
    assert (await repository.get(full.party)).value.state == "Closed/Expired"


async def test_membership_is_written_freely_and_read_in_order(tables: Tables, partition: str) -> None:
    repository = Engagements(tables)
    deal = numbered(partition, 1, engagement_id=EngagementId(partition))
    invited = [numbered("fabrikam", 2), numbered("northwind", 3)]
    assert await repository.get(deal.engagement_id) is None
    for _ in range(2):
        await repository.join(deal, invited)
    membership = await repository.get(deal.engagement_id)
    assert membership
    assert membership.creator == deal.party
    assert membership.invited == tuple(each.party for each in invited)


async def _ids(
    repository: Referrals, person: Person, reach: Reach, *, after=None, limit: int = 50
) -> list[str]:
    found = await repository.newest(person.organization_id, person, reach, after=after, limit=limit)
    return [each.id for each in found]
