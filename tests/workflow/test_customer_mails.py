"""What the customer of a request gets: mails of its own, in our words, and few a day (rules M7, M9, R4)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.referrals.transitions import decline_referral
from shared.domain.messages import CUSTOMER_MAILS
from shared.domain.referral import ReferralKey
from shared.errors import MailHeld, MailPaused, MailServiceDown, MailUnavailable
from shared.mail.gate import FIRST_PAUSE
from shared.mail.notices import _first_to_retry
from shared.storage.mail import MailRecord
from shared.storage.mailboxes import mailbox_of
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.played_leads import PlayedLeads
from tests.doubles.service import NO_LIMITS, SETTINGS, service_on
from tests.doubles.small_world import inquiry
from tests.examples.referrals import NOW

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
CARA = "cara@relecloud.com"
COMPANIES = ("contoso", "fabrikam", "northwind")
SELLERS = {"contoso": "rae", "fabrikam": "kim", "northwind": "nia"}
HOSTILE = "Claim-your-prize"
DECLINED = {"reason": "Other", "notes": HOSTILE}


class Played(PlayedLeads):
    """A web site on a service that sends at most so many mails a day to a customer's address."""

    def __init__(self, most: int = 0) -> None:
        self.mail = MemoryMailService()
        super().__init__(NOW, mail=self.mail)
        settings = replace(SETTINGS, limits=replace(NO_LIMITS, customer_mails_per_day=most))
        self.service = service_on(self.tables, self.mail, lambda: self.now, settings)

    def told(self, address: str | None = None) -> list[MailRecord]:
        """The mails to customers, or to one address."""
        return [
            mail
            for mail in self.mail.taken.values()
            if mail.message in CUSTOMER_MAILS and (address is None or address in mail.recipients)
        ]

    async def submitted(self, body: dict[str, Any]) -> list[ReferralKey]:
        return [lead for lead in await self.leads(body) if lead]

    async def decline(self, leads: Sequence[ReferralKey], body: dict[str, str] | None = None) -> None:
        for lead in leads:
            answer = await self.ask(SELLERS[lead.organization_id], lead, decline_referral, body or DECLINED)
            assert answer.status == 200, answer.body

    async def sweep(self) -> int:
        return await self.service.sweep.run(self.engine, self.now)


def hostile(*companies: str, team: Sequence[str] = (CARA,)) -> dict[str, Any]:
    """A request that says the same sentence wherever it can."""
    body = inquiry(*companies)
    body |= {
        "name": HOSTILE,
        "details": {"notes": HOSTILE, "requirements": {"industries": [{"id": HOSTILE}]}},
    }
    body["customerProfile"] |= {
        "name": HOSTILE,
        "team": [{"firstName": HOSTILE, "lastName": HOSTILE, "email": each} for each in team],
    }
    return body


@pytest.mark.parametrize("qualification", ["Direct", "MarketingQualified"])
@pytest.mark.parametrize("declined", [True, False])
async def test_no_mail_to_a_customer_repeats_what_was_typed_into_the_request_or_the_answer(
    qualification: str, declined: bool
) -> None:
    """M7: else whoever submits requests could mail any sentence to any address."""
    world = Played()
    await world.begin()
    leads = await world.submitted({**hostile(*COMPANIES), "qualification": qualification})
    if declined:
        await world.decline(leads)
    else:
        world.now += 15 * DAY
        await world.sweep()
    assert len(world.told()) == 3
    for mail in world.told():
        assert HOSTILE not in f"{mail.subject}{mail.text}{mail.html}"
        assert "portal" not in mail.text
        assert "November 21, 2026" in mail.subject


async def test_each_contact_of_a_customer_gets_a_mail_of_its_own_once() -> None:
    """None of them learns of the others' addresses."""
    world = Played()
    await world.begin()
    team = [f"c{number}@relecloud.com" for number in range(4)]
    await world.decline(await world.submitted(hostile("contoso", team=[*team, team[0].upper()])))
    told = sorted(address.casefold() for mail in world.told() for address in mail.recipients)
    assert told == team
    assert len(world.told()) == len(team)


async def test_a_decline_for_abuse_sends_the_customer_nothing() -> None:
    """M2, M7."""
    world = Played()
    await world.begin()
    await world.decline(await world.submitted(hostile("contoso")), {"reason": "AbuseSpamOrPhishing"})
    assert world.told() == []


async def test_beyond_a_days_limit_a_customer_is_told_on_the_next_day_in_one_mail() -> None:
    """M9, across requests and companies."""
    world = Played(most=1)
    await world.begin()
    leads = [*await world.submitted(hostile(*COMPANIES)), *await world.submitted(hostile("contoso"))]
    await world.decline(leads)
    assert len(world.told()) == 1
    world.now = datetime.combine((NOW + DAY).date(), datetime.min.time(), UTC)
    await world.sweep()
    _, summary = world.told()
    assert summary.message == "customerSummary"
    for company in ("Fabrikam", "Northwind", "Contoso"):
        assert company in summary.text
    assert [intent async for intent in world.service.intents.all()] == []


async def test_what_waits_for_the_next_day_is_not_looked_at_before() -> None:
    """The sweep moves it once, and then it costs nothing until midnight."""
    world = Played(most=1)
    await world.begin()
    await world.submitted(hostile(*COMPANIES))
    world.now = NOW + 14 * DAY + MINUTE
    await world.sweep()
    assert len(world.told()) == 1
    await world.sweep()
    looks = []
    while world.now.date() == (NOW + 14 * DAY).date():
        looks.append(await world.sweep())
        world.now += 30 * MINUTE
    assert sum(looks) == 0
    await world.sweep()
    assert [mail.message for mail in world.told()] == ["customerExpired", "customerSummary"]
    assert [intent async for intent in world.service.intents.all()] == []


async def test_a_mail_that_waits_keeps_no_other_contact_waiting() -> None:
    world = Played(most=1)
    await world.begin()
    (first,) = await world.submitted(hostile("contoso"))
    (second,) = await world.submitted(hostile("fabrikam", team=[CARA, "dan@relecloud.com"]))
    await world.decline([first, second])
    assert len(world.told(CARA)) == 1
    assert len(world.told("dan@relecloud.com")) == 1


async def test_a_summary_that_is_refused_appears_in_each_companys_timeline() -> None:
    """M6: without the address."""
    world = Played(most=1)
    await world.begin()
    leads = await world.submitted(hostile(*COMPANIES))
    await world.decline(leads)
    world.mail.refuses = {CARA}
    world.now += DAY
    await world.sweep()
    failed = [
        entry.details
        for lead in leads[1:]
        for entry in await world.service.referrals.entries(lead)
        if entry.kind == "mailFailed"
    ]
    assert failed == [{"message": "customerDeclined", "to": "customer"}] * 2


async def test_a_mailbox_is_counted_over_all_companies_and_requests() -> None:
    world = Played(most=5)
    await world.begin()
    for _ in range(3):
        await world.decline(await world.submitted(hostile(*COMPANIES)))
    box = await world.service.due_work.performer.notices.delivery.limit.mailboxes.get(mailbox_of(CARA))
    assert box
    assert len(box.value.sent) == len(world.told()) == 5


HELD, SHORT = MailHeld("held", 9 * 60 * MINUTE), MailPaused("paused", FIRST_PAUSE)
DOWN = MailServiceDown("down")


@pytest.mark.parametrize(
    ("deferred", "more", "first"),
    [
        ([], False, None),
        ([HELD], False, HELD),
        ([HELD], True, None),
        ([HELD, SHORT], True, SHORT),
        ([HELD, SHORT], False, SHORT),
        ([HELD, SHORT, DOWN], False, DOWN),
    ],
)
def test_of_several_mails_of_a_message_the_one_that_can_go_first_says_when_to_retry(
    deferred: list[MailUnavailable], more: bool, first: MailUnavailable | None
) -> None:
    """A mail that is held until midnight delays none of the others."""
    assert _first_to_retry(deferred, more=more) is first
