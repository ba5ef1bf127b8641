"""A run over work: bounded in time, and patient with what nobody sends for now."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.referrals.transitions import accept_referral, win_referral
from shared.domain.ids import OrganizationId, ReferralId
from shared.domain.referral import ReferralKey
from shared.domain.work import Work
from shared.errors import MailPaused, MailServiceDown, MailUnavailable
from shared.mail.gate import FAILURES, FIRST_PAUSE, SPREAD, MailGate
from shared.storage.mail import MailRecord, MailRecords
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Operation
from shared.workflow.perform import LONGEST_DELAY, LONGEST_RUN, Performer, delay_after
from tests.doubles.dying_handlers import with_dying_handlers
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.orchestration import run_once
from tests.doubles.played_deal import PlayedDeal
from tests.doubles.service import service_on
from tests.doubles.small_world import deal
from tests.doubles.yielding_tables import YieldingTables
from tests.examples.referrals import NOW

WALL = datetime(2026, 11, 21, 12, tzinfo=UTC)
INVITED, WON = "000001", "000005"
HOUR = timedelta(hours=1)
SOON = timedelta(minutes=2)


class Slow(MemoryMailService):
    """Takes its time, by the wall clock, for each mail."""

    def __init__(self, takes: timedelta) -> None:
        super().__init__()
        self.wall, self._takes = WALL, takes

    async def send(self, record: MailRecord, now: datetime) -> None:
        self.wall += self._takes
        await super().send(record, now)


class Played(PlayedDeal):
    """A deal on a mail service and a wall clock of the test's, whose handlers leave their work to it."""

    def __init__(
        self,
        mail: MemoryMailService,
        wall_clock: Callable[[], datetime] = lambda: WALL,
        tables: MemoryTables | None = None,
    ) -> None:
        super().__init__(NOW, tables)
        self.mail = mail
        self.service = with_dying_handlers(service_on(self.tables, mail, wall_clock))

    @property
    def performer(self) -> Performer:
        return self.service.follow_ups.performer

    async def perform(
        self, organization: str = "northwind", label: str = INVITED, performer: Performer | None = None
    ) -> Work:
        """One run over a row of work; gives the row as it is then."""
        party = await self.party(organization)
        return await run_once(self.service, self.engine, party, label, self.now, performer=performer)

    async def won(self) -> None:
        """Two partners and Microsoft accept, and the deal is won: its work is to inform three, and a mail to each."""
        everybody = {"nia": "northwind", "kim": "fabrikam", "sam": "msft"}
        await self.begin(deal("northwind", "fabrikam"))
        await self.follow("contoso", *everybody.values())
        for person, organization in everybody.items():
            assert (await self.ask(person, organization, accept_referral)).status == 200
        await self.follow("contoso", *everybody.values())
        assert (await self.ask("rae", "contoso", win_referral)).status == 200


async def test_a_run_begins_nothing_more_after_a_minute_and_the_next_goes_on_at_once() -> None:
    slow = Slow(timedelta(seconds=40))
    played = Played(slow, lambda: slow.wall)
    await played.won()
    first = await played.perform("contoso", WON)
    assert [(state.task.kind, state.done) for state in first.tasks] == [
        ("inform", True),
        ("notify", True),
        ("notify", True),
        ("notify", False),
    ]
    assert first.is_due(played.now)
    assert [state.attempts for state in first.tasks] == [0] * 4
    assert not (await played.perform("contoso", WON)).open
    assert set(slow.attempts.values()) == {1}


async def test_a_message_of_many_mails_goes_on_where_the_run_before_left_it() -> None:
    """Whoever is in a mail that is refused gets one of their own."""
    slow = Slow(timedelta(seconds=25))
    played = Played(slow, lambda: slow.wall)
    await played.begin(deal("northwind", microsoft=False))
    people = [f"p{number}@northwind.example" for number in range(5)]
    await planned(played, people)
    slow.refuses = {people[0]}
    assert (await played.perform()).is_due(played.now)
    assert not (await played.perform()).open
    assert slow.attempts.total() == 1 + len(people), "the one to all, and one to each"
    assert set(slow.attempts.values()) == {1}
    assert "mailFailed" in await played.kinds("northwind")


async def planned(played: Played, people: list[str]) -> None:
    """Plan the invitation's mail, to these people."""
    played.mail.away = True
    await played.perform()
    records, party = played.performer.notices.records, await played.party("northwind")
    (stored,) = await records.list_for_message(party.referral_id, INVITED)
    mail = replace(stored.value, recipients=tuple(people), state="planned", first_sent_at=None)
    await records.save(mail, stored.etag)
    played.mail.away = False
    played.mail.attempts.clear()
    played.now += SOON


class SlowWrites(MemoryTables):
    """Storage that takes its time, by the wall clock, for each step of a referral once it is slow."""

    takes, wall = timedelta(), WALL

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        if table == "referrals":
            self.wall += self.takes
        return await super().write(table, partition, operations)


async def test_of_parties_that_take_long_the_rest_is_informed_by_the_next_run() -> None:
    tables = SlowWrites()
    played = Played(MemoryMailService(), lambda: tables.wall, tables)
    await played.won()
    tables.takes = timedelta(seconds=40)
    assert await informed_by(played) == 2
    assert await informed_by(played) == 3


async def informed_by(played: Played) -> int:
    """How many of the three parties know that the deal is won after one more run."""
    work = await played.perform("contoso", WON)
    assert work.tasks[0].attempts == 0
    assert work.is_due(NOW) == work.open, "what is left is due at once"
    timelines = [await played.kinds(organization) for organization in ("northwind", "fabrikam", "msft")]
    return sum("partyChanged" in kinds for kinds in timelines)


class Stuck(MemoryTables):
    """Storage that does not answer once it is stuck."""

    stuck = False

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        if self.stuck and table == "mail":
            await asyncio.Event().wait()
        return await super().write(table, partition, operations)


async def test_a_task_that_does_not_end_is_broken_off_and_tried_again_later() -> None:
    tables = Stuck()
    played = Played(MemoryMailService(), tables=tables)
    await played.begin(deal("northwind", microsoft=False))
    tables.stuck = True
    hasty = replace(played.performer, longest_task=timedelta(milliseconds=20))
    async with asyncio.timeout(10):
        (state,) = (await played.perform(performer=hasty)).tasks
    assert state.due
    assert (state.done, state.attempts) == (False, 1)
    tables.stuck = False
    played.now = state.due
    assert not (await played.perform()).open


async def test_a_mail_that_nobody_sends_for_now_is_no_failed_attempt_and_due_when_the_gate_opens() -> None:
    played = Played(MemoryMailService())
    await played.begin(deal("northwind", microsoft=False))
    gate = MailGate(MailRecords(played.tables), lambda: WALL)
    for _ in range(FAILURES):
        await gate.failed(None, MailServiceDown("away"), NOW)
    (state,) = (await played.perform()).tasks
    assert state.due
    assert (state.done, state.attempts) == (False, 0)
    assert FIRST_PAUSE <= state.due - NOW <= FIRST_PAUSE + SPREAD
    played.now = state.due
    assert not (await played.perform()).open


class Away(MemoryMailService):
    """Lets others go on before it fails, as a service does that hangs."""

    async def send(self, record: MailRecord, now: datetime) -> None:
        await asyncio.sleep(0)
        await super().send(record, now)


async def test_an_outage_costs_a_hundred_mails_a_few_attempts_and_all_are_sent_after_it() -> None:
    mail, at_once = Away(), 10
    played = Played(mail, tables=YieldingTables())
    for _ in range(100):
        await played.begin(deal("northwind", microsoft=False))
    parties = [
        ReferralKey(
            organization_id=OrganizationId("northwind"), referral_id=ReferralId(row.key.removeprefix("d:"))
        )
        for row in await played.tables.between("referrals", "northwind", "d:", "d;")
    ]
    assert len(parties) == 100

    async def run() -> None:
        """Each row that is due, ten at a time."""
        for start in range(0, len(parties), at_once):
            group = parties[start : start + at_once]
            await asyncio.gather(
                *(run_once(played.service, played.engine, party, INVITED, played.now) for party in group)
            )

    mail.away = True
    await run()
    assert mail.attempts.total() == at_once
    for _ in range(20):
        played.now += timedelta(seconds=30)
        await run()
    assert mail.attempts.total() <= at_once + 20, "one attempt to see whether it is back, each time"
    mail.away = False
    for _ in range(6):
        played.now += timedelta(minutes=10)
        await run()
    assert len(mail.taken) == 100


@pytest.mark.parametrize(("attempts", "minutes"), [(0, 1), (1, 2), (5, 32), (6, 60), (40, 60)])
def test_a_failed_attempt_is_repeated_after_growing_delays(attempts: int, minutes: int) -> None:
    for _ in range(20):
        delay = delay_after(attempts, MailUnavailable("503"))
        assert 0.75 * minutes <= delay / timedelta(minutes=1) <= 1.25 * minutes
    assert timedelta(minutes=60) == LONGEST_DELAY
    assert delay_after(attempts, MailUnavailable("429", retry_after=2 * HOUR)) == 2 * HOUR
    assert delay_after(attempts, MailPaused("for now", timedelta(seconds=7))) == timedelta(seconds=7)


def test_a_run_is_far_shorter_than_a_function_may_be() -> None:
    assert timedelta(minutes=1) == LONGEST_RUN
