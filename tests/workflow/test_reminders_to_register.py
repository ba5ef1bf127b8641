"""The team of a won deal that can be registered is told so at once, after 7 and after 30 days (M12)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from activities.observe import outcome
from api.referrals.read import get_referral
from api.referrals.transitions import accept_referral, win_referral
from api.registrations.submit import register_deal
from shared.admin.check import ask_to_wake, record_states, unfinished
from shared.workflow.observe import observe
from tests.doubles.dying_handlers import with_dying_handlers
from tests.doubles.ending_tables import EndingTables
from tests.doubles.played_deal import PlayedDeal, replacing
from tests.doubles.registration_form import FORM
from tests.doubles.small_world import deal, import_small_world
from tests.examples.referrals import NOW

IP = {"requirements": {"solutions": [{"id": "SOL-CONTOSO-IP"}]}}


def body(*partners: str, microsoft: bool = False, led: bool = True, solutions: bool = True) -> dict[str, Any]:
    made = deal(*partners, microsoft=microsoft)
    if led and not microsoft:
        made["consent"]["consentToShareReferralWithMicrosoftSellers"] = True
    if solutions:
        made["details"] |= IP
        for invitation in made["invitations"]:
            invitation["solutions"] = [{"id": "SOL-CONTOSO-IP"}]
    return made


class Won(PlayedDeal):
    """Contoso's deal with a solution that has an incentive."""

    async def start(self, made: dict[str, Any]) -> None:
        await import_small_world(self.tables)
        await self.begin(made)

    async def do(self, who: str, organization: str, handler: Any, sent: object = None) -> None:
        answer = await self.ask(who, organization, handler, sent if sent is not None else {})
        assert answer.status in {200, 201}, answer.body

    async def sweep(self, days: float = 0) -> None:
        self.now += timedelta(days=days)
        self.engine.now = self.now
        await self.service.sweep.run(self.engine, self.now)

    def told(self) -> Sequence[tuple[str, bool]]:
        """Whom the mails went to, and whether they say that they are the last."""
        mails = [each for each in self.mail.taken.values() if each.message == "registrationEligible"]
        return [(", ".join(each.recipients), "last reminder" in each.text) for each in mails]


RAE, LAST = ("rae@contoso.com", False), ("rae@contoso.com", True)


@pytest.mark.parametrize("by_patch", [False, True])
async def test_the_team_is_told_at_once_and_reminded_twice(by_patch: bool) -> None:
    played = Won(NOW)
    await played.start(body())
    if by_patch:
        closed = await played.edit(
            "rae", "contoso", replacing("/status", "Closed"), replacing("/substatus", "Won")
        )
        assert closed.status in {200, 204}, closed.body
    else:
        await played.do("rae", "contoso", win_referral)
    assert played.told() == [RAE]
    (first,) = [each for each in played.mail.taken.values() if each.message == "registrationEligible"]
    assert "Contoso IP" in first.text
    seen = await played.ask("rae", "contoso", get_referral)
    assert seen.body["registrationStatus"] == "Eligible"
    for days, wanted in (
        (0.1, [RAE]),
        (6.8, [RAE]),
        (0.2, [RAE, RAE]),
        (22, [RAE, RAE]),
        (1, [RAE, RAE, LAST]),
    ):
        await played.sweep(days)
        assert played.told() == wanted, days
    subjects = [m.subject for m in played.mail.taken.values() if m.message == "registrationEligible"]
    assert [each.startswith("Reminder: register your won deal") for each in subjects] == [False, True, True]
    await played.sweep(400)
    assert len(played.told()) == 3
    assert not [row async for row in played.tables.scan_table("intents")]


async def test_a_won_deal_keeps_no_orchestration_for_its_reminders_and_the_operators_check_knows_it() -> None:
    played = Won(NOW)
    await played.start(body())
    await played.do("rae", "contoso", win_referral)
    service, key = played.service, await played.party("contoso")
    observed = await observe(service.referrals, service.registrations, key, None)
    assert observed.plan(NOW).next_at == NOW + timedelta(days=7)
    assert outcome(observed, key.referral_id, NOW, NOW) == {"nextAt": None, "finished": True}
    assert key in await unfinished(played.tables)
    (state,) = [await record_states(played.tables, [key], NOW)]
    assert state.waiting == (key.referral_id,)
    intents = [each async for each in service.intents.all()]
    await service.intents.remove(*((each.due, each.id) for each in intents))
    assert (await record_states(played.tables, [key], NOW)).unwatched == (key.referral_id,)
    await ask_to_wake(played.tables, [key], NOW)
    await played.sweep(0.1)
    await played.sweep(7)
    assert played.told() == [RAE, RAE]


async def test_whoever_registered_is_not_reminded() -> None:
    played = Won(NOW)
    await played.start(body())
    await played.do("rae", "contoso", win_referral)
    await played.do("rae", "contoso", register_deal, {**FORM, "solutionId": "SOL-CONTOSO-IP"})
    for days in (7, 23, 60):
        await played.sweep(days)
    assert played.told() == [RAE]


@pytest.mark.parametrize("made", [body(led=False), body(solutions=False)], ids=["private", "no incentive"])
async def test_what_cannot_be_registered_is_not_told(made: dict[str, Any]) -> None:
    played = Won(NOW)
    await played.start(made)
    before = played.tables.requests
    await played.do("rae", "contoso", win_referral)
    assert played.tables.requests - before <= 6
    await played.sweep(40)
    assert played.told() == []


async def test_a_deal_that_was_won_first_is_told_once_microsoft_accepts_to_all_who_won() -> None:
    played = Won(NOW)
    await played.start(body("northwind", microsoft=True))
    await played.do("nia", "northwind", accept_referral)
    await played.do("nia", "northwind", win_referral)
    await played.do("rae", "contoso", win_referral)
    await played.sweep(2)
    assert played.told() == []
    await played.do("sam", "msft", accept_referral)
    nia = ("nia@northwindtraders.com", False)
    assert sorted(played.told()) == sorted([RAE, nia])
    await played.sweep(7)
    assert sorted(played.told()) == sorted([RAE, RAE, nia, nia])


async def test_a_win_that_the_creators_record_does_not_know_yet_is_told_as_well() -> None:
    """Its update of the creator's record waits for storage, when Microsoft accepts."""
    played = Won(NOW)
    await played.start(body("northwind", microsoft=True))
    await played.do("nia", "northwind", accept_referral)
    service = played.service
    played.service = with_dying_handlers(service)
    await played.do("nia", "northwind", win_referral)
    assert [i.substatus for i in (await played.record("contoso")).invited] == ["Pending", "Accepted"]
    played.service = service
    await played.do("sam", "msft", accept_referral)
    assert played.told() == [("nia@northwindtraders.com", False)]


async def test_an_invited_partner_that_wins_after_microsoft_accepted_is_told_at_once() -> None:
    played = Won(NOW)
    await played.start(body("northwind", microsoft=True))
    await played.do("sam", "msft", accept_referral)
    await played.do("nia", "northwind", accept_referral)
    await played.do("nia", "northwind", win_referral)
    assert played.told() == [("nia@northwindtraders.com", False)]


@pytest.mark.parametrize("writes", range(2, 10))
async def test_whatever_dies_each_mail_comes_once(writes: int) -> None:
    tables = EndingTables()
    played = Won(NOW, tables)
    await played.start(body())
    tables.left = writes
    await played.do("rae", "contoso", win_referral)
    tables.left = None
    for _ in range(4):
        await played.sweep(0.1)
    assert played.told() == [RAE]
    await played.sweep(7)
    await played.sweep(23)
    assert played.told() == [RAE, RAE, LAST]
