"""Requests about one registration that arrive together, through the real handlers: one of them takes effect (G5)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from itertools import combinations

import pytest

from api.http.response import Response
from shared.domain.registration import Registration
from shared.domain.vocabulary import RegistrationStatus
from tests.doubles.engine import FakeEngine
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.queue import in_queue
from tests.doubles.registered_deal import RegisteredDeal
from tests.doubles.service import service_on
from tests.doubles.small_world import import_small_world
from tests.doubles.yielding_tables import YieldingTables
from tests.examples.referrals import NOW


@pytest.fixture
async def deal() -> RegisteredDeal:
    """A won deal on tables that let requests interleave."""
    service = service_on(YieldingTables(), MemoryMailService())
    await import_small_world(service.tables)
    won = RegisteredDeal(service, FakeEngine(), lambda: NOW)
    await won.win()
    return won


async def statuses(*requests: Awaitable[Response]) -> list[int]:
    return sorted(answer.status for answer in await asyncio.gather(*requests))


async def agrees(deal: RegisteredDeal) -> Registration:
    """Record, deal, timeline, look-up and queue say the same; gives the record."""
    record, service = await deal.record(), deal.service
    stored = await service.referrals.get(deal.party)
    assert stored
    assert record.summary in stored.value.registrations
    assert (await deal.told())[-1] == record.status
    assert len(await deal.told()) == record.version
    await service.registrations.index(record)
    filed = await service.registrations.index_entry(record.id)
    assert filed
    assert filed.version == record.version
    everything: tuple[RegistrationStatus, ...] = ("ReviewPending", "ActionRequired", "Approved", "Rejected")
    assert [each.registration for each in await in_queue(service.registrations, everything)] == [record]
    return record


@pytest.mark.parametrize("decision", ["approve", "reject", "requestAction"])
async def test_a_decision_that_arrives_twice_counts_once(deal: RegisteredDeal, decision: str) -> None:
    await deal.register()
    tag = await deal.tag()
    assert await statuses(deal.review(decision, tag), deal.review(decision, tag)) == [200, 412]
    assert (await deal.review(decision, tag)).status == 412
    record = await agrees(deal)
    rounds = await deal.service.registrations.rounds(record)
    assert [each.decision for each in rounds] == [decision]


@pytest.mark.parametrize(("one", "other"), list(combinations(["approve", "reject", "requestAction"], 2)))
async def test_of_two_decisions_of_two_reviewers_one_counts(
    deal: RegisteredDeal, one: str, other: str
) -> None:
    await deal.register()
    tag = await deal.tag()
    dees, veras = await asyncio.gather(deal.review(one, tag, "dee"), deal.review(other, tag, "vera"))
    assert sorted((dees.status, veras.status)) == [200, 412]
    record = await agrees(deal)
    (round_,) = await deal.service.registrations.rounds(record)
    expected = (one, "Dee Example") if dees.status == 200 else (other, "Vera Example")
    assert (round_.decision, round_.reviewer) == expected


@pytest.mark.parametrize("decision", ["approve", "reject", "requestAction"])
async def test_a_decision_together_with_a_correction_of_what_is_in_review_is_the_only_one(
    deal: RegisteredDeal, decision: str
) -> None:
    """The correction is refused: by the state if it is early, by the version if it is late."""
    await deal.register()
    tag = await deal.tag()
    corrected, decided = await asyncio.gather(deal.correct(tag), deal.review(decision, tag))
    assert decided.status == 200
    assert corrected.status in {409, 412}
    assert (await agrees(deal)).rounds == 1


async def test_of_corrections_and_a_late_decision_on_the_last_round_one_counts(deal: RegisteredDeal) -> None:
    await deal.register()
    old = await deal.tag()
    assert (await deal.review("requestAction")).status == 200
    tag = await deal.tag()
    answers = await asyncio.gather(deal.correct(tag), deal.correct(tag), deal.review("approve", old))
    assert Counter(answer.status for answer in answers) == {200: 1, 412: 2}
    record = await agrees(deal)
    assert (record.status, record.rounds) == ("ReviewPending", 2)


@pytest.mark.parametrize("decision", ["approve", "reject", "requestAction"])
@pytest.mark.parametrize("recall_first", [False, True])
async def test_of_a_recall_and_a_decision_exactly_one_counts(
    deal: RegisteredDeal, decision: str, *, recall_first: bool
) -> None:
    """G5: the one that is late is told so, by the state, by the version, or by finding nothing."""
    await deal.register()
    tag = await deal.tag()
    calls = [deal.recall(), deal.review(decision, tag)]
    answers = await asyncio.gather(*(calls if recall_first else calls[::-1]))
    recalled, decided = answers if recall_first else answers[::-1]
    assert [recalled.status, decided.status].count(200) == 1
    record = await deal.record()
    assert record.latest
    if recalled.status == 200:
        assert decided.status in {404, 409, 412}
        assert (record.status, record.latest.decision) == ("Draft", None)
        assert await in_queue(deal.service.registrations, ["ReviewPending"]) == []
    else:
        assert recalled.status == 409
        assert record.latest.decision == decision
        assert (await agrees(deal)).latest == record.latest
    assert len(await deal.told()) == 2


async def test_of_a_deletion_and_a_submission_of_a_draft_exactly_one_counts(deal: RegisteredDeal) -> None:
    """G4."""
    await deal.register(submit=False)
    tag = await deal.tag()
    deleted, submitted = await asyncio.gather(deal.delete(tag), deal.correct(tag))
    if deleted.status == 204:
        assert submitted.status in {404, 412}
        assert (await deal.told())[-1] == "Deleted"
    else:
        assert (deleted.status, submitted.status) == (412, 200)
        assert (await agrees(deal)).status == "ReviewPending"


async def test_an_assignment_beside_a_decision_loses_neither(deal: RegisteredDeal) -> None:
    """G5: it changes nothing of the record, so the decision need not be repeated."""
    await deal.register()
    decided, assigned = await asyncio.gather(deal.review("approve"), deal.assign("dee@microsoft.com"))
    assert decided.status == 200
    assert assigned.status in {200, 409}
    record = await agrees(deal)
    assert record.closed
    filed = await deal.service.registrations.index_entry(record.id)
    assert filed
    assert filed.assigned_to == ("dee@microsoft.com" if assigned.status == 200 else None)


async def test_a_deal_registered_twice_at_once_has_one_registration(deal: RegisteredDeal) -> None:
    """G2; under one key both are answered with the same records (C5)."""
    assert await statuses(deal.register(), deal.register()) == [201, 409]
    assert len(await deal.service.registrations.list_for_deal(deal.party)) == 2


async def test_one_request_to_register_that_arrives_three_times_under_its_key_is_answered_the_same(
    deal: RegisteredDeal,
) -> None:
    answers = await asyncio.gather(*(deal.register("key") for _ in range(3)))
    assert {answer.status for answer in answers} == {201}
    assert answers[0].body == answers[1].body == answers[2].body
    assert len(await deal.service.registrations.list_for_deal(deal.party)) == 2
