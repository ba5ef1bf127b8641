"""The sweep: what is due is found and done, whatever died before, and no record keeps others waiting."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.ids import OperationId, ReferralId
from shared.domain.referral import ReferralKey
from shared.domain.work import Notify, Publish, work_of
from shared.errors import StoreConflict, StoreUnavailable
from shared.storage import keys
from shared.storage.intents import Intent
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Insert, Operation, Row, StoredRow, Upsert
from shared.workflow import sweep
from shared.workflow.announce import FIRST_LOOK
from shared.workflow.sweep import AT_ONCE, BATCH, LONGEST_HANDLER, LONGEST_RUN, LONGEST_TAKEN
from shared.workflow.wake import LIFECYCLE, WAIT_UNTIL, backup_time
from tests.doubles.swept import MINUTE, Swept, numbered
from tests.examples.referrals import NOW, creators, referral

DAY = timedelta(days=1) / MINUTE
ID, DEAL = numbered(1), "contoso-1"
KEY = referral(id=ID).key
INVITED = Notify(message="invited", audience="invitee")


class Died(BaseException):
    """The process ended here."""


@pytest.fixture
async def swept() -> Swept:
    return await Swept().begin()


def key_of(identifier: ReferralId) -> ReferralKey:
    return referral(id=identifier).key


def moment(minutes: float, identifier: ReferralId = ID) -> Intent:
    return Intent(
        id=identifier, reason="moment", party=key_of(identifier), at=NOW, due=NOW + minutes * MINUTE
    )


async def parked(swept: Swept, identifier: ReferralId = ID) -> None:
    """An invitation whose mails are sent, and whose orchestration waits for its answer."""
    announced = await swept.committed(referral(id=identifier), INVITED)
    swept.engine.run(identifier)
    row = await swept.referrals.get_work(announced.after.key, "000001")
    assert row
    done = tuple(replace(state, done=True) for state in row.value.tasks)
    await swept.referrals.save_work(announced.after.key, replace(row.value, tasks=done), row.etag)


async def open_deal(swept: Swept) -> None:
    """Contoso's deal, whose work is open: it has no moments of its own."""
    await swept.committed(creators(deal_type="PartnerLed"), Publish())


async def is_published(swept: Swept) -> bool:
    """Whether the work of that deal is done."""
    return bool(await swept.referrals.list_partner_led(None, 1))


async def test_what_is_committed_is_not_looked_at_before_its_handler_had_a_minute(swept: Swept) -> None:
    await open_deal(swept)
    assert FIRST_LOOK == MINUTE
    assert await swept.at(0.99) == 0
    assert not await is_published(swept)
    assert await swept.at(1) == 1


@pytest.mark.parametrize("away", [False, True], ids=["", "though the engine is away"])
async def test_work_whose_handler_died_is_done_and_its_intent_removed(swept: Swept, away: bool) -> None:
    await open_deal(swept)
    swept.engine.away = away
    await swept.at(1)
    assert await is_published(swept)
    assert await swept.left() == []


@pytest.mark.parametrize(("ahead", "expires"), [(0, True), (4, True), (6, False)])
async def test_a_host_whose_clock_is_ahead_of_storages_makes_nothing_happen_early(
    swept: Swept, ahead: float, expires: bool
) -> None:
    """L4."""
    await parked(swept)
    await swept.intents.announce(moment(14 * DAY))
    assert isinstance(swept.tables, MemoryTables)
    swept.tables.ahead = ahead * MINUTE
    await swept.at(14 * DAY + 5)
    stored = await swept.referrals.get(KEY)
    assert stored
    assert (stored.value.substatus == "Expired") == expires


async def test_what_is_done_by_then_is_forgotten_without_waking_anybody(swept: Swept) -> None:
    await parked(swept)
    assert await swept.at(1) == 1
    assert [(each.reason, each.due) for each in await swept.left()] == [("moment", NOW + DAY * MINUTE)]
    assert (swept.engine.events, swept.engine.starts, swept.mail.taken) == ([], [], {})


@pytest.mark.parametrize(
    ("age", "kept"), [(LONGEST_HANDLER, True), (LONGEST_HANDLER + timedelta(seconds=1), False)]
)
async def test_an_intent_without_a_commit_is_kept_as_long_as_its_handler_can_live(
    swept: Swept, age: timedelta, kept: bool
) -> None:
    work = work_of(ID, "000001", OperationId("op"), ())
    await swept.announcements.announce_work(KEY, work, NOW)
    swept.wall = NOW + age
    await swept.sweep.run(swept.engine, NOW + MINUTE)
    assert (bool(await swept.left()), swept.engine.starts) == (kept, [])


async def test_an_intent_whose_commit_comes_late_is_looked_at_until_then(swept: Swept) -> None:
    """Its handler may still be trying when the sweep first comes by."""
    work = work_of(ReferralId(DEAL), "000001", OperationId("op"), (Publish(),))
    await swept.announcements.announce_work(creators().key, work, NOW)
    await swept.rounds(10)
    assert [each.id for each in await swept.left()] == ["op"]
    await swept.stored(creators(deal_type="PartnerLed"))
    await swept.referrals.insert_work(creators().key, work)
    await swept.rounds(10, first=10)
    assert await is_published(swept)
    assert await swept.left() == []


async def test_a_domain_clock_that_is_moved_while_a_handler_is_at_work_forgets_no_intent(
    swept: Swept,
) -> None:
    """Fourteen days may pass between announcing a commit and making it."""
    change = await Swept().committed(referral(id=ID), INVITED)
    await swept.announcements.announce(change, NOW)
    await swept.sweep.run(swept.engine, NOW + timedelta(days=14))
    assert {each.reason for each in await swept.left()} == {"commit", "moment"}


@pytest.mark.parametrize(("age", "left"), [(timedelta(), ["another"]), (timedelta(hours=1), [])])
async def test_an_attempt_that_lost_is_not_taken_for_the_one_that_won(
    swept: Swept, age: timedelta, left: list[str]
) -> None:
    """Its handler may be trying again under the same id."""
    await open_deal(swept)
    lost = work_of(ReferralId(DEAL), "000001", OperationId("another"), ())
    await swept.announcements.announce_work(creators().key, lost, NOW)
    swept.wall = NOW + age
    await swept.at(1)
    assert [each.id for each in await swept.left()] == left


async def test_the_intent_of_work_that_waits_is_not_removed_with_that_of_an_attempt_that_lost(
    swept: Swept,
) -> None:
    await swept.committed(referral(id=ID), INVITED)
    lost = work_of(ID, "000001", OperationId("another"), ())
    await swept.announcements.announce_work(KEY, lost, NOW)
    swept.mail.away, swept.wall = True, NOW + timedelta(hours=1)
    await swept.at(1)
    assert [each.id for each in await swept.left() if each.reason == "commit"] == ["op"]


async def test_work_that_was_put_off_is_looked_at_when_it_is_due_again(swept: Swept) -> None:
    await open_deal(swept)
    row = await swept.referrals.get_work(creators().key, "000001")
    assert row
    later = tuple(replace(state, due=NOW + 32 * MINUTE) for state in row.value.tasks)
    await swept.referrals.save_work(creators().key, replace(row.value, tasks=later), row.etag)
    looked_at = [m for m in range(32) if await swept.at(m)]
    assert (looked_at, await is_published(swept)) == ([1], False)
    assert (await swept.at(32), await is_published(swept)) == (1, True)


@pytest.mark.parametrize("state", ["parked", "failed, or lost with the task hub", "the engine is away"])
async def test_what_a_moment_is_for_is_done_whatever_became_of_the_orchestration(
    swept: Swept, state: str
) -> None:
    await parked(swept)
    if state != "parked":
        swept.engine.instances.clear()
    swept.engine.away = state == "the engine is away"
    assert [m for m in (1.5, DAY - 0.01) if await swept.at(m) and swept.mail.taken] == []
    await swept.at(DAY)
    assert swept.mailed("reminder") == [ID]
    assert [each.due for each in await swept.left()] == [NOW + timedelta(days=11)]


async def test_a_new_referral_whose_orchestration_does_not_run_gets_one_at_its_moment(swept: Swept) -> None:
    await parked(swept)
    await swept.at(DAY)
    assert (swept.engine.starts, swept.engine.events) == ([], []), "one that runs is left alone"
    swept.engine.instances.clear()
    await swept.at(11 * DAY)
    assert swept.engine.starts == [(LIFECYCLE, ID)]
    until = swept.engine.instances[ID].argument[WAIT_UNTIL]
    assert until == backup_time(ID, NOW + timedelta(days=14)).isoformat()


async def test_a_deadline_is_kept_and_what_waited_for_it_ends(swept: Swept) -> None:
    """L4, M2."""
    await parked(swept)
    await swept.stored(creators())
    await swept.at(14 * DAY - 0.01)
    assert await swept.state(KEY) == "New/Pending"
    await swept.at(14 * DAY)
    assert await swept.state(KEY) == "Closed/Expired"
    assert swept.mailed("expired") == [ID]
    assert swept.engine.events == [(ID, "expired")]
    assert await swept.left() == []


async def test_a_moment_that_is_past_is_followed_by_the_next_one(swept: Swept) -> None:
    await parked(swept)
    await swept.at(DAY)
    assert [each.due for each in await swept.left()] == [NOW + timedelta(days=11)]


@pytest.mark.parametrize(("substatus", "event"), [("Accepted", "accepted"), ("Declined", "declined")])
async def test_a_record_that_was_answered_has_no_moments_and_no_orchestration_any_more(
    swept: Swept, substatus: str, event: str
) -> None:
    """Its handler died before it removed the one and ended the other."""
    status = "Active" if substatus == "Accepted" else "Closed"
    await swept.stored(referral(id=ID, status=status, substatus=substatus))
    swept.engine.run(ID)
    await swept.intents.announce(moment(0))
    assert await swept.at(0) == 1
    assert await swept.left() == []
    assert (swept.mail.taken, swept.engine.events) == ({}, [(ID, event)])


async def test_reminders_have_no_intent_of_their_own_and_are_found_by_their_moment(swept: Swept) -> None:
    """Whoever dies between opening a reminder and mailing it leaves open work."""
    await parked(swept)
    await swept.at(1)
    task = Notify(message="reminder", audience="answerers")
    await swept.referrals.insert_work(KEY, work_of(ID, "reminder-first", OperationId("r"), (task,)))
    await swept.at(DAY)
    assert swept.mailed("reminder") == [ID]


async def test_a_reminder_that_nobody_takes_for_now_is_found_by_its_moment_again(swept: Swept) -> None:
    await parked(swept)
    swept.mail.away = True
    await swept.at(DAY)
    (left,) = await swept.left()
    assert (left.reason, left.due > NOW + DAY * MINUTE, left.due <= NOW + (DAY + 2) * MINUTE) == (
        "moment",
        True,
        True,
    )
    swept.mail.away = False
    await swept.rounds(60, first=int(DAY) + 1)
    assert swept.mailed("reminder") == [ID]


async def test_one_for_which_the_engine_fails_keeps_no_other_waiting(swept: Swept) -> None:
    for index in range(3):
        await parked(swept, numbered(index))
    swept.engine.away_for = {numbered(0)}
    await swept.at(DAY)
    assert sorted(swept.mailed("reminder")) == [numbered(index) for index in range(3)]


async def test_a_row_that_cannot_be_read_is_set_aside_and_counted_and_the_rest_goes_on(
    swept: Swept, caplog: pytest.LogCaptureFixture
) -> None:
    await parked(swept)
    row = Row(keys.intent(NOW, "odd"), {"json0": '{"version": 99}'})
    await swept.tables.write(keys.INTENTS, keys.ALL_INTENTS, [Insert(row)])
    for minute in (DAY, DAY + 1):
        await swept.at(minute)
    assert swept.mailed("reminder") == [ID]
    assert await swept.intents.unreadable() == 1
    assert caplog.text.count("intent_unreadable") == 1


async def test_a_record_that_cannot_be_read_keeps_no_other_waiting_and_is_tried_again_each_hour(
    swept: Swept, caplog: pytest.LogCaptureFixture
) -> None:
    for index in range(2):
        await parked(swept, numbered(index))
    await swept.at(1)
    document = Row(keys.document(numbered(0)), {"json0": "{"})
    await swept.tables.write(keys.REFERRALS, "fabrikam", [Upsert(document)])
    for minute in range(121):
        await swept.at(DAY + minute)
    assert swept.mailed("reminder") == [numbered(1)]
    assert caplog.text.count(f"sweep_record_damaged instance={numbered(0)}") == 3


async def overdue(swept: Swept, count: int) -> list[ReferralId]:
    """So many referrals whose time is over, the earliest first."""
    ids = [numbered(number) for number in range(count)]
    await swept.stored(creators())
    for number, identifier in enumerate(ids):
        await swept.stored(referral(id=identifier, expires_at=NOW - timedelta(minutes=1)))
        await swept.intents.announce(moment(number - count, identifier))
    return ids


async def expired(swept: Swept, ids: list[ReferralId]) -> list[ReferralId]:
    """Those of these referrals that are expired."""
    return [each for each in ids if await swept.state(key_of(each)) == "Closed/Expired"]


def looks(swept: Swept) -> list[ReferralId]:
    """Which referrals are read from now on, each once, in order."""
    seen: list[ReferralId] = []
    get = swept.referrals.get

    async def watched(record: ReferralKey) -> object:
        if record.referral_id not in (*seen, DEAL):
            seen.append(record.referral_id)
        return await get(record)

    swept.referrals.get = watched  # type: ignore[method-assign,assignment]
    return seen


async def test_what_is_due_is_looked_at_oldest_first_in_batches(swept: Swept) -> None:
    ids = await overdue(swept, 120)
    seen = looks(swept)
    assert await swept.at(0) == 120
    assert await expired(swept, ids) == ids
    for begin in range(0, 120, BATCH):
        assert sorted(seen[begin : begin + BATCH]) == ids[begin : begin + BATCH]


async def test_some_records_are_looked_at_at_once_and_not_too_many(swept: Swept) -> None:
    get, under_way, most = swept.referrals.get, 0, 0

    async def counting(record: ReferralKey) -> object:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(3):
            await asyncio.sleep(0)
        under_way -= 1
        return await get(record)

    for number in range(BATCH):
        await swept.stored(referral(id=numbered(number), status="Active"))
        await swept.intents.announce(moment(0, numbered(number)))
    swept.referrals.get = counting  # type: ignore[method-assign,assignment]
    await swept.at(0)
    assert most == AT_ONCE < BATCH


async def test_a_batch_costs_one_request_to_take_it_and_one_when_it_is_done(swept: Swept) -> None:
    writes: list[int] = []
    write = swept.tables.write

    async def counting(table: str, partition: str, operations: list[object]) -> object:
        if table == keys.INTENTS:
            writes.append(len(operations))
        return await write(table, partition, operations)

    for number in range(BATCH):
        await swept.stored(referral(id=numbered(number), status="Active"))
        await swept.intents.announce(moment(0, numbered(number)))
    swept.tables.write = counting
    await swept.at(0)
    assert writes == [2 * BATCH, BATCH]
    assert await swept.left() == []


async def test_a_sweep_ends_in_time_however_much_is_due_and_the_next_one_goes_on(swept: Swept) -> None:
    """Storage may take its time for each record."""
    ids = await overdue(swept, 10 * BATCH)
    get, takes = swept.referrals.get, timedelta(seconds=5)

    async def slow(record: ReferralKey) -> object:
        swept.wall += takes
        return await get(record)

    swept.referrals.get = slow  # type: ignore[method-assign,assignment]
    await swept.at(0)
    some = await expired(swept, ids)
    assert 0 < len(some) <= LONGEST_RUN // (2 * takes) + AT_ONCE < BATCH, "what has begun comes to its end"
    untouched = {each.instance_id for each in await swept.left() if each.due < NOW}
    assert untouched == set(ids[BATCH:]), "and no further batch is taken"
    swept.referrals.get = get  # type: ignore[method-assign]
    await swept.at(0.2)
    assert await expired(swept, ids) == ids


async def test_what_a_sweep_had_no_time_for_is_not_taken_for_what_ended_it(swept: Swept) -> None:
    await overdue(swept, BATCH)
    get = swept.referrals.get

    async def slow(record: ReferralKey) -> object:
        swept.wall += LONGEST_RUN
        return await get(record)

    swept.referrals.get = slow  # type: ignore[method-assign,assignment]
    await swept.at(0)
    assert len(left := await swept.left()) >= BATCH - AT_ONCE
    assert {each.tries for each in left} == {0}


async def test_what_waits_is_not_read(swept: Swept) -> None:
    read: list[int] = []
    between = swept.tables.between

    async def counting(table: str, *arguments: object, **options: object) -> object:
        rows = await between(table, *arguments, **options)
        if table == keys.INTENTS:
            read.append(len(rows))
        return rows

    for number in range(300):
        await swept.intents.announce(moment(DAY, numbered(number)))
    swept.tables.between = counting
    await swept.at(0)
    assert read == [0]


async def test_a_sweep_leaves_a_heartbeat(swept: Swept) -> None:
    await swept.at(0)
    beat = await swept.heartbeats.sweep()
    assert beat
    assert beat.at == NOW


async def test_a_sweep_that_cannot_read_its_intents_leaves_no_heartbeat(swept: Swept) -> None:
    between = swept.tables.between

    async def away(table: str, *arguments: object, **options: object) -> object:
        if table == keys.INTENTS:
            raise StoreUnavailable("away")
        return await between(table, *arguments, **options)

    swept.tables.between = away
    with pytest.raises(StoreUnavailable):
        await swept.at(0)
    assert await swept.heartbeats.sweep() is None


async def test_a_damaged_heartbeat_is_written_over(swept: Swept) -> None:
    await swept.tables.write(keys.STATUS, "heartbeats", [Insert(Row("sweep", {"json0": "{"}))])
    await swept.at(0)
    assert await swept.heartbeats.sweep()


async def test_a_defect_at_one_record_keeps_no_other_waiting(
    swept: Swept, caplog: pytest.LogCaptureFixture
) -> None:
    for index in range(2):
        await parked(swept, numbered(index))
    await swept.at(1)
    get = swept.referrals.get

    async def stumbling(record: ReferralKey) -> object:
        if record.referral_id == numbered(0):
            raise ValueError("odd")
        return await get(record)

    swept.referrals.get = stumbling  # type: ignore[method-assign,assignment]
    await swept.at(DAY)
    assert swept.mailed("reminder") == [numbered(1)]
    assert f"sweep_unexpected_error instance={numbered(0)}" in caplog.text
    assert (await swept.due())[numbered(0)] == NOW + (DAY + 60) * MINUTE
    beat = await swept.heartbeats.sweep()
    assert beat
    assert beat.at == NOW + DAY * MINUTE


async def test_many_rows_that_cannot_be_read_keep_nobody_waiting(swept: Swept) -> None:
    await parked(swept)
    for number in range(2 * BATCH):
        row = Row(keys.intent(NOW, f"odd-{number:03d}"), {"json0": "{"})
        await swept.tables.write(keys.INTENTS, keys.ALL_INTENTS, [Insert(row)])
    await swept.at(DAY)
    assert swept.mailed("reminder") == [ID]


@pytest.mark.parametrize(
    "failure", [StoreUnavailable("away"), StoreConflict("412")], ids=["away", "conflict"]
)
async def test_storage_that_fails_for_one_record_holds_up_no_other_and_it_is_tried_again_soon(
    swept: Swept, failure: Exception
) -> None:
    for index in range(2):
        await parked(swept, numbered(index))
    get = swept.referrals.get

    async def failing(record: ReferralKey) -> object:
        if record.referral_id == numbered(0):
            raise failure
        return await get(record)

    swept.referrals.get = failing  # type: ignore[method-assign,assignment]
    await swept.at(DAY)
    assert swept.mailed("reminder") == [numbered(1)]
    swept.referrals.get = get  # type: ignore[method-assign]
    await swept.at(DAY + 1)
    assert swept.mailed("reminder") == [numbered(1), numbered(0)]


async def test_what_was_looked_at_but_could_not_be_put_off_is_looked_at_again(swept: Swept) -> None:
    for index in range(2):
        await parked(swept, numbered(index))
    await swept.at(1)
    write = swept.tables.write

    async def failing(table: str, partition: str, operations: list[object]) -> object:
        if table == keys.INTENTS and len(swept.mail.taken) == 2:
            raise StoreUnavailable("away")
        return await write(table, partition, operations)

    swept.tables.write = failing
    with pytest.raises(StoreUnavailable):
        await swept.at(DAY)
    swept.tables.write = write
    await swept.rounds(4, first=int(DAY) + 1)
    assert sorted(swept.mailed("reminder")) == [numbered(0), numbered(1)]
    assert set((await swept.due()).values()) == {NOW + timedelta(days=11)}


class Mortal(MemoryTables):
    """Storage of a process that ends when it reads a certain document: then nothing of it goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.deadly: ReferralId | None = None
        self.is_dead = False

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        self.is_dead = self.is_dead or (self.deadly is not None and key == keys.document(self.deadly))
        self._require_life()
        return await super().get(table, partition, key)

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        self._require_life()
        return await super().write(table, partition, operations)

    def _require_life(self) -> None:
        if self.is_dead:
            raise Died

    async def dies_in(self, swept: Swept, minute: float) -> bool:
        """Whether the process ends in this sweep; another one takes its place."""
        with suppress(Died):
            await swept.at(minute)
        died, self.is_dead = self.is_dead, False
        return died


async def test_what_a_sweep_dies_of_is_due_again_at_growing_intervals() -> None:
    """2, 4, 8, 16 and from then on 32 minutes: it is not to end one process after the other."""
    tables = Mortal()
    swept = await Swept(tables).begin()
    await parked(swept)
    await swept.at(1)
    tables.deadly = ID
    died_at = [minute for minute in range(200) if await tables.dies_in(swept, DAY + minute)]
    assert died_at == [0, 2, 6, 14, 30, 62, 94, 126, 158, 190]
    assert timedelta(minutes=32) == LONGEST_TAKEN


@pytest.mark.parametrize(
    "place", [0, BATCH - 1, BATCH], ids=["first", "last of its batch", "in the next batch"]
)
async def test_a_record_that_ends_the_process_keeps_none_of_the_others_waiting(place: int) -> None:
    """Neither those of its own batch, whichever of them comes first, nor those after it."""
    tables = Mortal()
    swept = await Swept(tables).begin()
    ids = [numbered(number) for number in range(2 * BATCH)]
    for each in ids:
        await parked(swept, each)
    await swept.at(1)
    tables.deadly = ids.pop(place)
    for tenth in range(5 * 6):
        await tables.dies_in(swept, DAY + tenth / 6)
    assert sorted(swept.mailed("reminder")) == ids


async def test_after_a_death_those_that_were_taken_are_taken_one_at_a_time_and_after_the_others(
    swept: Swept,
) -> None:
    """One of them may be what ended the sweep."""
    for number in range(4):
        await swept.stored(referral(id=numbered(number), status="Active"))
        await swept.intents.announce(replace(moment(0, numbered(number)), tries=number % 2))
    order: list[list[str]] = []
    move = swept.intents.move

    async def watched(moves: Iterable[tuple[Intent, Intent | None]]) -> None:
        moved = list(moves)
        order.append([taken.id for taken, _ in moved])
        await move(moved)

    swept.intents.move = watched  # type: ignore[method-assign]
    await swept.at(0)
    assert order[::2] == [[numbered(0), numbered(2)], [numbered(1)], [numbered(3)]]
    assert order[1::2] == order[::2]


@pytest.mark.parametrize("ends", [True, False])
async def test_a_sweep_waits_a_while_for_what_handlers_of_its_process_are_doing(
    swept: Swept, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    """It would do the same again."""
    monkeypatch.setattr(sweep, "OWN_WORK_SECONDS", 20 if ends else 0.01)
    await open_deal(swept)
    done = asyncio.Event()
    swept.service.follow_ups.background.start(until(done))
    sweeping = asyncio.create_task(swept.at(1))
    if ends:
        for _ in range(50):
            await asyncio.sleep(0)
        assert not await is_published(swept)
        done.set()
    async with asyncio.timeout(10):
        assert await sweeping == 1
    assert await is_published(swept)
    done.set()


async def until(event: asyncio.Event) -> None:
    await event.wait()
