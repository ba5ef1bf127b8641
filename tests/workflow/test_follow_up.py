"""What follows a step: first what its caller can read, then the rest, for which no response waits."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.http.operation import Handler
from api.referrals.create import create_referral
from api.referrals.transitions import accept_referral, decline_referral, win_referral
from shared.errors import StoreUnavailable
from shared.storage import keys
from shared.storage.intents import Intent
from shared.storage.mail import MailRecord
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Discard, Operation
from shared.workflow import follow_up
from shared.workflow.announce import FIRST_LOOK
from shared.workflow.follow_up import Background
from shared.workflow.wake import LIFECYCLE
from tests.doubles.dying_handlers import with_dying_handlers
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.played_deal import PlayedDeal
from tests.doubles.played_leads import PlayedLeads
from tests.doubles.played_registration import PlayedRegistration, body_of
from tests.doubles.queue import in_queue
from tests.doubles.registration_form import FORM
from tests.doubles.service import service_on
from tests.doubles.slow_tables import SlowTables
from tests.doubles.small_world import deal, inquiry
from tests.examples.referrals import NOW

DECLINED = {"reason": "TimelineTooShort"}
DAY = timedelta(days=1)
LONG = 10.0
"""Seconds that nothing here takes."""


class Hanging(MemoryMailService):
    """Takes a mail when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def send(self, record: MailRecord, now: datetime) -> None:
        await self.go_on.wait()
        await super().send(record, now)


class Breaking(MemoryTables):
    """Fails for the writes for which it is told to; keeps which intents were removed by which request."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: Callable[[str, str, str], bool] = lambda *_: False
        self.removals: list[list[str]] = []

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        for each in operations:
            key = each.key if isinstance(each, Discard) else each.row.key
            if self.fails(table, partition, key):
                raise StoreUnavailable("away")
        if table == keys.INTENTS and all(isinstance(each, Discard) for each in operations):
            self.removals.append([each.key for each in operations if isinstance(each, Discard)])
        return await super().write(table, partition, operations)


class Played(PlayedDeal):
    """A deal on mail that may hang and storage that may fail."""

    def __init__(self, tables: MemoryTables | None = None) -> None:
        super().__init__(NOW, tables or Breaking())
        self.mail: Hanging = Hanging()
        self.service = service_on(self.tables, self.mail)

    @property
    def background(self) -> Background:
        return self.service.follow_ups.background

    async def open_rows(self, organization: str) -> list[str]:
        rows = await self.service.referrals.work(await self.party(organization))
        return [row.value.label for row in rows if row.value.open]

    async def intents(self, organization: str) -> list[Intent]:
        party = await self.party(organization)
        return [each async for each in self.service.intents.all() if each.party == party]

    async def answer(self, handler: Handler = accept_referral, body: object = None) -> int:
        return (await self.ask("nia", "northwind", handler, body)).status


@pytest.fixture
async def played() -> Played:
    """A deal to which Northwind is invited, and everything is done that follows from it."""
    played = Played()
    await played.begin()
    return played


def hang(played: Played) -> None:
    """From now on no mail is taken, and no request waits for that."""
    played.mail.go_on.clear()
    played.waits = False


async def test_an_answer_does_not_wait_for_mail_that_hangs_and_the_work_goes_on(played: Played) -> None:
    hang(played)
    async with asyncio.timeout(LONG):
        assert await played.answer() == 200
    await asyncio.sleep(0)
    assert await played.open_rows("northwind") == ["000002"]
    assert {each.reason for each in await played.intents("northwind")} == {"commit", "moment"}
    played.mail.go_on.set()
    await played.background.wait(LONG)
    assert await played.open_rows("northwind") == []
    assert "accepted" in {mail.message for mail in played.mail.taken.values()}


async def test_a_creation_is_followed_by_all_of_its_work_and_that_of_its_invitations(played: Played) -> None:
    """M1: nobody has to look at the invitee's referral first."""
    assert await played.open_rows("contoso") == await played.open_rows("northwind") == []
    assert [mail.message for mail in played.mail.taken.values()] == ["invited"]
    assert await played.intents("contoso") == []
    assert [(each.reason, each.due) for each in await played.intents("northwind")] == [("moment", NOW + DAY)]
    assert played.engine.starts == [(LIFECYCLE, (await played.party("northwind")).referral_id)]


@pytest.mark.parametrize(
    ("handler", "body", "event"),
    [(accept_referral, None, "accepted"), (decline_referral, DECLINED, "declined")],
)
@pytest.mark.parametrize("hours", [1, 25, 24 * 13])
async def test_an_answer_leaves_no_intent_and_ends_the_orchestration(
    played: Played, handler: Handler, body: object, event: str, hours: int
) -> None:
    """Whichever moment the sweep would come for next: all of them go in one request."""
    played.now += timedelta(hours=hours)
    await played.service.sweep.run(played.engine, played.now)
    assert [each.reason for each in await played.intents("northwind")] == ["moment"]
    assert isinstance(played.tables, Breaking)
    played.tables.removals.clear()
    assert await played.answer(handler, body) == 200
    assert await played.intents("northwind") == []
    assert [len(each) for each in played.tables.removals] == [2]
    assert played.engine.events == [((await played.party("northwind")).referral_id, event)]


async def test_an_answer_that_came_too_late_ends_it_as_expired(played: Played) -> None:
    """L4."""
    played.now += 14 * DAY
    assert await played.answer() == 409
    assert await played.open_rows("northwind") == []
    assert played.engine.events == [((await played.party("northwind")).referral_id, "expired")]
    assert {each.reason for each in await played.intents("northwind")} <= {"moment"}
    await played.service.sweep.run(played.engine, played.now)
    assert await played.intents("northwind") == []


async def test_a_step_that_answers_nothing_ends_nothing(played: Played) -> None:
    assert await played.answer() == 200
    played.engine.events.clear()
    played.engine.run((await played.party("northwind")).referral_id)
    assert (await played.ask("nia", "northwind", win_referral)).status == 200
    assert played.engine.events == []


async def test_a_withdrawal_ends_the_orchestration_of_the_invitee(played: Played) -> None:
    """L8: by the follow-up of the step that caused it, with the work of the withdrawal itself."""
    assert (await played.ask("rae", "contoso", win_referral)).status == 200
    assert (await played.record("northwind")).state == "Closed/Expired"
    assert await played.open_rows("northwind") == []
    assert played.engine.events == [((await played.party("northwind")).referral_id, "expired")]
    assert [each.reason for each in await played.intents("northwind")] == ["moment"]


async def test_work_that_is_left_keeps_its_intent_and_its_orchestration_is_told_to_look(
    played: Played,
) -> None:
    played.mail.away = True
    assert await played.answer() == 200
    assert await played.open_rows("northwind") == ["000002"]
    (left,) = await played.intents("northwind")
    assert (left.reason, left.due) == ("commit", NOW + FIRST_LOOK)
    assert played.engine.events == [((await played.party("northwind")).referral_id, "changed")]


async def test_what_the_engine_does_not_take_is_left_to_the_sweep(played: Played) -> None:
    played.engine.away = True
    played.mail.away = True
    assert await played.answer() == 200
    played.mail.away = False
    played.now += timedelta(minutes=2)
    await played.service.sweep.run(played.engine, played.now)
    assert await played.open_rows("northwind") == []
    assert await played.intents("northwind") == []


async def test_intents_that_cannot_be_removed_stop_nothing(played: Played) -> None:
    assert isinstance(played.tables, Breaking)
    answered = False
    played.tables.fails = lambda table, *_: answered and table == keys.INTENTS
    hang(played)
    assert await played.answer() == 200
    answered = True
    played.mail.go_on.set()
    await played.background.wait(LONG)
    assert await played.open_rows("northwind") == []
    assert [event for _, event in played.engine.events] == ["accepted"]
    played.tables.fails = lambda *_: False
    await played.service.sweep.run(played.engine, NOW + DAY)
    assert await played.intents("northwind") == []


async def test_when_too_much_is_under_way_the_orchestration_does_the_work(played: Played) -> None:
    full = Background(limit=1)
    follow_ups = replace(played.service.follow_ups, background=full)
    played.service = replace(played.service, follow_ups=follow_ups)
    hang(played)
    assert (await played.ask("rae", "contoso", win_referral)).status == 200
    assert full.is_full
    assert played.engine.events == []
    northwind = (await played.party("northwind")).referral_id
    await asyncio.sleep(0)
    assert await played.answer() == 409, "the deal is closed, and its withdrawal under way"
    created = await played.request("rae", create_referral, deal("fabrikam", microsoft=False))
    assert created.status == 201
    fabrikam = await played.party("fabrikam")
    assert await played.open_rows("fabrikam") == ["000001"]
    assert (LIFECYCLE, created.body["id"]) in played.engine.starts
    assert fabrikam.referral_id not in played.engine.instances
    played.mail.go_on.set()
    await full.wait(LONG)
    assert not full.is_full
    assert (northwind, "expired") in played.engine.events


async def test_a_follow_up_that_takes_too_long_is_ended_and_the_sweep_does_its_work(
    played: Played, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(follow_up, "LONGEST_FOLLOW_UP", 0.02)
    hang(played)
    assert await played.answer() == 200
    async with asyncio.timeout(LONG):
        await played.background.wait(LONG)
    assert "follow_up_left" in caplog.text
    assert await played.open_rows("northwind") == ["000002"]
    played.mail.go_on.set()
    await played.service.sweep.run(played.engine, NOW + FIRST_LOOK)
    assert await played.open_rows("northwind") == []
    assert [each.reason for each in await played.intents("northwind")] == ["moment"]


async def test_a_background_waits_no_longer_than_it_is_told_to() -> None:
    background = Background()
    background.start(_forever())
    async with asyncio.timeout(LONG):
        await background.wait(0.01)
        await Background().wait(LONG)


async def _forever() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("failure", "said"),
    [(StoreUnavailable("away"), "work_left"), (RuntimeError("a defect"), "follow_up_failed")],
    ids=["passing", "defect"],
)
async def test_a_command_is_answered_whatever_becomes_of_its_work(
    played: Played,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failure: Exception,
    said: str,
) -> None:
    """It is committed; the sweep does the work."""

    async def fails(*_: object, **__: object) -> None:
        raise failure

    notices: Any = type(played.service.follow_ups.performer.notices)
    with monkeypatch.context() as broken:
        broken.setattr(type(played.service.referrals), "save_work", fails)
        broken.setattr(notices, "send", fails)
        assert await played.answer() == 200
    assert said in caplog.text
    assert "commit" in {each.reason for each in await played.intents("northwind")}
    await played.service.sweep.run(played.engine, NOW + timedelta(hours=1))
    assert await played.open_rows("northwind") == []


async def test_what_a_creation_shows_is_there_with_its_response_though_its_handler_then_dies() -> None:
    """C2, V3: the invitee's referral, and the sellers' list."""
    played = Played()
    played.service = with_dying_handlers(played.service)
    body = {**deal("northwind", microsoft=False)}
    body["consent"]["consentToShareReferralWithMicrosoftSellers"] = True
    await played.begin(body)
    assert (await played.record("northwind")).state == "New/Pending"
    assert [key for _, key in await played.service.referrals.list_partner_led(None, 9)] == [
        await played.party("contoso")
    ]
    assert played.mail.taken == {}


async def test_what_could_not_be_shown_with_the_response_is_done_by_the_work() -> None:
    tables = SlowTables("northwind", "msft")
    played = Played(tables)
    body = deal("northwind", microsoft=False)
    body["consent"]["consentToShareReferralWithMicrosoftSellers"] = True
    await played.begin(body)
    assert await played.open_rows("contoso") == ["000001"]
    contoso = await played.party("contoso")
    assert (LIFECYCLE, contoso.referral_id) in played.engine.starts, "somebody is to look at it soon"
    tables.slow.clear()
    for minute in range(1, 4):
        await played.service.sweep.run(played.engine, NOW + timedelta(minutes=minute))
    assert (await played.record("northwind")).state == "New/Pending"
    assert [key for _, key in await played.service.referrals.list_partner_led(None, 9)] == [contoso]
    assert [mail.message for mail in played.mail.taken.values()] == ["invited"]
    assert await played.open_rows("contoso") == await played.open_rows("northwind") == []


async def test_work_of_one_invitation_that_is_left_keeps_no_other_from_being_done_and_its_intent_stays() -> (
    None
):
    """Nobody else is told of it: its own intent has the sweep do it."""
    tables = Breaking()
    played = Played(tables)
    tables.fails = lambda _, partition, key: partition == "northwind" and key.startswith("w:") and known
    known = False

    async def send(record: MailRecord, now: datetime) -> None:
        nonlocal known
        known = True  # the row is there, and its progress cannot be saved
        await MemoryMailService.send(played.mail, record, now)

    played.mail.send = send  # type: ignore[method-assign]
    await played.begin(deal("northwind", "fabrikam", microsoft=False))
    assert await played.open_rows("northwind") == ["000001"]
    assert await played.open_rows("contoso") == await played.open_rows("fabrikam") == []
    assert {each.reason for each in await played.intents("northwind")} == {"commit", "moment"}
    assert {each.reason for each in await played.intents("fabrikam")} == {"moment"}
    assert await played.intents("contoso") == []
    tables.fails = lambda *_: False
    await played.service.sweep.run(played.engine, NOW + FIRST_LOOK)
    assert await played.open_rows("northwind") == []
    assert sorted(played.mail.attempts.values()) == [1, 1]


async def test_one_effect_that_fails_keeps_no_other_from_the_response() -> None:
    tables = SlowTables("northwind")
    played = Played(tables)
    played.service = with_dying_handlers(played.service)
    body = deal("northwind", "fabrikam", microsoft=False)
    body["consent"]["consentToShareReferralWithMicrosoftSellers"] = True
    await played.begin(body)
    assert (await played.record("fabrikam")).state == "New/Pending"
    assert len(await played.service.referrals.list_partner_led(None, 9)) == 1


@pytest.mark.parametrize("fails", [False, True], ids=["at once", "later, if the index is away"])
async def test_a_registration_is_indexed_with_the_response(fails: bool) -> None:
    """G5: reviewers find it as soon as its partner is answered."""
    played = PlayedRegistration(NOW, tables := Breaking())
    await played.won(body_of())
    tables.fails = lambda table, *_: fails and table == keys.REVIEWS
    ready, played.service = played.service, with_dying_handlers(played.service)
    assert (await played.register(FORM)).status == 201
    queued = [each.registration.id for each in await in_queue(ready.registrations, ("ReviewPending",))]
    assert len(queued) == (0 if fails else 1)
    tables.fails = lambda *_: False
    await ready.sweep.run(played.engine, NOW + FIRST_LOOK)
    (queued_now,) = await in_queue(ready.registrations, ("ReviewPending",))
    assert queued_now.registration.id in played.engine.instances
    stored = await ready.registrations.get(await played.party("contoso"), queued_now.registration.id)
    assert stored
    assert await ready.registrations.is_indexed(stored)


async def test_leads_are_there_with_the_response_and_their_mails_follow() -> None:
    """R2, R5."""
    played = PlayedLeads(NOW)
    await played.begin()
    ready, played.service = played.service, with_dying_handlers(played.service)
    (lead,) = await played.leads(inquiry("contoso"))
    assert lead
    assert (await played.record(lead)).state == "New/Pending"
    mail: Any = ready.follow_ups.performer.notices.delivery.service
    assert mail.taken == {}
    played.service = ready
    (second,) = await played.leads(inquiry("fabrikam"))
    assert second
    assert {each.reader for each in mail.taken.values()} == {second}
    assert played.engine.starts == [(LIFECYCLE, second.referral_id)]
    left = [each async for each in ready.intents.all() if each.party == second]
    assert [each.reason for each in left] == ["moment"]


async def test_leads_that_could_not_be_delivered_are_delivered_by_the_work_of_the_request() -> None:
    tables = SlowTables("contoso")
    played = PlayedLeads(NOW, tables)
    await played.begin()
    (lead,) = await played.leads(inquiry("contoso"))
    assert lead
    assert len(played.engine.starts) == 1, "somebody is to look at the request soon"
    tables.slow.clear()
    await played.service.sweep.run(played.engine, NOW + timedelta(minutes=5))
    assert (await played.record(lead)).state == "New/Pending"
    mail: Any = played.service.follow_ups.performer.notices.delivery.service
    assert {each.reader for each in mail.taken.values()} == {lead}
    await played.service.sweep.run(played.engine, NOW + timedelta(minutes=30))
    assert [each.reason async for each in played.service.intents.all()] == ["moment"]
