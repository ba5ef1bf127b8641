"""Registration and review under random deaths: nothing is lost, nothing doubled, and in the end all tables agree."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest

from shared.admin.check import ask_to_wake, unfinished
from shared.domain.referral import Referral, ReferralKey
from shared.domain.registration import Registration, ReviewRound
from shared.domain.timeline import Entry
from shared.domain.vocabulary import RegistrationStatus
from shared.storage import keys
from shared.storage.tables import Insert, Row, StoredRow, Tables
from tests.doubles.queue import in_queue
from tests.model.engine import Engine
from tests.model.review_schedule import ReviewSchedule
from tests.model.schedule import play
from tests.model.test_protocol_model import BATCHES, SCHEDULES

ALLOWED = {
    (None, "Draft"),
    (None, "ReviewPending"),
    ("Draft", "Draft"),
    ("Draft", "ReviewPending"),
    ("Draft", "Deleted"),
    ("ReviewPending", "Draft"),
    ("ReviewPending", "ReviewPending"),
    *(("ReviewPending", decided) for decided in ("Approved", "Rejected", "ActionRequired")),
    ("ActionRequired", "ActionRequired"),
    ("ActionRequired", "ReviewPending"),
}
QUEUED: tuple[RegistrationStatus, ...] = (
    "Submitted",
    "ReviewPending",
    "ActionRequired",
    "Approved",
    "Rejected",
)
TELLS = {
    "ReviewPending": "registrationSubmitted",
    "ActionRequired": "actionRequired",
    "Approved": "registrationApproved",
    "Rejected": "registrationRejected",
}


@pytest.mark.parametrize("batch", range(BATCHES))
async def test_a_registration_ends_where_its_people_were_told_whoever_dies_where(batch: int) -> None:
    for seed in range(batch, SCHEDULES // 2, BATCHES):
        await play(ReviewSchedule(seed), check)


async def test_without_deaths_every_state_is_reached_and_told() -> None:
    reached, told = Counter[str](), Counter[str]()
    for seed in range(60):
        schedule = ReviewSchedule(seed, deadly=0.0, flaky=0.0)
        await schedule.run()
        await check(schedule)
        entries = await schedule.calm.referrals.entries(schedule.deal.party)
        states = {each.to_state for each in entries if each.kind == "registrationChanged"}
        reached.update(states - {"Submitted", None})
        told.update(mail.message for mail in schedule.mail.taken.values())
    assert set(reached) == {"Draft", "Deleted", *TELLS}
    assert {*TELLS.values(), "registrationEscalated", "actionReminder"} <= set(told)


async def test_a_review_goes_on_after_the_task_hub_was_lost() -> None:
    """An operator's check finds it, though its deal is closed and has no open work (G7)."""
    schedule = ReviewSchedule(7, deadly=0.0, flaky=0.0)
    await schedule.prepare()
    await schedule.deal.register()
    await schedule.engine.settle()
    assert await unfinished(schedule.tables) == [schedule.deal.party]
    schedule.engine = Engine(lambda: schedule.now, schedule.run_activity)
    await ask_to_wake(schedule.tables, [schedule.deal.party], schedule.now)
    await schedule.calm_down()
    assert not schedule.engine.instances[schedule.deal.rid].finished
    escalated = [m for m in schedule.mail.taken.values() if m.message == "registrationEscalated"]
    assert len(escalated) >= 2
    await check(schedule)


async def test_after_a_review_is_over_an_operators_check_finds_nothing() -> None:
    schedule = ReviewSchedule(7, deadly=0.0, flaky=0.0)
    await schedule.prepare()
    await schedule.deal.register()
    await schedule.deal.review("approve")
    await schedule.engine.settle()
    assert await unfinished(schedule.tables) == []


@pytest.mark.parametrize("restored", ["lost", "older", "newer"])
async def test_reviewers_find_what_is_true_after_their_table_was_restored_from_another_day(
    restored: str,
) -> None:
    """An operator's check files it anew; what is closed, too."""
    schedule = ReviewSchedule(7, deadly=0.0, flaky=0.0)
    await schedule.prepare()
    await schedule.deal.register()
    await schedule.engine.settle()
    table = keys.REFERRALS if restored == "newer" else keys.REVIEWS
    backup = [] if restored == "lost" else [row async for row in schedule.tables.scan_table(table)]
    await schedule.deal.review("approve")
    await schedule.engine.settle()
    await _restore(schedule.tables, table, backup)
    assert await unfinished(schedule.tables) == [schedule.deal.party]
    await ask_to_wake(schedule.tables, [schedule.deal.party], schedule.now)
    await schedule.calm.sweep.run(schedule.engine, schedule.now)
    assert await schedule.calm.registrations.is_indexed(await schedule.deal.record())
    for record in await schedule.calm.registrations.list_for_deal(schedule.deal.party):
        await _check_filing(schedule, record)


async def _restore(tables: Tables, table: str, backup: Sequence[StoredRow]) -> None:
    for row in [row async for row in tables.scan_table(table)]:
        await tables.discard(table, row.partition, row.key)
    for row in backup:
        await tables.write(table, row.partition, [Insert(Row(row.key, row.values))])


async def check(schedule: ReviewSchedule) -> None:
    deal = schedule.deal
    stored = await schedule.calm.referrals.get(deal.party)
    assert stored
    records = await schedule.calm.registrations.list_for_deal(deal.party)
    confirmed = 201 in (status for _, what, status in schedule.answers if what == "register_deal")
    entries = await schedule.calm.referrals.entries(deal.party)
    last = {
        each.details["registrationId"]: each.to_state
        for each in entries
        if each.kind == "registrationChanged"
    }
    assert len(last) >= (2 if confirmed else 0), "a record is missing"
    assert {each.id for each in records} == {rid for rid, state in last.items() if state != "Deleted"}
    assert max(Counter(each.kind for each in records).values(), default=0) <= 1, "one is registered twice"
    assert stored.value.registrations == tuple(each.summary for each in records), (
        "the deal shows another state"
    )
    work = await schedule.calm.referrals.work(deal.party)
    assert not [row.value.label for row in work if row.value.open], "work was left open"
    left = [intent async for intent in schedule.calm.intents.all() if intent.reason != "moment"]
    assert left == [], "an intent was left"
    for record in records:
        await _check_timeline(schedule, deal.party, record)
        await _check_filing(schedule, record)
    for gone in last.keys() - {each.id for each in records}:
        await _check_nothing_is_left(schedule, gone)
    if reviewed := await schedule.record():
        rounds = await schedule.calm.registrations.rounds(reviewed)
        assert [each.number for each in rounds] == list(range(1, reviewed.rounds + 1)), "a round is lost (G5)"
        _check_answers(schedule, entries, rounds)
        _check_orchestration(schedule, reviewed)
        await _check_mail(schedule, stored.value, reviewed)


async def _check_timeline(schedule: ReviewSchedule, deal: ReferralKey, record: Registration) -> None:
    entries = await schedule.calm.referrals.entries(deal)
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1)), "gaps (L9)"
    own = [entry for entry in entries if entry.details.get("registrationId") == record.id]
    assert len(own) == record.version, "a change is missing in the timeline, or told twice"
    steps = [(entry.from_state, entry.to_state) for entry in own]
    assert steps[-1][1] == record.status
    if record.kind == "IpCoSell":
        assert set(steps) <= ALLOWED
    assert all(before[1] == after[0] for before, after in pairwise(steps))


async def _check_filing(schedule: ReviewSchedule, record: Registration) -> None:
    filed = await schedule.calm.registrations.index_entry(record.id)
    assert filed, "the look-up does not know a record"
    assert filed.version == record.version, "the look-up is behind"
    found = [each.registration for each in await in_queue(schedule.calm.registrations, QUEUED)]
    queue = [each for each in found if each.id == record.id]
    expected = [record] if record.kind == "IpCoSell" and record.status != "Draft" else []
    assert queue == expected, "the queue is behind, or shows a record twice"


async def _check_nothing_is_left(schedule: ReviewSchedule, deleted: str) -> None:
    """G4: neither in the look-up and the queue, nor a round, nor an orchestration that waits."""
    assert await schedule.calm.registrations.index_entry(deleted) is None, "the look-up knows a deleted draft"
    queue = await in_queue(schedule.calm.registrations, QUEUED)
    assert deleted not in {each.registration.id for each in queue}, "reviewers find a deleted draft"
    rows = [row.key async for row in schedule.tables.scan_table(keys.REFERRALS)]
    assert not [key for key in rows if key.startswith((f"h:{deleted}:", f"g:{schedule.deal.id}:{deleted}"))]
    instance = schedule.engine.instances.get(deleted)
    assert instance is None or instance.finished or instance.hung, (
        "an orchestration waits for a deleted draft"
    )


def _check_answers(schedule: ReviewSchedule, entries: Sequence[Entry], rounds: Sequence[ReviewRound]) -> None:
    """Who was told 200 has decided a round; what storage took without saying so comes on top."""
    confirmed = Counter(what for _, what, status in schedule.answers if status == 200)
    decided = Counter(
        each.from_state for each in entries if each.to_state in TELLS.keys() - {"ReviewPending"}
    )
    assert decided["ReviewPending"] >= confirmed["review_registration"], "a decision is lost"
    taken_back = [each for each in entries if (each.from_state, each.to_state) == ("ReviewPending", "Draft")]
    assert len(taken_back) >= confirmed["recall_registration"], "a recall is lost"
    for each in rounds[:-1]:
        ended = each.decision == "requestAction" or each.recalled_at
        assert ended, "a round began without an end of the last"


def _check_orchestration(schedule: ReviewSchedule, record: Registration) -> None:
    instance = schedule.engine.instances.get(record.id)
    if record.status == "Draft":
        idle = instance is None or instance.finished or instance.hung
        assert idle if record.rounds else instance is None, "a draft waits for nobody"
        return
    assert instance, "a review without an orchestration (G7)"
    if record.closed:
        assert instance.finished or instance.hung, "an orchestration without a review"
    else:
        assert not instance.finished, "a review whose orchestration ended"


async def _check_mail(schedule: ReviewSchedule, deal: Referral, record: Registration) -> None:
    mails = list(schedule.mail.taken.values())
    told = Counter(mail.message for mail in mails)
    entries = await schedule.calm.referrals.entries(deal.key)
    reached = Counter(each.to_state for each in entries if each.from_state != each.to_state)
    for state, message in TELLS.items():
        assert told[message] <= reached[state], f"{message} was doubled (M6)"
    nudges = [mail.key for mail in mails if mail.message in {"registrationEscalated", "actionReminder"}]
    assert len(nudges) == len(set(nudges))
    if record.status == "Draft" or any(entry.kind == "mailFailed" for entry in entries):
        return
    states = [
        e for e in entries if e.details.get("registrationId") == record.id and e.from_state != e.to_state
    ]
    sent = {(mail.key.split(":")[0], mail.message) for mail in mails}
    last = await _label_of(schedule, deal, states[-1].operation_id)
    assert (last, TELLS[record.status]) in sent, "the last state was told to nobody (M4)"
    if record.status == "ReviewPending":
        here = f"registrationEscalated:{record.id}:{record.rounds:03d}:"
        assert sum(key.startswith(here) for key in nudges) >= 2, "a silent review was not escalated (G7)"


async def _label_of(schedule: ReviewSchedule, deal: Referral, operation_id: str) -> str:
    """The label of the work that an operation opened."""
    work = await schedule.calm.referrals.work(deal.key)
    return next(row.value.label for row in work if row.value.operation_id == operation_id)
