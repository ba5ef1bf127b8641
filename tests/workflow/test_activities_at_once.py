"""Handlers, the sweep and activities may do the same work at once: each ends quietly, and all is done once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

import pytest

from api.referrals.transitions import accept_referral, decline_referral, win_referral
from shared.domain.change import Change, CommandContext
from shared.domain.ids import OperationId, RegistrationId
from shared.domain.lifecycle import record_failed_mail
from shared.domain.referral import Referral
from shared.storage.mail import MailRecord
from tests.doubles import orchestration
from tests.doubles.dying_handlers import with_dying_handlers
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.orchestration import run_once
from tests.doubles.played_deal import PlayedDeal
from tests.doubles.played_registration import PlayedRegistration
from tests.doubles.queue import in_queue
from tests.doubles.service import service_on
from tests.doubles.small_world import deal
from tests.doubles.yielding_tables import YieldingTables
from tests.examples.referrals import NOW

EVERYBODY = ("contoso", "northwind", "fabrikam", "msft")
BEHIND = [0, 1, 2, 3, 5, 8]
"""By how many turns of the event loop the second run is behind the first."""
Run = Callable[[], Awaitable[None]]


async def once(run: Run) -> None:
    """As it should be."""
    await run()


def late(behind: int) -> Callable[[Run], Awaitable[None]]:
    """One run, so far behind."""

    async def later(run: Run) -> None:
        for _ in range(behind):
            await asyncio.sleep(0)
        await run()

    return later


def twice(behind: int) -> Callable[[Run], Awaitable[None]]:
    """Two runs at once; one that raises fails the test, as it would its orchestration."""

    async def both(run: Run) -> None:
        await asyncio.gather(run(), late(behind)(run))

    return both


class Played(PlayedDeal):
    """A deal whose due work is done so, beside the handlers that do their own."""

    def __init__(self, deliver: Callable[[Run], Awaitable[None]]) -> None:
        super().__init__(NOW, YieldingTables())
        self._deliver = deliver

    async def follow(self, *organizations: str) -> None:
        """All that is due now, and for an hour after it whatever was put off."""
        for _ in range(6):
            for organization in organizations:
                party = await self.party(organization)
                await self._deliver(partial(orchestration.follow, self.service, self.engine, party, self.now))
            self.now += timedelta(minutes=10)


Handlers = Literal["do their own work", "die", "work beside the others"]


async def a_deals_life(
    deliver: Callable[[Run], Awaitable[None]], handlers: Handlers = "do their own work"
) -> tuple[Counter[tuple[str, str]], object]:
    """One accepts, one declines, one is silent, and the deal is won; gives the mails and the timelines."""
    played = Played(deliver)
    if handlers == "die":
        played.service = with_dying_handlers(played.service)
    played.waits = handlers == "do their own work"
    await played.begin(deal("northwind", "fabrikam"))
    await played.follow(*EVERYBODY)
    assert (await played.ask("nia", "northwind", accept_referral)).status == 200
    assert (
        await played.ask("kim", "fabrikam", decline_referral, {"reason": "TimelineTooShort"})
    ).status == 200
    await played.follow(*EVERYBODY)
    played.now = NOW + timedelta(days=12)
    await played.follow(*EVERYBODY)
    played.now = NOW + timedelta(days=14)
    await played.follow(*EVERYBODY)
    assert (await played.ask("rae", "contoso", win_referral)).status == 200
    await played.follow(*EVERYBODY)
    left = [
        row.value.label
        for organization in EVERYBODY
        for row in await played.service.referrals.work(await played.party(organization))
        if row.value.open
    ]
    assert left == []
    left_intents = [intent async for intent in played.service.intents.all() if intent.reason == "commit"]
    assert left_intents == []
    return played.mail.told(), {each: sorted(await played.kinds(each)) for each in EVERYBODY}


@pytest.mark.parametrize("behind", BEHIND)
async def test_a_deal_whose_work_is_all_done_twice_at_once_is_told_once(behind: int) -> None:
    assert await a_deals_life(twice(behind), "die") == await a_deals_life(once)


@pytest.mark.parametrize("behind", [*BEHIND, 13, 21, 34])
async def test_a_deal_whose_work_is_looked_at_while_its_handlers_do_it_is_told_once(behind: int) -> None:
    assert await a_deals_life(late(behind), "work beside the others") == await a_deals_life(once)


class Meanwhile(MemoryMailService):
    """Takes a mail when another run has done something."""

    def __init__(self, act: Run) -> None:
        super().__init__()
        self._act = act

    async def send(self, record: MailRecord, now: datetime) -> None:
        await self._act()
        await super().send(record, now)


async def test_a_run_that_finds_the_work_kept_by_another_leaves_the_intent_to_it() -> None:
    """The other one put the mail off, and whoever dies then must be found out."""
    played = Played(once)
    await played.begin(deal("northwind", microsoft=False))
    await played.follow("contoso", "northwind")
    played.mail.away = True  # so that the command leaves its work open
    assert (await played.ask("nia", "northwind", accept_referral)).status == 200
    played.mail.away = False
    played.now += timedelta(minutes=2)
    party, referrals = await played.party("northwind"), played.service.referrals

    async def put_off() -> None:
        (row,) = [row for row in await referrals.work(party) if row.value.open]
        tasks = tuple(replace(state, due=NOW + timedelta(days=1)) for state in row.value.tasks)
        await referrals.save_work(party, replace(row.value, tasks=tasks), row.etag)

    service = service_on(played.tables, Meanwhile(put_off))
    await orchestration.follow(service, played.engine, party, played.now)
    (kept,) = [row.value for row in await referrals.work(party) if row.value.open]
    assert kept.operation_id in [intent.id async for intent in played.service.intents.all()]


class InterleavedRegistration(PlayedRegistration):
    """A won deal on tables that let requests interleave; its handlers leave their work to others."""

    def __init__(self) -> None:
        super().__init__(NOW, YieldingTables())
        self.service = with_dying_handlers(self.service)


@pytest.mark.parametrize("behind", BEHIND)
async def test_a_reminder_that_is_opened_twice_at_once_is_one(behind: int) -> None:
    played = InterleavedRegistration()
    await played.won()
    record = (await played.records())["IpCoSell"]
    party, service = await played.party("contoso"), played.service
    played.now += timedelta(days=30)
    review = RegistrationId(record["id"])
    await twice(behind)(lambda: orchestration.follow(service, played.engine, party, played.now, review))
    rows = [row.value for row in await service.referrals.work(party) if review in row.value.label]
    assert [row.label for row in rows if not row.open] == [row.label for row in rows]
    assert len({row.label for row in rows}) == len(rows) == 1
    told = Counter(mail.message for mail in played.mail.taken.values())
    assert told["registrationEscalated"] == 1


@pytest.mark.parametrize("behind", BEHIND)
async def test_work_that_files_a_registration_twice_at_once_files_it(behind: int) -> None:
    played = InterleavedRegistration()
    await played.won()
    record = (await played.records())["IpCoSell"]
    party, service = await played.party("contoso"), played.service
    assert any(row.value.open for row in await service.referrals.work(party))
    for _ in range(3):
        for row in await service.referrals.work(party):
            label = row.value.label

            async def run(at: str = label) -> None:
                await run_once(service, played.engine, party, at, played.now)

            await twice(behind)(run)
        played.now += timedelta(minutes=5)
    registration = await service.registrations.get(party, RegistrationId(record["id"]))
    assert registration
    assert await service.registrations.is_indexed(registration)
    queued = await in_queue(service.registrations, ("ReviewPending",))
    assert [each.registration.id for each in queued] == [record["id"]]
    assert not any(row.value.open for row in await service.referrals.work(party))


@pytest.mark.parametrize("behind", BEHIND)
async def test_what_is_remarked_twice_at_once_stands_in_the_timeline_once(behind: int) -> None:
    played = Played(once)
    await played.begin(deal("northwind", microsoft=False))
    party = await played.party("northwind")

    def failed(referral: Referral, context: CommandContext) -> Change:
        return record_failed_mail(referral, "invited", "nia@northwindtraders.com", "Bounced", context)

    operation_id = OperationId("00000000-0000-5000-8000-000000000001")
    await twice(behind)(lambda: played.service.commits.append_entry_once(party, operation_id, failed, NOW))
    assert (await played.kinds("northwind")).count("mailFailed") == 1
