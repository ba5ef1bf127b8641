"""How many requests to storage a step costs, and how many of them follow one another until its response.

`MOST` has the bounds, each with its reason: whoever adds a feature that needs one more changes its line.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from api.http.operation import Handler
from api.leads.submit import submit_leads
from api.referrals.create import create_referral
from api.referrals.edit import patch_referral
from api.referrals.messages import post_message
from api.referrals.transitions import accept_referral, decline_referral
from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.domain.ids import ReferralId
from shared.workflow.follow_up import LONGEST_FOLLOW_UP
from tests.doubles.engine import FakeEngine
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.played_deal import replacing
from tests.doubles.service import NO_LIMITS, SETTINGS, ask, service_on
from tests.doubles.small_world import deal, import_small_world, inquiry, organization, person
from tests.doubles.timed_tables import TimedTables
from tests.examples.referrals import NOW

COMPANIES = 50


@dataclass(frozen=True)
class Bound:
    """The most requests until the response, of these one after another, and with all that follows."""

    until_response: int
    trips: int
    with_all: int
    why: str


MOST = {
    "creation": Bound(
        8,
        5,
        16,
        "customers, customer, routing and the profile that says who is asked are looked up; intents and membership, "
        "the deal, two invitations. Then routing and two for each of two mails, three rows of work, three intents at "
        "once",
    ),
    "accept": Bound(
        5,
        4,
        11,
        "the record and the caller's mark, the creator's record, the intent, the step. Then the creator's record, "
        "that of the party that has not answered (it may have, and see this one), two for the mail, the work, two "
        "intents at once",
    ),
    "patch": Bound(3, 3, 3, "the record, routing for the catalogue, the step; nothing follows"),
    "message": Bound(
        6,
        6,
        16,
        "the parties and the own record, the intent, the last sequence, the message. Then what the author has read, "
        "the parties and the record of each, and each once more to move it",
    ),
    "lead": Bound(
        5,
        0,
        10,
        "the company and its profile, membership, the lead, and its share of what is done once for all; then its "
        "people and profile, two for the mail, its work, and its share of the intents",
    ),
    "lead declined": Bound(
        4,
        3,
        16,
        "the record and the caller's mark, the intent, the step. Then where the link of the mail leads, which "
        "companies other links have chosen, the profiles of the country and three requests to rank the two that fit; "
        "two for the place of the mail among those of the day to its customer, two for the mail itself, the work, "
        "two intents at once",
    ),
    "deal": Bound(
        0,
        0,
        39,
        "a creation with two invitations, both accepted; the second answer moves the record of the first party, "
        "which is read and written for that",
    ),
    "reminder": Bound(0, 0, 11, "three for the batch of intents, the record and its work, a mail, its work"),
    "expiry": Bound(0, 0, 13, "three for the batch of intents, the record, its work, the creator, two mails"),
}


@dataclass(frozen=True)
class Cost:
    until_response: int
    trips: int
    with_all: int


class Counted:
    """The service on tables that count, with everything in its caches that one deal leaves there."""

    def __init__(self) -> None:
        self.now = NOW
        self.tables = TimedTables()
        limits = replace(NO_LIMITS, customer_mails_per_day=10)
        settings = replace(SETTINGS, limits=limits)
        self.service = service_on(self.tables, MemoryMailService(), lambda: NOW, settings)
        self.engine = FakeEngine()

    async def begin(self) -> None:
        await import_small_world(self.tables)
        await self.deal()

    async def step(self, who: str, handler: Handler, body: object, **more: Any) -> tuple[Any, Cost]:
        """One operation, and what it costs."""
        self.now += timedelta(seconds=1)
        self.tables.requests = 0
        async with self.tables.counting_trips():
            answer = await ask(
                self.service, who, handler, body, now=self.now, engine=self.engine, follow_up=False, **more
            )
            response, trips = self.tables.requests, self.tables.trips
        await self.service.follow_ups.background.wait(LONGEST_FOLLOW_UP)
        assert answer.status < 300, answer.body
        return answer.body, Cost(response, trips, self.tables.requests)

    async def deal(self) -> Cost:
        """A deal to which Microsoft and Northwind are invited; both accept."""
        made, cost = await self.step("rae", create_referral, deal("northwind"))
        self.deal_id, total = made["id"], cost.with_all
        for who, where in (("sam", "msft"), ("nia", "northwind")):
            _, cost = await self.accept(who, where)
            total += cost.with_all
        return Cost(0, 0, total)

    async def accept(self, who: str, where: str) -> tuple[Any, Cost]:
        """The newest invitation of an organization."""
        rows = await self.tables.between("referrals", where, "d:", "d;")
        referral_id = ReferralId(rows[-1].key.removeprefix("d:"))
        return await self.step(who, accept_referral, {}, route={"id": referral_id})

    async def sweep(self, after: timedelta) -> Cost:
        self.now += after
        self.tables.requests = 0
        assert await self.service.sweep.run(self.engine, self.now) == 1
        return Cost(0, 0, self.tables.requests)


@pytest.fixture
async def counted() -> Counted:
    counted = Counted()
    await counted.begin()
    return counted


def check(name: str, cost: Cost) -> None:
    most = MOST[name]
    found = (cost.until_response, cost.trips, cost.with_all)
    bounds = (most.until_response, most.trips, most.with_all)
    assert all(count <= bound for count, bound in zip(found, bounds, strict=True)), f"{name}: {cost}, {most}"


async def test_a_creation_with_two_invitations(counted: Counted) -> None:
    _, cost = await counted.step("rae", create_referral, deal("northwind"))
    check("creation", cost)


async def test_an_acceptance(counted: Counted) -> None:
    await counted.step("rae", create_referral, deal("northwind"))
    _, cost = await counted.accept("nia", "northwind")
    check("accept", cost)


async def test_a_whole_deal(counted: Counted) -> None:
    check("deal", await counted.deal())


async def test_an_edit(counted: Counted) -> None:
    stored = await counted.service.referrals.scan_all().__anext__()
    headers = {"If-Match": f'"{stored.version}"'}
    body = [replacing("/name", "Another name")]
    _, cost = await counted.step("rae", patch_referral, body, route={"id": counted.deal_id}, headers=headers)
    check("patch", cost)


async def test_a_message(counted: Counted) -> None:
    await counted.deal()
    stored = await counted.service.referrals.scan_all().__anext__()
    route = {"engagementId": stored.engagement_id}
    _, cost = await counted.step("rae", post_message, {"text": "Hello"}, route=route)
    check("message", cost)


async def test_a_lead_of_a_request_to_fifty_companies(counted: Counted) -> None:
    names = [f"company{number:02}" for number in range(COMPANIES)]
    companies = [
        {**organization(each, each, f"{each}-place", "US"), "people": [person(each, f"ann@{each}.example")]}
        for each in names
    ]
    await import_directory(counted.tables, DirectoryDocument.model_validate({"organizations": companies}))
    _, cost = await counted.step("web", submit_leads, inquiry(*names))
    shares = (cost.until_response, cost.with_all)
    response, with_all = (-(-requests // COMPANIES) for requests in shares)
    check("lead", Cost(response, 0, with_all))


async def test_a_lead_that_is_declined(counted: Counted) -> None:
    """Its customer is told, in a mail that counts among those of the day."""
    body, _ = await counted.step("web", submit_leads, inquiry("contoso"))
    route = {"id": body["recipients"][0]["referralId"]}
    _, cost = await counted.step("rae", decline_referral, {"reason": "RequirementNotMet"}, route=route)
    check("lead declined", cost)


async def test_a_reminder(counted: Counted) -> None:
    await counted.step("rae", create_referral, deal("northwind", microsoft=False))
    check("reminder", await counted.sweep(timedelta(days=1)))


async def test_an_expiry(counted: Counted) -> None:
    await counted.step("rae", create_referral, deal("northwind", microsoft=False))
    await counted.sweep(timedelta(days=1))
    await counted.sweep(timedelta(days=10))
    check("expiry", await counted.sweep(timedelta(days=3)))
