"""A mail service that hangs, fails for all or asks for a pause costs a few attempts, not one for each mail (M6)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.errors import MailPaused, MailServiceDown, MailUnavailable
from shared.mail.gate import FAILURES, FIRST_PAUSE, KNOWN_OPEN, MAX_PAUSE, SPREAD, TRIAL, MailGate
from shared.mail.service import CALL_SECONDS
from shared.storage.mail import MailRecords
from shared.storage.memory_tables import MemoryTables
from tests.doubles.yielding_tables import YieldingTables
from tests.examples.referrals import NOW

DOWN = MailServiceDown("no answer")
SECOND = timedelta(seconds=1)
WALL = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Senders:
    """Several processes that send over one storage, each with a gate of its own."""

    def __init__(self, count: int = 1, tables: MemoryTables | None = None) -> None:
        self.records = MailRecords(tables or MemoryTables())
        self.wall = WALL
        self.gates = [MailGate(self.records, lambda: self.wall) for _ in range(count)]

    async def send(self, now: datetime, answer: MailUnavailable | None = None, process: int = 0) -> None:
        """One mail, which the service answers so. Raises `MailPaused` if it is not even tried."""
        gate = self.gates[process]
        trial = await gate.enter(now)
        await asyncio.sleep(0)
        if answer:
            await gate.failed(trial, answer, now)
        else:
            await gate.answered(trial)

    async def fail(self, times: int, now: datetime = NOW, process: int = 0) -> None:
        for _ in range(times):
            await self.send(now, DOWN, process)

    async def is_open(self, now: datetime, process: int = 0) -> bool:
        gate = await self.records.gate()
        return gate is None or gate.value.open

    async def pause(self) -> timedelta:
        gate = await self.records.gate()
        assert gate
        return gate.value.pause


async def closed() -> Senders:
    senders = Senders()
    await senders.fail(FAILURES)
    return senders


async def test_three_failures_in_a_row_close_the_gate_for_every_process() -> None:
    senders = Senders(2)
    await senders.fail(FAILURES - 1)
    assert await senders.is_open(NOW)
    await senders.fail(1)
    for process in (0, 1):
        with pytest.raises(MailPaused) as paused:
            await senders.send(NOW + SECOND, process=process)
        assert FIRST_PAUSE - SECOND <= paused.value.retry_after <= FIRST_PAUSE - SECOND + SPREAD


@pytest.mark.parametrize(
    "answer", [None, MailUnavailable("409: this mail alone")], ids=["taken", "one's own"]
)
async def test_a_service_that_answers_in_between_does_not_fail_for_everybody(
    answer: MailUnavailable | None,
) -> None:
    senders = Senders()
    for _ in range(3):
        await senders.fail(FAILURES - 1)
        await senders.send(NOW, answer)
    assert await senders.is_open(NOW)


async def test_ten_attempts_that_fail_at_once_close_the_gate_once() -> None:
    senders = Senders(tables=YieldingTables())
    await asyncio.gather(*(senders.send(NOW, DOWN) for _ in range(10)))
    gate = await senders.records.gate()
    assert gate
    assert (gate.value.until, gate.value.pause) == (NOW + FIRST_PAUSE, FIRST_PAUSE)


async def test_of_a_hundred_that_come_when_the_gate_opens_one_goes_first() -> None:
    senders = Senders(2, YieldingTables())
    await senders.fail(FAILURES)
    later = NOW + FIRST_PAUSE
    tried = await asyncio.gather(
        *(senders.send(later, DOWN, number % 2) for number in range(100)), return_exceptions=True
    )
    assert tried.count(None) == 1
    paused = [each for each in tried if isinstance(each, MailPaused)]
    assert len(paused) == 99
    assert min(each.retry_after for each in paused) >= TRIAL


async def test_the_pause_doubles_up_to_five_minutes_while_the_first_attempt_fails() -> None:
    senders, now = await closed(), NOW
    pauses = []
    for _ in range(6):
        pauses.append((await senders.pause()).total_seconds())
        now += await senders.pause()
        await senders.fail(1, now)
    assert pauses == [30, 60, 120, 240, 300, 300]
    assert timedelta(seconds=pauses[-1]) == MAX_PAUSE


async def test_a_first_attempt_that_is_answered_opens_the_gate_for_all() -> None:
    senders = await closed()
    await senders.send(NOW + FIRST_PAUSE)
    for _ in range(5):
        await senders.send(NOW + FIRST_PAUSE)
    assert await senders.is_open(NOW)
    await senders.fail(FAILURES - 1)
    assert await senders.is_open(NOW), "failures before the pause do not count"


async def test_who_goes_first_and_dies_keeps_the_others_waiting_for_one_trial_only() -> None:
    senders = await closed()
    later = NOW + FIRST_PAUSE
    await senders.gates[0].enter(later)
    with pytest.raises(MailPaused):
        await senders.send(later + TRIAL - SECOND)
    await senders.send(later + TRIAL)
    assert await senders.is_open(later)


def test_others_wait_as_long_as_one_call_can_take() -> None:
    assert timedelta(seconds=CALL_SECONDS) < TRIAL


async def test_who_went_first_does_not_open_a_gate_that_was_closed_anew_meanwhile() -> None:
    senders = Senders(2)
    await senders.fail(FAILURES)
    gate = senders.gates[0]
    trial = await gate.enter(NOW + FIRST_PAUSE)
    await senders.gates[1].failed(None, asked(minutes=9), NOW + FIRST_PAUSE)
    await gate.answered(trial)
    with pytest.raises(MailPaused):
        await senders.send(NOW + FIRST_PAUSE + timedelta(minutes=8))


def asked(**duration: int) -> MailUnavailable:
    return MailUnavailable("429", retry_after=timedelta(**duration))


async def test_of_two_pauses_that_the_service_asks_for_the_longer_one_counts() -> None:
    senders = Senders()
    both = [await senders.gates[0].enter(NOW) for _ in range(2)]  # under way before either was refused
    for minutes, trial in zip((60, 1), both, strict=True):
        await senders.gates[0].failed(trial, asked(minutes=minutes), NOW)
    gate = await senders.records.gate()
    assert gate
    assert gate.value.until == NOW + timedelta(minutes=60)


async def test_a_pause_that_the_service_asks_of_the_first_attempt_is_as_long_as_it_says() -> None:
    senders = await closed()
    later = NOW + FIRST_PAUSE
    await senders.send(later, asked(seconds=5))
    with pytest.raises(MailPaused):
        await senders.send(later + timedelta(seconds=4))
    await senders.send(later + timedelta(seconds=5))


async def test_those_who_wait_are_spread() -> None:
    senders = await closed()
    waits = set()
    for _ in range(50):
        with pytest.raises(MailPaused) as paused:
            await senders.send(NOW)
        waits.add(paused.value.retry_after)
    assert len(waits) > 10
    assert max(waits) - min(waits) > SPREAD / 3


async def test_mails_that_are_taken_cost_one_look_at_the_gate_in_ten_seconds_before_and_after_an_outage() -> (
    None
):
    tables = MemoryTables()
    senders = Senders(tables=tables)
    await looks_once_in_ten_seconds(senders, tables, NOW)
    await senders.fail(FAILURES)
    await senders.send(NOW + FIRST_PAUSE)
    await looks_once_in_ten_seconds(senders, tables, NOW + FIRST_PAUSE)


async def looks_once_in_ten_seconds(senders: Senders, tables: MemoryTables, now: datetime) -> None:
    looks = []
    for passed in (timedelta(), KNOWN_OPEN - SECOND, SECOND, SECOND):  # after 0, 9, 10 and 11 seconds
        senders.wall += passed
        before = tables.requests
        await senders.send(now)
        looks.append(tables.requests - before)
    assert looks == [1, 0, 1, 0]


async def test_a_closed_gate_is_looked_at_each_time() -> None:
    tables = MemoryTables()
    senders = Senders(tables=tables)
    await senders.fail(FAILURES)
    for _ in range(3):
        tables.requests = 0
        with pytest.raises(MailPaused):
            await senders.send(NOW)
        assert tables.requests == 1


async def test_a_process_that_closes_the_gate_knows_it_at_once() -> None:
    senders = Senders()
    await senders.send(NOW)
    await senders.send(NOW, asked(minutes=1))
    with pytest.raises(MailPaused):
        await senders.send(NOW)


async def test_a_gate_that_another_process_closes_is_noticed_after_ten_seconds() -> None:
    senders = Senders(2)
    await senders.send(NOW)
    await senders.fail(FAILURES, process=1)
    senders.wall += KNOWN_OPEN - SECOND
    await senders.send(NOW)
    senders.wall += SECOND
    with pytest.raises(MailPaused):
        await senders.send(NOW)


async def test_a_gate_that_another_process_closes_is_noticed_after_the_first_failure() -> None:
    senders = Senders(2)
    await senders.send(NOW)
    await senders.fail(FAILURES, process=1)
    await senders.fail(1)
    with pytest.raises(MailPaused):
        await senders.send(NOW)


async def test_a_wall_clock_that_is_set_back_does_not_keep_the_gate_open_for_longer() -> None:
    senders = Senders(2)
    await senders.send(NOW)
    await senders.fail(FAILURES, process=1)
    senders.wall -= timedelta(hours=1)
    with pytest.raises(MailPaused):
        await senders.send(NOW)


async def test_a_gate_that_closes_while_it_is_read_does_not_count_as_open() -> None:
    """What was read is out of date: the same process closes the gate meanwhile."""
    senders = Senders()
    gate, read = senders.gates[0], senders.records.gate

    async def slow() -> Any:
        found = await read()
        senders.records.gate = read  # type: ignore[method-assign]
        await gate.failed(None, asked(minutes=1), NOW)
        return found

    senders.records.gate = slow  # type: ignore[method-assign]
    assert await gate.enter(NOW) is None
    with pytest.raises(MailPaused):
        await senders.send(NOW)
