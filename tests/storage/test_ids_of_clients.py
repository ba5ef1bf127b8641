"""Whatever text a client sends as an id, no request fails for it: on the twin, which refuses what Azure refuses in
keys, and on Azurite."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pytest
from azure.data.tables.aio import TableServiceClient

from api.http import operation as frame
from api.http.operation import OPERATIONS, Operation
from localcloud import azurite
from shared import clock
from shared.auth.rate_limits import RateLimits
from shared.auth.tokens import Identity
from shared.domain.directory import Application, Organization, Person
from shared.domain.ids import ApplicationId, OrganizationId, PersonId, ReferralId
from shared.domain.permissions import Caller
from shared.domain.referral import ReferralKey
from shared.domain.vocabulary import Role
from shared.storage import keys
from shared.storage.azure_tables import AzureTables
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Tables
from shared.wiring import Service, wiring
from shared.workflow.follow_up import LONGEST_FOLLOW_UP
from tests.doubles import registration_form
from tests.doubles.engine import FakeEngine
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.service import NO_LIMITS, NOTHING, SETTINGS, caller_of, http_request, service_on
from tests.doubles.small_world import deal, import_small_world, inquiry
from tests.examples.referrals import NOW

TEXTS = {
    "long": "x" * 100,
    "very long": "x" * 5000,
    "accents": "é" * 100,
    "emoji": "🙂" * 100,
    "Korean": "서울" * 300,
    "a path": "../a/b\\c#d?e%2F:f",
    "control characters": "a\x00\x01\n\x1f\x7f\x85b",
    "a lone surrogate": "a\ud800b\udc00",
    "lone surrogates": "\udfff" * 400,
    "no characters": "\ufffe\uffff\u200b\u202e",
    "quotes": "''\" or 1 eq 1",
    "a cut key": f"x_~{'0' * 32}",
    "blank": " ",
}


class SignedIn:
    """Recognizes whoever a request names."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def identify(self, authorization: str | None) -> Identity:
        return Identity(tenant_id="tenant", object_id=authorization or "", is_application=False)

    async def organization_of(self, identity: Identity) -> Organization:
        return (await caller_of(self._service, identity.object_id)).organization

    async def caller(self, identity: Identity, _organization: Organization) -> Caller:
        return await caller_of(self._service, identity.object_id)


@dataclass
class World:
    """The small world: Rae may do all that partners do, Sam and Web all that Microsoft's people and applications do.

    `made` is a deal of Contoso that has invited Northwind.
    """

    service: Service
    made: Mapping[str, Any]

    async def ask(
        self,
        who: str,
        name: str,
        body: object = None,
        route: Mapping[str, str] = NOTHING,
        *,
        params: Mapping[str, str] = NOTHING,
        headers: Mapping[str, str] = NOTHING,
    ) -> tuple[int, Any]:
        """Status and body of the answer of an operation, as the host would get it."""
        return await asked(self.service, who, name, body, route=route, params=params, headers=headers)

    async def put_routing(self, table: Any) -> None:
        """Replace the routing table, whichever is there."""
        stored = (await self.ask("sam", "get_routing_rules"))[1]
        etag = {"If-Match": stored["eTag"]} if stored["teams"] else NOTHING
        status, answer = await self.ask("sam", "put_routing_rules", table, headers=etag)
        assert status == 200, answer


async def asked(
    service: Service,
    who: str,
    name: str,
    body: object = None,
    *,
    route: Mapping[str, str] = NOTHING,
    params: Mapping[str, str] = NOTHING,
    headers: Mapping[str, str] = NOTHING,
) -> tuple[int, Any]:
    declared, trigger = OPERATIONS[name], frame._TRIGGERS[name]
    sent = {**headers, "Authorization": who}
    http = http_request(declared, body, route=route, params=params, headers=sent)
    answer = await (trigger(http) if declared.public else trigger(http, client=None))
    await service.follow_ups.background.wait(LONGEST_FOLLOW_UP)
    text = answer.get_body()
    return answer.status_code, json.loads(text) if text[:1] in {b"{", b"["} else None


async def make_world(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> World:
    await import_small_world(tables)
    service = service_on(tables, MemoryMailService(), lambda: NOW)
    service = replace(service, callers=SignedIn(service))  # type: ignore[arg-type]
    monkeypatch.setattr(wiring, "_service", service)
    monkeypatch.setattr(wiring, "_rate_limits", RateLimits(NO_LIMITS))
    monkeypatch.setattr(frame, "DurableEngine", lambda _: FakeEngine())
    monkeypatch.setattr(clock, "now", lambda: NOW)
    for who in ("rae", "sam", "web"):
        caller = await caller_of(service, who)
        member = replace(caller.member, roles=frozenset(get_args(Role)))
        people = [member] if isinstance(member, Person) else []
        applications = [member] if isinstance(member, Application) else []
        tenant = f"tenant-{caller.organization.id}"
        await service.directory.put_organization(caller.organization, tenant, people, applications)
        service.directory.invalidate_people(caller.organization.id, PersonId(who))
        service.directory.invalidate_application(caller.organization.id, ApplicationId(who))
    status, made = await asked(service, "rae", "create_referral", deal("northwind"))
    assert status == 201, made
    return World(service, made)


@pytest.fixture(scope="module")
def own_azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("azurite")
    with azurite.running(folder) as running:
        yield running.connection_string


@pytest.fixture(params=["memory", "azurite"])
async def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    if request.param == "memory":
        yield await make_world(MemoryTables(), monkeypatch)
        return
    text = request.getfixturevalue("own_azurite")
    stored = AzureTables(TableServiceClient.from_connection_string(text))
    await stored.create_tables(keys.TABLES)
    try:
        yield await make_world(stored, monkeypatch)
    finally:
        await stored.close()


def texts(world: World) -> dict[str, str]:
    """All on the twin; on Azurite one of each way to be wrong, since each request takes a hundred times as long."""
    if isinstance(world.service.tables, MemoryTables):
        return TEXTS
    return {name: TEXTS[name] for name in ("accents", "Korean", "a path", "a lone surrogate")}


def places(declared: Operation, text: str, world: World) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each place of a request, besides the body, with the text in it and all others as they should be."""
    names = [part[1:-1] for part in declared.route.split("/") if part.startswith("{")]
    route = {name: _usual(name, declared, world) for name in names}
    for name in names:
        yield f"{{{name}}}", {"route": {**route, name: text}}
    usual = {"country": "US", "name": "Relecloud", "dealType": "PartnerLed", "key": SETTINGS.mail_events_key}
    options = {each.name: usual[each.name] for each in declared.query or () if each.name in usual}
    for option in declared.query or ():
        yield option.name, {"route": route, "params": {**options, option.name: text}}
        if option.name == "$filter":
            quoted = text.replace("'", "''")
            for field in ("id", "engagementId", "location", "sellerTeam", "customerProfile/name"):
                yield (
                    field,
                    {"route": route, "params": {"$filter": f"{field} eq '{quoted}'", "$count": "true"}},
                )
            for field in ("team/any(t:t/email", "details/requirements/solutions/any(s:s/id"):
                yield field, {"route": route, "params": {"$filter": f"{field} eq '{quoted}')"}}
    for header in ("If-Match", "If-None-Match", "Idempotency-Key", "client-request-id", "Prefer"):
        yield header, {"route": route, "params": options, "headers": {header: text}}


def _usual(name: str, declared: Operation, world: World) -> str:
    if "organizations/{id}" in declared.route:
        return {"id": "contoso", "country": "US"}.get(name, "rae")
    return {"id": world.made["id"], "engagementId": world.made["engagementId"]}.get(name, world.made["id"])


def bodies(world: World) -> Iterator[tuple[str, str, Any, dict[str, str]]]:
    """Requests with a body, each of which is good as it is: who sends it to which operation and route."""
    here = {"id": world.made["id"], "engagementId": world.made["engagementId"]}
    contoso = {"id": "contoso", "country": "US", "oid": "new"}
    invitations = deal("northwind", "fabrikam")["invitations"]
    address = {"type": "BusinessProfileLocation", "id": "northwind-sydney"}
    duns = [{"profileType": "Duns", "id": "000000001"}]
    full = {**deal("northwind"), "location": "contoso-seattle", "campaignId": "C", "externalReferenceId": "E"}
    full["customerProfile"] = {**full["customerProfile"], "ids": duns}
    full["invitations"] = [{**full["invitations"][0], "target": address}]
    team = {"id": "east", "name": "East", "members": ["sam@microsoft.com"]}
    rules = [{"id": "one", "team": "east", "countries": ["US"], "industries": ["Retail"]}]
    place = {"id": "contoso-seattle", "name": "Seattle", "keywords": ["erp"], "industries": ["Retail"]}
    form = {
        **registration_form.FORM,
        "solutionId": "SOL-CONTOSO-IP",
        "customer": {"name": "A", "country": "US"},
    }
    asking = inquiry("contoso")
    asking["customerProfile"] = {**asking["customerProfile"], "ids": duns}
    asking["recipients"] = [{"organizationId": "contoso", "target": {**address, "id": "contoso-seattle"}}]
    person = {"email": "new@contoso.com", "firstName": "N", "lastName": "N", "locations": ["contoso-seattle"]}
    report = {"messageId": "m", "recipient": "a@b.example", "status": "Delivered"}
    yield "rae", "create_referral", full, {}
    yield "rae", "create_referral", {**full, "engagementId": here["engagementId"], "target": [address]}, {}
    yield "rae", "create_invitations", {"invitations": invitations}, here
    yield "rae", "convert_lead", full, here
    yield "rae", "accept_referral", {"name": "A", "team": full["team"]}, here
    yield "rae", "set_stage", {"stage": "Developed"}, here
    yield "rae", "patch_referral", [{"op": "replace", "path": "/name", "value": "A"}], here
    yield "rae", "put_referral", dict(world.made), here
    yield "rae", "post_message", {"text": "Hi"}, here
    yield "rae", "put_person", {**person, "roles": ["ReferralsUser"]}, contoso
    yield "rae", "put_profile", {"active": True, "locations": [place]}, contoso
    yield "rae", "put_stage_map", {"stages": [{"name": "First", "stage": "Created"}]}, contoso
    yield "rae", "report_closed_deal", form, {}
    yield "rae", "register_deal", form, here
    yield "sam", "put_routing_rules", {"teams": [team], "rules": rules, "defaultTeam": "east"}, {}
    yield "sam", "evaluate_routing_rules", {"country": "US", "industries": ["Retail"]}, {}
    yield "sam", "assign_registration", {"email": "dee@microsoft.com"}, {**here, "rid": here["id"]}
    yield "web", "submit_leads", asking, {}
    events = [{"eventType": "Microsoft.Communication.EmailDeliveryReportReceived", "data": report}]
    yield "", "receive_mail_events", events, {}


def with_text(document: Any, text: str) -> Iterator[tuple[str, Any]]:
    """The document with the text in the place of each string in it, one at a time."""
    if isinstance(document, str):
        yield "", text
    items = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for name, value in items:
        for where, changed in with_text(value, text):
            copied = document.copy()
            copied[name] = changed
            yield f"/{name}{where}", copied


async def test_no_route_option_or_header_makes_an_operation_fail(world: World) -> None:
    failed: list[str] = []
    for said, text in texts(world).items():
        for name, declared in OPERATIONS.items():
            if name in {"get_health", "get_openapi", "get_docs"}:
                continue  # they use nothing of a request
            for where, request in places(declared, text, world):
                who = "sam" if "routing" in name or "Partner" in name else "rae"
                body = None if declared.body is None else {}
                failed += await failure(world, (who, name, body), f"{name} {where}, {said}", **request)
    assert not failed, "\n".join(failed[:20])


async def test_no_text_in_a_body_makes_an_operation_fail(world: World) -> None:
    failed: list[str] = []
    for said, text in texts(world).items():
        for who, name, document, route in bodies(world):
            for where, body in with_text(document, text):
                params = {"key": SETTINGS.mail_events_key or ""} if name == "receive_mail_events" else NOTHING
                at = f"{name} {where}, {said}"
                failed += await failure(world, (who, name, body), at, route=route, params=params)
    assert not failed, "\n".join(failed[:20])


async def test_nobody_is_entered_under_an_id_that_no_directory_gives(world: World) -> None:
    body = {"email": "new@contoso.com", "firstName": "N", "lastName": "N", "roles": ["ReferralsAdmin"]}
    assert (await world.ask("rae", "put_person", body, {"id": "contoso", "oid": "é" * 100}))[0] == 404


async def test_a_person_whose_id_is_cut_in_keys_is_found_by_it_alone(world: World) -> None:
    """Also as the person who signs in, and by whom favorites are marked."""
    oid, other, cut = "é" * 100, "é" * 99 + "è", keys.safe("é" * 100, beside=2)
    rae = (await caller_of(world.service, "rae")).member
    assert isinstance(rae, Person)
    stored = await world.service.people.put(replace(rae, id=PersonId(oid)), None)
    for near in (other, cut, cut.replace("_~", "~")):
        assert await world.service.people.get(OrganizationId("contoso"), PersonId(near)) is None
    assert await world.service.people.get(OrganizationId("contoso"), PersonId(oid)) == stored
    person = await world.service.directory.person(OrganizationId("contoso"), PersonId(oid))
    assert person
    party = ReferralKey(organization_id=OrganizationId("contoso"), referral_id=ReferralId(world.made["id"]))
    await world.service.referrals.mark_favorite(person, party)
    assert await world.service.referrals.favorites(person) == {party.referral_id}
    assert await world.service.referrals.favorites(replace(person, id=PersonId(other))) == frozenset()
    await world.service.people.remove(OrganizationId("contoso"), PersonId(oid), stored.etag)
    assert await world.service.people.get(OrganizationId("contoso"), PersonId(oid)) is None


async def test_deals_are_routed_to_a_team_whose_id_is_cut_in_keys_and_listed_by_it(world: World) -> None:
    team = "팀" * 100
    table = {"teams": [{"id": team, "name": "East", "members": ["sam@microsoft.com"]}], "defaultTeam": team}
    await world.put_routing(table)
    status, made = await world.ask("rae", "create_referral", deal())
    assert status == 201, made
    for filtered in (f"sellerTeam eq '{team}'", "myTeam eq true"):
        status, page = await world.ask("sam", "list_referrals", params={"$filter": filtered})
        assert [each["engagementId"] for each in page["value"]] == [made["engagementId"]]
    await world.put_routing({"teams": [{"id": "east", "name": "East"}], "defaultTeam": "east"})


async def failure(world: World, request: tuple[str, str, Any], at: str, **more: Any) -> list[str]:
    try:
        status, body = await world.ask(*request, **more)
    except Exception as error:  # noqa: BLE001 - the host answers any of them with 500
        return [f"{at}: {error!r}"]
    return [f"{at}: {status} {body}"] if status >= 500 else []
