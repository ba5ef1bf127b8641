"""Commands while storage fails at any of their requests: done, refused for the moment, and never a 500.

What is sent again once storage is well again leaves everything as if nothing had happened (C5, E2).
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, cycle
from pathlib import Path
from typing import Any

import pytest

from api.directory.people import delete_person, put_person
from api.directory.profiles import put_profile
from api.directory.routing import put_routing_rules
from api.directory.stage_maps import put_stage_map
from api.http.operation import Handler
from api.http.problems import HANDLED_ERRORS, describe
from api.http.response import Response
from api.leads.submit import submit_leads
from api.referrals.create import create_referral
from api.referrals.messages import post_message
from api.referrals.read import add_favorite
from api.referrals.transitions import accept_referral, win_referral
from api.registrations.closed_deals import report_closed_deal
from api.registrations.review import assign_registration
from api.registrations.submit import register_deal
from localcloud import azurite
from shared.domain.directory import Person
from shared.domain.ids import OrganizationId, PersonId, ReferralId, RegistrationId
from shared.domain.referral import ReferralKey
from shared.errors import ServiceError, StoreConflict
from shared.storage import keys
from shared.storage.azure_tables import AzureTables
from shared.wiring import Service
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.registration_form import FORM
from tests.doubles.service import ask, service_on
from tests.doubles.small_world import PEOPLE, deal, import_small_world, inquiry
from tests.doubles.storage_proxy import Fault, StorageProxy, storage_proxy

NUMBERS = count(1)
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
TAKEN = (
    Fault(status=500, body=b""),
    Fault(drop=True),
    Fault(status=503, body=b"busy", content_type="text/html"),
)
"""Storage takes the request, and its answer is lost; once. The client of storage, or we, find out."""
REFUSED = (
    Fault(body=b"\xff{", content_type="application/json"),
    Fault(cut=True),
    Fault(status=503, body=b"", passed_on=False),
)
"""An answer that says nothing, or none at all, as often as is asked."""
Ask = Callable[[Service], Awaitable[Response]]


@dataclass
class Command:
    """One request, the status it is answered with, and what there is to be seen afterwards."""

    ask: Ask
    done: int
    look: Callable[[Response], Awaitable[object]]
    again: int = 0
    """What it is answered with when it is sent again though it was done: it names the version before."""


@dataclass
class DirectoryDocument:
    """The service through the proxy, and past it; `ada` is Contoso's admin."""

    proxy: StorageProxy
    service: Service
    calm: Service

    async def ask(
        self, service: Service, who: str, handler: Handler, body: object = None, **more: Any
    ) -> Response:
        return await ask(service, who, handler, body, now=NOW, **more)

    async def deal(self, **changes: Any) -> dict[str, Any]:
        body = deal("northwind", microsoft=False) | changes
        made = await self.ask(self.calm, "rae", create_referral, body)
        assert made.status == 201, made.body
        return made.body

    async def party(self, organization: str, engagement: str) -> ReferralKey:
        membership = await self.calm.engagements.get(engagement)  # type: ignore[arg-type]
        assert membership
        return next(p for p in membership.invited if p.organization_id == organization)


async def creating(world: DirectoryDocument) -> Command:
    key = f"create-{next(NUMBERS)}"
    body = deal("northwind", "fabrikam") | {"name": key}

    async def ask(service: Service) -> Response:
        headers = {"Idempotency-Key": key}
        return await world.ask(service, "rae", create_referral, body, headers=headers)

    async def look(answer: Response) -> object:
        membership = await world.calm.engagements.get(answer.body["engagementId"])
        assert membership
        invited = await world.calm.referrals.get_many(membership.invited)
        kinds = [e.kind for e in await world.calm.referrals.entries(membership.creator)]
        return kinds, sorted((r.organization_id, r.status) for r in invited)

    return Command(ask, 201, look)


async def accepting_it(world: DirectoryDocument) -> Command:
    made = await world.deal()
    party = await world.party("northwind", made["engagementId"])

    async def ask(service: Service) -> Response:
        route, headers = {"id": party.referral_id}, {"Idempotency-Key": "once"}
        return await world.ask(service, "nia", accept_referral, {}, headers=headers, route=route)

    async def look(_: Response) -> object:
        entries = await world.calm.referrals.entries(party)
        work = await world.calm.referrals.work(party)
        return [e.kind for e in entries], [w.value.label for w in work]

    return Command(ask, 200, look)


async def saying(world: DirectoryDocument) -> Command:
    engagement = (await world.deal())["engagementId"]

    async def ask(service: Service) -> Response:
        route, headers = {"engagementId": engagement}, {"Idempotency-Key": "once"}
        return await world.ask(service, "rae", post_message, {"text": "Hi"}, headers=headers, route=route)

    async def look(_: Response) -> object:
        return [(m.sequence, m.text) for m in (await world.calm.engagements.messages(engagement, 9)).found]

    return Command(ask, 201, look)


async def marking(world: DirectoryDocument) -> Command:
    identifier = (await world.deal())["id"]
    rae = await world.calm.directory.person(OrganizationId("contoso"), PersonId("rae"))
    assert rae

    async def ask(service: Service) -> Response:
        return await world.ask(service, "rae", add_favorite, route={"id": identifier})

    async def look(_: Response) -> object:
        return ReferralId(identifier) in await world.calm.referrals.favorites(rae)

    return Command(ask, 204, look)


async def storing_a_profile(world: DirectoryDocument) -> Command:
    before = await world.calm.profiles.get(OrganizationId("northwind"), "AU")
    version = before.version if before else 0
    body = {"active": True, "locations": [{"id": "northwind-sydney"}]}

    async def ask(service: Service) -> Response:
        headers = {"If-Match": f'"{version}"'} if version else {}
        route = {"id": "northwind", "country": "AU"}
        return await world.ask(service, "nia", put_profile, body, headers=headers, route=route)

    async def look(_: Response) -> object:
        after = await world.calm.profiles.get(OrganizationId("northwind"), "AU")
        return after and after.version - version

    return Command(ask, 200 if version else 201, look, again=412 if version else 428)


async def storing_a_stage_map(world: DirectoryDocument) -> Command:
    contoso = OrganizationId("contoso")
    before = (await world.calm.directory.stage_map(contoso)).version

    async def ask(service: Service) -> Response:
        route, headers = {"id": "contoso"}, {"If-Match": f'"{before}"'}
        body = {"stages": [{"name": "Pilot", "stage": "Developed"}]}
        return await world.ask(service, "rae", put_stage_map, body, headers=headers, route=route)

    async def look(_: Response) -> object:
        return (await world.calm.directory.stage_map(contoso)).version - before

    return Command(ask, 200, look, again=412)


async def storing_routing_rules(world: DirectoryDocument) -> Command:
    before = (await world.calm.routing.get()).version

    async def ask(service: Service) -> Response:
        headers = {"If-Match": f'"{before}"'} if before else {}
        body = {"teams": [{"id": "t", "name": "T", "members": ["sam@microsoft.com"]}], "defaultTeam": "t"}
        return await world.ask(service, "pat", put_routing_rules, body, headers=headers)

    async def look(_: Response) -> object:
        return (await world.calm.routing.get()).version - before

    return Command(ask, 200, look, again=412 if before else 428)


async def entering_a_person(world: DirectoryDocument) -> Command:
    oid = f"new-{next(NUMBERS)}"
    body = {
        "email": f"{oid}@contoso.com",
        "firstName": "New",
        "lastName": "Person",
        "roles": ["ReferralsUser"],
    }

    async def ask(service: Service) -> Response:
        return await world.ask(service, "ada", put_person, body, route={"id": "contoso", "oid": oid})

    async def look(_: Response) -> object:
        found = await world.calm.people.get(OrganizationId("contoso"), oid)
        return found and found.person.last_name

    return Command(ask, 201, look, again=428)


async def removing_a_person(world: DirectoryDocument) -> Command:
    entered = await entering_a_person(world)
    made = await entered.ask(world.calm)
    oid = made.body["oid"]

    async def ask(service: Service) -> Response:
        route, headers = {"id": "contoso", "oid": oid}, {"If-Match": made.body["eTag"]}
        return await world.ask(service, "ada", delete_person, route=route, headers=headers)

    async def look(_: Response) -> object:
        return await world.calm.people.get(OrganizationId("contoso"), oid)

    return Command(ask, 204, look, again=404)


async def submitting_leads(world: DirectoryDocument) -> Command:
    key = f"leads-{next(NUMBERS)}"

    async def ask(service: Service) -> Response:
        body = inquiry("contoso", "northwind") | {"name": key}
        headers = {"Idempotency-Key": key}
        return await world.ask(service, "web", submit_leads, body, headers=headers)

    async def look(answer: Response) -> object:
        parties = [
            ReferralKey(
                organization_id=OrganizationId(each["organizationId"]), referral_id=each["referralId"]
            )
            for each in answer.body["recipients"]
        ]
        return [(r.organization_id, r.status) for r in await world.calm.referrals.get_many(parties)]

    return Command(ask, 201, look)


async def reporting_a_closed_deal(world: DirectoryDocument) -> Command:
    key = f"report-{next(NUMBERS)}"
    body = {
        **FORM,
        "solutionId": "SOL-CONTOSO-IP",
        "customer": {"name": "Relecloud", "country": "US", "city": "Portland", "state": "OR"},
        "name": key,
    }

    async def ask(service: Service) -> Response:
        headers = {"Idempotency-Key": key}
        return await world.ask(service, "rae", report_closed_deal, body, headers=headers)

    async def look(answer: Response) -> object:
        (record,) = answer.body["value"]
        place = ReferralKey(organization_id=OrganizationId("contoso"), referral_id=keys.NO_DEAL)
        found = await world.calm.registrations.get(place, RegistrationId(record["id"]))
        return found and found.deal_name == key

    return Command(ask, 201, look)


async def registering_it(world: DirectoryDocument) -> Command:
    identifier = await _won(world)

    async def ask(service: Service) -> Response:
        route, headers = {"id": identifier}, {"Idempotency-Key": "once"}
        body = {**FORM, "solutionId": "SOL-CONTOSO-IP"}
        return await world.ask(service, "rae", register_deal, body, headers=headers, route=route)

    async def look(_: Response) -> object:
        party = ReferralKey(organization_id=OrganizationId("contoso"), referral_id=ReferralId(identifier))
        return sorted(each.kind for each in await world.calm.registrations.list_for_deal(party))

    return Command(ask, 201, look)


async def assigning_it(world: DirectoryDocument) -> Command:
    made = await (await registering_it(world)).ask(world.calm)
    record = next(each for each in made.body["value"] if each["kind"] == "IpCoSell")
    party = ReferralKey(
        organization_id=OrganizationId("contoso"), referral_id=ReferralId(record["referralId"])
    )
    registration = await world.calm.registrations.get(party, RegistrationId(record["id"]))
    assert registration
    await world.calm.registrations.index(registration)

    async def ask(service: Service) -> Response:
        body, route = {"email": "dee@microsoft.com"}, {"rid": record["id"]}
        return await world.ask(service, "vera", assign_registration, body, route=route)

    async def look(_: Response) -> object:
        filed = await world.calm.registrations.index_entry(record["id"])
        return filed and filed.assigned_to

    return Command(ask, 200, look)


async def _won(world: DirectoryDocument) -> str:
    body = deal(microsoft=False)
    body["consent"]["consentToShareReferralWithMicrosoftSellers"] = True
    body["details"]["requirements"]["solutions"] = [{"id": "SOL-CONTOSO-IP"}]
    made = await world.ask(world.calm, "rae", create_referral, body)
    identifier: str = made.body["id"]
    won = await world.ask(world.calm, "rae", win_referral, {}, route={"id": identifier})
    assert won.status == 200, won.body
    return identifier


COMMANDS = (
    *(creating, accepting_it, saying, marking, storing_a_profile, storing_a_stage_map),
    *(storing_routing_rules, entering_a_person, removing_a_person, submitting_leads),
    *(reporting_a_closed_deal, registering_it, assigning_it),
)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("azurite")
    with azurite.running(folder) as running:
        yield running.connection_string


@pytest.fixture
async def world(account: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DirectoryDocument]:
    from azure.data.tables.aio import TableServiceClient

    monkeypatch.setitem(PEOPLE, "ada", ("contoso", "ada@contoso.com"))
    monkeypatch.setitem(PEOPLE, "pat", ("msft", "pat@microsoft.com"))
    direct = AzureTables(TableServiceClient.from_connection_string(account))
    async with storage_proxy(account) as (proxy, tables):
        await direct.create_tables(keys.TABLES)
        calm = service_on(direct, MemoryMailService())
        if await calm.directory.is_empty():
            await import_small_world(direct)
            await _enter(calm, "contoso", "ada", "MpnPartnerAdmin")
            await _enter(calm, "msft", "pat", "RoutingAdmin")
        found = DirectoryDocument(proxy, service_on(tables, MemoryMailService()), calm)
        for who, (organization, _) in PEOPLE.items():  # as after the first request of each
            await found.service.directory.organization(organization)
            await found.service.directory.person(OrganizationId(organization), PersonId(who))
        yield found
    await direct.close()


async def _enter(calm: Service, organization: str, name: str, role: Any) -> None:
    person = Person(
        id=PersonId(name),
        organization_id=OrganizationId(organization),
        email=PEOPLE[name][1],
        first_name=name.title(),
        last_name="Example",
        roles=frozenset({role, "MpnPartnerAdmin"} if organization == "msft" else {role}),
        everywhere=True,
        locations=frozenset(),
        locale="en-US",
        disable_notifications=False,
    )
    await calm.people.put(person, None)


async def _requests(
    world: DirectoryDocument, begin: Callable[[DirectoryDocument], Awaitable[Command]]
) -> tuple[list[str], object]:
    """What a command asks of storage when all is well, and what is there then."""
    command = await begin(world)
    before = len(world.proxy.seen)
    answer = await command.ask(world.service)
    assert answer.status == command.done, answer.body
    return world.proxy.seen[before:], await command.look(answer)


@pytest.mark.parametrize("begin", COMMANDS, ids=lambda begin: begin.__name__)
async def test_whichever_answer_of_storage_is_lost_a_command_is_done(
    world: DirectoryDocument, begin: Callable[[DirectoryDocument], Awaitable[Command]]
) -> None:
    await _requests(world, begin)  # tables and caches are as in the midst of a day
    seen, wanted = await _requests(world, begin)
    for place, asked in enumerate(seen):
        for fault in TAKEN if "$batch" in asked else TAKEN[place % len(TAKEN) :][:1]:
            command = await begin(world)
            world.proxy.strike(fault, after=place)
            answer = await command.ask(world.service)
            world.proxy.heal()
            assert answer.status == command.done, (place, asked, fault, answer.body)
            assert await command.look(answer) == wanted, (place, asked, fault)


@pytest.mark.parametrize("begin", COMMANDS, ids=lambda begin: begin.__name__)
async def test_what_is_refused_while_storage_fails_is_done_when_it_is_sent_again(
    world: DirectoryDocument, begin: Callable[[DirectoryDocument], Awaitable[Command]]
) -> None:
    seen, wanted = await _requests(world, begin)
    outcomes: Counter[int] = Counter()
    for place, fault in zip(range(len(seen)), cycle(REFUSED)):
        command = await begin(world)
        world.proxy.strike(fault, after=place, times=99)
        first = await command.ask(world.service)
        world.proxy.heal()
        outcomes[first.status] += 1
        assert first.status in {command.done, 503}, (place, fault, first.body)
        if first.status == 503:
            assert int(first.headers["Retry-After"]) > 0
        second = await command.ask(world.calm)
        allowed = {command.done, command.again} if command.again else {command.done}
        assert second.status in allowed, (place, fault, first.status, second.body)
        told = second if second.status == command.done else first
        assert await command.look(told) == wanted, (place, fault)
    assert outcomes[503]


async def test_every_error_of_the_service_has_an_answer() -> None:
    """Even of a conflict that nobody expected."""
    assert issubclass(StoreConflict, HANDLED_ERRORS)
    assert describe(StoreConflict("x"))["status"] == 503
    assert describe(ServiceError("x"))["headers"]["Retry-After"]
