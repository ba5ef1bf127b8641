"""The sweep: what is due is found and woken, whoever stands still is started anew, and none keeps others waiting."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.ids import OperationId, ReferralId
from shared.domain.referral import ReferralKey
from shared.domain.work import Notify, work_of
from shared.errors import StoreConflict, StoreUnavailable
from shared.storage import keys
from shared.storage.intents import Intent
from shared.storage.mail import MailRecord
from shared.storage.tables import Insert, Row, Upsert
from shared.workflow.announce import FIRST_LOOK
from shared.workflow.progress import fault_of_progress
from shared.workflow.sweep import BATCH, LONGEST_HANDLER, LONGEST_RUN, LONGEST_WAIT, POLL_SECONDS
from shared.workflow.wake import LIFECYCLE
from tests.doubles.swept import MINUTE, Swept
from tests.examples.referrals import NOW, begun, creators, referral

DAY = timedelta(days=1) / MINUTE
ID = "fabrikam-1"


@pytest.fixture
def swept() -> Swept:
    return Swept()


def moment(minutes: float, identifier: str = ID) -> Intent:
    party = referral(id=ReferralId(identifier)).key
    return Intent(id=identifier, reason="moment", party=party, at=NOW, due=NOW + minutes * MINUTE)


async def parked(swept: Swept, identifier: str = ID) -> None:
    """An invitation whose mails are sent, and whose orchestration waits for its moments."""
    announced = await swept.committed(begun(referral(id=ReferralId(identifier))))
    swept.engine.run(identifier)
    assert announced.work
    row = await swept.referrals.get_work(announced.after.key, announced.work.label)
    assert row
    done = tuple(replace(state, done=True) for state in row.value.tasks)
    await swept.referrals.save_work(announced.after.key, replace(row.value, tasks=done), row.etag)


async def open_deal(swept: Swept) -> None:
    """Contoso's deal, whose work is open: it has no moments of its own."""
    await swept.committed(begun(creators()))


async def test_what_is_committed_is_not_looked_at_before_its_handler_had_a_minute(swept: Swept) -> None:
    await open_deal(swept)
    assert FIRST_LOOK == MINUTE
    assert await swept.at(0.99) == 0
    assert await swept.at(1) == 1


async def test_what_is_done_by_then_is_forgotten_without_waking_anybody(swept: Swept) -> None:
    await parked(swept)
    assert await swept.at(1) == 0
    assert [(each.reason, each.due) for each in await swept.left()] == [("moment", NOW + DAY * MINUTE)]


async def test_an_orchestration_that_is_not_there_is_started(swept: Swept) -> None:
    await open_deal(swept)
    await swept.at(1)
    assert swept.engine.starts == [(LIFECYCLE, "contoso-1")]


@pytest.mark.parametrize(
    ("age", "kept"), [(LONGEST_HANDLER, True), (LONGEST_HANDLER + timedelta(seconds=1), False)]
)
async def test_an_intent_without_a_commit_is_kept_as_long_as_its_handler_can_live(
    swept: Swept, age: timedelta, kept: bool
) -> None:
    work = work_of(ReferralId(ID), "000001", OperationId("op"), ())
    await swept.announcements.announce_work(referral().key, work, NOW)
    swept.wall = NOW + age
    await swept.sweep.run(swept.engine, NOW + MINUTE)
    assert (bool(await swept.left()), swept.engine.woken) == (kept, [])


async def test_a_domain_clock_that_is_moved_while_a_handler_is_at_work_forgets_no_intent(
    swept: Swept,
) -> None:
    """Fourteen days may pass between announcing a commit and making it."""
    await swept.announcements.announce(begun(referral()), NOW)
    await swept.sweep.run(swept.engine, NOW + timedelta(days=14))
    assert {each.reason for each in await swept.left()} == {"commit", "moment"}


async def test_an_attempt_that_lost_is_not_taken_for_the_one_that_won(swept: Swept) -> None:
    await open_deal(swept)
    lost = work_of(ReferralId("contoso-1"), "000001", OperationId("another"), ())
    await swept.announcements.announce_work(creators().key, lost, NOW)
    swept.wall = NOW + timedelta(hours=1)
    await swept.at(1)
    assert [each.id for each in await swept.left()] == ["op"]


async def test_work_that_was_put_off_is_looked_at_when_it_is_due_again(swept: Swept) -> None:
    await open_deal(swept)
    row = await swept.referrals.get_work(creators().key, "000001")
    assert row
    later = tuple(replace(state, due=NOW + 32 * MINUTE) for state in row.value.tasks)
    await swept.referrals.save_work(creators().key, replace(row.value, tasks=later), row.etag)
    woken_at = [m for m in range(33) if await swept.at(m)]
    assert woken_at == [32]


@pytest.mark.parametrize("state", ["parked", "failed, or lost with the task hub"])
async def test_a_moment_that_has_come_wakes_whatever_became_of_the_orchestration(
    swept: Swept, state: str
) -> None:
    await parked(swept)
    if state != "parked":
        swept.engine.instances.clear()
    assert [m for m in (1, DAY - 0.01, DAY) if await swept.at(m)] == [DAY]
    assert swept.engine.woken == ([ID] if state == "parked" else [])
    assert swept.engine.starts == ([] if state == "parked" else [(LIFECYCLE, ID)])


async def test_a_moment_that_is_past_is_followed_by_the_next_one(swept: Swept) -> None:
    await parked(swept)
    await swept.at(DAY)
    reminder = work_of(ReferralId(ID), "reminder-first", OperationId("r"), ())
    done = tuple(replace(state, done=True) for state in reminder.tasks)
    await swept.referrals.insert_work(referral().key, replace(reminder, tasks=done))
    await swept.at(DAY + 1)
    assert [each.due for each in await swept.left()] == [NOW + timedelta(days=11)]


async def test_a_record_that_was_answered_has_no_moments_any_more(swept: Swept) -> None:
    await swept.stored(referral(status="Active", substatus="Accepted"))
    await swept.referrals.save_work(
        referral().key,
        replace(work_of(ReferralId(ID), "000001", OperationId("op"), ()), tasks=()),
        (await swept.referrals.work(referral().key))[0].etag,
    )
    await swept.intents.announce(moment(0))
    assert await swept.at(0) == 0
    assert await swept.left() == []


async def test_reminders_have_no_intent_of_their_own_and_are_found_by_their_moment(swept: Swept) -> None:
    """Whoever dies between opening a reminder and mailing it leaves open work."""
    await parked(swept)
    await swept.at(1)
    task = Notify(message="reminder", audience="answerers")
    await swept.referrals.insert_work(
        referral().key, work_of(ReferralId(ID), "reminder-first", OperationId("r"), (task,))
    )
    await swept.at(DAY)
    assert swept.engine.woken == [ID]


async def test_one_that_took_its_event_and_did_nothing_is_ended_after_two_looks_and_started_anew(
    swept: Swept, caplog: pytest.LogCaptureFixture
) -> None:
    await parked(swept)
    swept.engine.dead.add(ID)
    for minute in range(4):
        await swept.at(DAY + minute)
    assert (swept.engine.woken, swept.engine.terminations) == ([ID, ID], [ID])
    assert swept.engine.starts == [(LIFECYCLE, ID)]
    assert f"orchestration_dead instance={ID}" in caplog.text


async def test_the_intervals_begin_again_at_a_minute_and_grow_while_starting_anew_does_not_help(
    swept: Swept,
) -> None:
    """A defect stops it each time; the engine is not to be kept busy with it."""
    await parked(swept)
    ended = []
    for minute in range(120):
        before = len(swept.engine.terminations)
        swept.engine.dead.add(ID)
        await swept.at(DAY + minute)
        ended += [minute] * (len(swept.engine.terminations) - before)
    # Two looks, a round to start: 2, +3 5, then looks two, four, eight, sixteen minutes apart.
    assert ended == [2, 5, 10, 19, 36, 69, 102]


async def test_one_that_moves_is_woken_for_the_next_step_and_never_ended(swept: Swept) -> None:
    await parked(swept)
    await swept.at(DAY)
    for number in range(5):
        work = work_of(ReferralId(ID), "reminder-first", OperationId("r"), ())
        rows = {row.value.label: row for row in await swept.referrals.work(referral().key)}
        if row := rows.get("reminder-first"):
            await swept.referrals.save_work(referral().key, row.value, row.etag)
        else:
            await swept.referrals.insert_work(referral().key, work)
        await swept.at(DAY + 1 + number)
    assert swept.engine.terminations == []
    assert len(swept.engine.woken) == 6


async def test_an_activity_that_is_under_way_is_waited_for(swept: Swept) -> None:
    """Its mail has a lease: whoever sends it may live."""
    await parked(swept)
    swept.engine.dead.add(ID)
    await swept.mails.insert(
        [
            MailRecord(
                referral_id=ReferralId(ID),
                key="000001:invitee:own:00",
                operation_id=OperationId("m"),
                message="invited",
                reader=referral().key,
                recipients=("kim@fabrikam.com",),
                subject="",
                text="",
                html="",
                planned_at=NOW,
                state="sending",
                lease_until=NOW + (DAY + 3.5) * MINUTE,
            )
        ]
    )
    for minute in range(4):
        await swept.at(DAY + minute)
    assert swept.engine.terminations == []
    await swept.at(DAY + 4)
    assert swept.engine.terminations == [ID]


async def test_a_failure_of_the_engine_is_no_sign_of_death(swept: Swept) -> None:
    await parked(swept)
    swept.engine.away = True
    await swept.rounds(10, first=int(DAY))
    swept.engine.away = False
    await swept.at(DAY + 11)
    assert (swept.engine.terminations, swept.engine.woken) == ([], [ID])


async def test_one_that_cannot_be_woken_does_not_keep_the_others_waiting(swept: Swept) -> None:
    for index in range(3):
        await parked(swept, f"fabrikam-{index}")
    swept.engine.away_for = {"fabrikam-0"}
    assert await swept.at(DAY) == 2
    swept.engine.away_for.clear()
    await swept.at(DAY + 1)
    assert swept.engine.woken.count("fabrikam-0") == 1


async def test_a_row_that_cannot_be_read_is_set_aside_and_counted_and_the_rest_goes_on(
    swept: Swept, caplog: pytest.LogCaptureFixture
) -> None:
    await parked(swept)
    row = Row(keys.intent(NOW, "odd"), {"json0": '{"version": 99}'})
    await swept.tables.write(keys.INTENTS, keys.ALL_INTENTS, [Insert(row)])
    for minute in (DAY, DAY + 1):
        await swept.at(minute)
    assert swept.engine.woken == [ID, ID]
    assert await swept.intents.unreadable() == 1
    assert caplog.text.count("intent_unreadable") == 1


async def test_a_record_that_cannot_be_read_keeps_no_other_waiting_and_is_tried_again_each_hour(
    swept: Swept, caplog: pytest.LogCaptureFixture
) -> None:
    for index in range(2):
        await parked(swept, f"fabrikam-{index}")
    document = Row(keys.document(ReferralId("fabrikam-0")), {"json0": "{"})
    await swept.tables.write(keys.REFERRALS, "fabrikam", [Upsert(document)])
    for minute in range(121):
        await swept.at(DAY + minute)
    assert set(swept.engine.woken) == {"fabrikam-1"}
    assert caplog.text.count("sweep_unreadable instance=fabrikam-0") == 3


async def overdue(swept: Swept, count: int) -> list[str]:
    """So many referrals whose time is over, the earliest first, and their orchestrations."""
    ids = [f"fabrikam-{number:04d}" for number in range(count)]
    for number, identifier in enumerate(ids):
        await swept.stored(referral(id=ReferralId(identifier), expires_at=NOW - timedelta(minutes=1)))
        swept.engine.run(identifier)
        await swept.intents.announce(moment(number - count, identifier))
    return ids


async def test_what_is_due_is_handed_out_oldest_first_as_fast_as_the_engine_gets_through(
    swept: Swept,
) -> None:
    ids = await overdue(swept, 120)
    swept.engine.acts = swept.expires
    assert await swept.at(0) == 120
    for begin in range(0, 120, BATCH):
        assert sorted(swept.engine.woken[begin : begin + BATCH]) == ids[begin : begin + BATCH]
    assert swept.pauses.count(POLL_SECONDS) == 120 // BATCH, "one glance after each batch"


async def test_the_next_are_not_handed_out_before_the_engine_gets_to_the_last_ones(swept: Swept) -> None:
    """All that it was handed before would go on before whatever else people do."""
    await overdue(swept, 120)
    waiting: list[str] = []

    async def queue(instance_id: str) -> None:
        waiting.append(instance_id)

    async def work(seconds: float) -> None:
        await pause(seconds)
        for instance_id in waiting[:2]:
            await swept.expires(instance_id)
        assert len(waiting) <= 2 * BATCH
        del waiting[:2]

    pause, swept.engine.acts = swept.sweep.pause, queue
    await replace(swept.sweep, pause=work).run(swept.engine, NOW)
    assert len(swept.engine.woken) == 120


async def test_dead_ones_hold_up_the_others_for_a_bounded_time(swept: Swept) -> None:
    ids = await overdue(swept, 2 * BATCH)
    swept.engine.dead = set(ids[:BATCH])
    swept.engine.acts = swept.expires
    await swept.at(0)
    assert len(swept.engine.woken) == 2 * BATCH
    assert swept.wall - NOW < timedelta(seconds=LONGEST_WAIT + 2)


async def test_a_sweep_ends_in_time_however_much_is_due_and_the_next_one_goes_on(swept: Swept) -> None:
    await overdue(swept, 10 * BATCH)
    assert await swept.at(0) < 5 * BATCH, "nobody moves, so each batch takes its whole time"
    assert swept.wall - NOW < LONGEST_RUN + timedelta(seconds=LONGEST_WAIT)
    swept.engine.acts = swept.expires
    await swept.at(0.9)
    assert len(set(swept.engine.woken)) == 10 * BATCH


async def test_what_waits_is_not_read(swept: Swept) -> None:
    read: list[int] = []
    between = swept.tables.between

    async def counting(table: str, *arguments: object, **options: object) -> object:
        rows = await between(table, *arguments, **options)  # type: ignore[arg-type]
        if table == keys.INTENTS:
            read.append(len(rows))
        return rows

    for number in range(300):
        await swept.intents.announce(moment(DAY, f"fabrikam-{number}"))
    swept.tables.between = counting  # type: ignore[method-assign,assignment]
    await swept.at(0)
    assert read == [0]


async def test_a_sweep_leaves_a_heartbeat(swept: Swept) -> None:
    await swept.at(0)
    beat = await swept.heartbeats.sweep()
    assert beat
    assert (beat.at, beat.unmoved_since) == (NOW, None)


async def test_the_heartbeat_says_since_when_nothing_has_moved(swept: Swept) -> None:
    await parked(swept)
    swept.engine.dead.add(ID)
    for minute in range(3):
        await swept.at(DAY + minute)
    beat = await swept.heartbeats.sweep()
    assert beat
    assert beat.unmoved_since == NOW + (DAY + 1) * MINUTE
    assert beat.unmoved_at == NOW + (DAY + 2) * MINUTE


async def test_a_damaged_mail_keeps_no_dead_orchestration_from_being_started_anew(swept: Swept) -> None:
    await parked(swept)
    swept.engine.dead.add(ID)
    row = Row(keys.mail(ReferralId(ID), "000001:invitee:own:00"), {"json0": "{"})
    await swept.tables.write(keys.MAIL, keys.mail_partition(ID), [Insert(row)])
    for minute in range(4):
        await swept.at(DAY + minute)
    assert swept.engine.starts == [(LIFECYCLE, ID)]


async def test_one_that_has_just_begun_a_turn_is_not_ended(swept: Swept) -> None:
    """Another intent may have had it started anew a moment ago."""
    await parked(swept)
    swept.engine.dead.add(ID)
    for minute in range(2):
        await swept.at(DAY + minute)
    swept.engine.instances[ID].last_turn_at = NOW + (DAY + 1.5) * MINUTE
    await swept.at(DAY + 2)
    assert swept.engine.terminations == []
    await swept.at(DAY + 3)
    assert swept.engine.terminations == [ID]


async def test_a_defect_at_one_record_keeps_no_other_waiting(
    swept: Swept, caplog: pytest.LogCaptureFixture
) -> None:
    for index in range(2):
        await parked(swept, f"fabrikam-{index}")
    get = swept.referrals.get

    async def stumbling(party: ReferralKey) -> object:
        if party.referral_id == "fabrikam-0":
            raise ValueError("odd")
        return await get(party)

    swept.referrals.get = stumbling  # type: ignore[method-assign,assignment]
    await swept.at(DAY)
    assert swept.engine.woken == ["fabrikam-1"]
    assert "sweep_unexpected_error instance=fabrikam-0" in caplog.text
    assert await swept.heartbeats.sweep()


async def test_many_rows_that_cannot_be_read_keep_nobody_waiting(swept: Swept) -> None:
    await parked(swept)
    for number in range(2 * BATCH):
        row = Row(keys.intent(NOW, f"odd-{number:03d}"), {"json0": "{"})
        await swept.tables.write(keys.INTENTS, keys.ALL_INTENTS, [Insert(row)])
    await swept.at(DAY)
    assert swept.engine.woken == [ID]


async def test_slow_looks_do_not_carry_a_sweep_beyond_its_time(swept: Swept) -> None:
    """However much is due: storage may take its time for each."""
    await overdue(swept, 10 * BATCH)
    swept.engine.acts = swept.expires
    get = swept.referrals.get

    async def slow(party: ReferralKey) -> object:
        swept.wall += timedelta(seconds=20)
        return await get(party)

    swept.referrals.get = slow  # type: ignore[method-assign,assignment]
    await swept.at(0)
    assert swept.wall - NOW < LONGEST_RUN + timedelta(seconds=20 * 11), "ten looks at a time are under way"
    assert len(swept.engine.woken) <= 12


async def test_an_engine_that_does_not_answer_counts_as_one_that_moves_nothing(swept: Swept) -> None:
    await parked(swept)
    swept.engine.away = True
    for minute in range(7):
        await swept.at(DAY + minute)
    assert fault_of_progress(await swept.heartbeats.sweep(), None, NOW, swept.wall)


async def test_a_standstill_of_long_ago_is_not_counted_into_another_one(swept: Swept) -> None:
    for at in (0, 600):
        await swept.heartbeats.record_sweep(NOW + at * MINUTE, moved=0, unmoved=1)
    beat = await swept.heartbeats.sweep()
    assert beat
    assert beat.unmoved_since == NOW + 600 * MINUTE


async def test_a_damaged_heartbeat_is_written_over(swept: Swept) -> None:
    await swept.tables.write(keys.STATUS, "heartbeats", [Insert(Row("sweep", {"json0": "{"}))])
    await swept.at(0)
    assert await swept.heartbeats.sweep()


@pytest.mark.parametrize(
    "failure", [StoreUnavailable("away"), StoreConflict("412")], ids=["away", "conflict"]
)
@pytest.mark.parametrize("moves", [True, False], ids=["for a moment", "still when it is to be put off"])
async def test_storage_that_fails_for_one_record_holds_up_no_other_and_it_is_tried_again_soon(
    swept: Swept, failure: Exception, moves: bool
) -> None:
    for index in range(2):
        await parked(swept, f"fabrikam-{index}")
    get, move = swept.referrals.get, swept.intents.move

    async def failing(party: ReferralKey) -> object:
        if party.referral_id == "fabrikam-0":
            raise failure
        return await get(party)

    async def perhaps_moved(intent: Intent, moved: Intent) -> None:
        if intent.id == "fabrikam-0" and not moves:
            raise StoreUnavailable("away")
        await move(intent, moved)

    swept.referrals.get = failing  # type: ignore[method-assign,assignment]
    swept.intents.move = perhaps_moved  # type: ignore[method-assign]
    await swept.at(DAY)
    assert swept.engine.woken == ["fabrikam-1"]
    swept.referrals.get, swept.intents.move = get, move  # type: ignore[method-assign]
    await swept.at(DAY + 1)
    assert "fabrikam-0" in swept.engine.woken
