"""Who calls: from a token to the entry in the directory, and what whoever has none is told (V7)."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api import operations
from api.http import operation
from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.auth.callers import Callers
from shared.domain.directory import Application, Person
from shared.domain.permissions import Caller
from shared.errors import AccessDenied
from shared.wiring import Service, wiring
from tests.doubles.service import http_request
from tests.doubles.small_world import application, organization
from tests.doubles.token_issuer import bearer, claims, of_application, verifier

NOW = datetime(2030, 1, 1, tzinfo=UTC)
UNKNOWN = "11111111-2222-4333-8444-555555555555"
CONTOSO, MICROSOFT, PORTAL = "tenant-contoso", "tenant-msft", "tenant-portal"


@pytest.fixture
async def world(small_service: Service) -> Service:
    """The small world, in which Contoso has a CRM whose entry ends in a day."""
    crm = {**application("crm", "ReferralsAdmin"), "expiresDateTime": "2030-01-02T00:00:00Z"}
    contoso = {**organization("contoso", "Contoso", "contoso-seattle", "US"), "applications": [crm]}
    await import_directory(
        small_service.tables, DirectoryDocument.model_validate({"organizations": [contoso]})
    )
    return small_service


async def caller(world: Service, payload: dict[str, Any], now: datetime = NOW) -> Caller:
    callers = Callers(verifier(), world.directory, lambda: now)
    identity = await callers.identify(bearer(payload))
    return await callers.caller(identity, await callers.organization_of(identity))


async def test_a_token_that_does_not_open_this_api_is_nobodys_whoever_sends_it(world: Service) -> None:
    with pytest.raises(AccessDenied, match="not issued for calling this API"):
        await caller(world, claims(tid=CONTOSO, oid="rae", scp="User.Read"))


async def test_a_person_and_an_application_are_recognized_by_their_tokens(world: Service) -> None:
    rae = await caller(world, claims(tid=CONTOSO, oid="rae"))
    assert isinstance(rae.member, Person)
    assert (rae.organization.id, rae.member.id) == ("contoso", "rae")
    crm = await caller(world, of_application(tid=CONTOSO, oid="crm"))
    assert isinstance(crm.member, Application)
    assert (crm.organization.id, crm.member.id, crm.member.name) == ("contoso", "crm", "Crm Example")


@pytest.mark.parametrize("spelled", [str.upper, str.title])
async def test_it_is_the_same_caller_in_capital_letters(world: Service, spelled: Any) -> None:
    tenant = spelled(CONTOSO)
    rae = await caller(world, claims(tid=CONTOSO, oid="rae"))
    assert await caller(world, claims(tid=tenant, oid=spelled("rae"))) == rae
    crm = await caller(world, of_application(tid=CONTOSO, oid="crm"))
    assert await caller(world, of_application(tid=tenant, oid=spelled("crm"))) == crm


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (
            claims(tid=UNKNOWN),
            f"No organization in the directory has your tenant, {UNKNOWN}; the service's operator",
        ),
        (of_application(tid=UNKNOWN), f"has your tenant, {UNKNOWN}; the service's operator can add it."),
        (
            claims(tid=CONTOSO),
            "You are not in the directory of Contoso; an MPN partner admin of Contoso can add you.",
        ),
        (
            of_application(tid=CONTOSO),
            "This application is not in the directory of Contoso; an MPN partner admin of",
        ),
        (claims(tid=MICROSOFT), "not in the directory of Microsoft; the service's operator can add you."),
        (claims(tid=PORTAL), "not in the directory of Portal; the service's operator can add you."),
        (of_application(tid=PORTAL), "not in the directory of Portal; the service's operator can add it."),
    ],
)
async def test_whoever_is_not_in_the_directory_learns_who_can_add_them(
    world: Service, payload: dict[str, Any], words: str
) -> None:
    with pytest.raises(AccessDenied) as refused:
        await caller(world, payload)
    assert words in str(refused.value)


@pytest.mark.parametrize("payload", [of_application(tid=CONTOSO, oid="rae"), claims(tid=CONTOSO, oid="crm")])
async def test_an_entry_is_used_with_tokens_of_its_own_kind_alone(
    world: Service, payload: dict[str, Any]
) -> None:
    """An application that was entered as a person would never expire."""
    with pytest.raises(AccessDenied, match="not in the directory of Contoso"):
        await caller(world, payload)


async def test_an_application_may_do_nothing_once_its_entry_has_expired(world: Service) -> None:
    crm, end = of_application(tid=CONTOSO, oid="crm"), datetime(2030, 1, 2, tzinfo=UTC)
    assert await caller(world, crm, end - timedelta(seconds=1))
    with pytest.raises(AccessDenied) as refused:
        await caller(world, crm, end)
    assert str(refused.value) == (
        "The entry of the application Crm Example in the directory of Contoso expired on 2030-01-02; an MPN partner "
        "admin of Contoso can renew it."
    )


PROTECTED = sorted(each.name for each in operations.OPERATIONS.values() if not each.public)
TRIGGERS = dict(operation._TRIGGERS)


@pytest.mark.parametrize("name", PROTECTED)
async def test_every_operation_tells_a_stranger_so_whatever_they_ask_for(
    world: Service, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with ids of what exists, of what does not, and of nothing that could be; and with a bad body."""
    callers = Callers(verifier(), world.directory, lambda: NOW)
    monkeypatch.setattr(wiring, "_service", replace(world, callers=callers))
    declared = operations.OPERATIONS[name]
    for identifier in ("contoso", UNKNOWN, "%%%", "fabrikam"):
        route = dict.fromkeys(
            ("id", "oid", "engagementId", "rid", "country", "inviteeId", "location"), identifier
        )
        for payload, words in (
            (claims(tid=CONTOSO), "an MPN partner admin of Contoso can add you."),
            (of_application(tid=UNKNOWN), "the service's operator can add it."),
            (claims(tid=CONTOSO, oid="rae", scp="User.Read"), "access_as_user"),
        ):
            sent = {"Authorization": bearer(payload)}
            http = http_request(declared, b"{", route=route, params={"$top": "x"}, headers=sent)
            answer = await TRIGGERS[name](http, client=None)
            error = json.loads(answer.get_body())["error"]
            assert (answer.status_code, error["code"]) == (403, "accessDenied"), (identifier, error)
            assert words in error["message"]
