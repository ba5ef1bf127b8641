"""A repeated request is answered again only to somebody who may still see what it made (C5, V5)."""

from collections.abc import Mapping
from typing import Any

import pytest

from api.http.operation import OPERATIONS, Handler
from api.http.response import Response
from api.leads.submit import submit_leads
from api.referrals.create import create_referral
from api.referrals.edit import patch_referral
from api.referrals.invitations import create_invitations
from api.referrals.messages import post_message
from api.referrals.transitions import lose_referral, mark_customer_contacted, set_stage, win_referral
from api.registrations.closed_deals import report_closed_deal
from api.registrations.drafts import recall_registration
from api.registrations.submit import register_deal
from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.domain.ids import ApplicationId, LocationId, OrganizationId, PersonId
from shared.domain.vocabulary import Role
from shared.wiring import Service
from tests.doubles.engine import FakeEngine
from tests.doubles.registered_deal import FORM, RegisteredDeal
from tests.doubles.service import ask
from tests.doubles.small_world import APPLICATIONS, PEOPLE, WORLD, deal, inquiry
from tests.examples.referrals import NOW

SEATTLE = LocationId("contoso-seattle")
KEYS: list[dict[str, str]] = [
    {"Idempotency-Key": "k"},
    {"client-request-id": "8b5a3f6e-0001-4000-8000-000000000001"},
]
SECRET = "Seen by nobody else"
REPORT = {
    **FORM,
    "solutionId": "SOL-CONTOSO-IP",
    "customer": {"name": "Relecloud", "country": "US"},
    "name": SECRET,
}


async def change_roles(
    service: Service, who: str, *roles: Role, locations: frozenset[LocationId] = frozenset()
) -> None:
    """From now on, a person or an application has these roles, at these locations only."""
    organization_id = OrganizationId(PEOPLE[who][0] if who in PEOPLE else APPLICATIONS[who])
    world = next(each for each in WORLD.organizations if each.id == organization_id)
    new = {"roles": frozenset(roles), "everywhere": False, "locations": locations}
    entries = {
        kind: tuple(each.model_copy(update=new) if each.oid == who else each for each in getattr(world, kind))
        for kind in ("people", "applications")
    }
    changed = DirectoryDocument(organizations=(world.model_copy(update=entries),))
    await import_directory(service.tables, changed)
    service.directory.invalidate_people(organization_id, PersonId(who))
    service.directory.invalidate_application(organization_id, ApplicationId(who))


@pytest.mark.parametrize("key", KEYS, ids=lambda key: next(iter(key)))
async def test_who_was_taken_off_the_team_gets_nothing_by_repeating_the_creation(
    small_service: Service, key: Mapping[str, str]
) -> None:
    await change_roles(small_service, "rae", "ReferralsUser", locations=frozenset({SEATTLE}))
    body = deal()
    made = await ask(small_service, "rae", create_referral, body, now=NOW, headers=key)
    assert made.status == 201
    await change_roles(small_service, "mia", "ReferralsAdmin", locations=frozenset({SEATTLE}))
    without_rae = [
        {"op": "replace", "path": "/team/0/email", "value": "mia@contoso.com"},
        {"op": "replace", "path": "/details/notes", "value": SECRET},
    ]
    route = {"id": made.body["id"]}
    edited = await ask(
        small_service,
        "mia",
        patch_referral,
        without_rae,
        now=NOW,
        route=route,
        headers={"If-Match": made.body["eTag"]},
    )
    assert edited.status == 204, edited.body
    again = await ask(small_service, "rae", create_referral, body, now=NOW, headers=key)
    assert (again.status, again.body["error"]["code"]) == (404, "itemNotFound")
    assert SECRET not in str(again.body)


@pytest.fixture
async def won(small_service: Service) -> RegisteredDeal:
    """Rae's won deal, which can be registered."""
    registered = RegisteredDeal(small_service, FakeEngine(), lambda: NOW)
    await registered.win()
    return registered


async def repeated_without_rights(
    service: Service, who: str, handler: Handler, body: Any, route: Mapping[str, str] | None = None
) -> Response:
    """The answer to a request that was carried out, and is repeated by a person who has no rights any more."""

    async def request() -> Response:
        return await ask(service, who, handler, body, now=NOW, route=route or {}, headers=KEYS[0])

    assert (await request()).status in {200, 201}
    assert (await request()).status in {200, 201}, "a repetition is answered"
    await change_roles(service, who, "ReferralsUser")
    return await request()


ON_A_DEAL: dict[Handler, Any] = {
    create_invitations: {"invitations": [deal("northwind")["invitations"][0]]},
    post_message: {"text": SECRET},
    set_stage: {"stage": "Qualified"},
    win_referral: {"notes": SECRET},
    lose_referral: {"reason": "Other", "notes": SECRET},
}
BY_OTHER_MEANS = {"accept_referral", "decline_referral", "convert_lead", "review_registration"}
"""Of the same kind as others here: they see the record of their route before anything else."""


@pytest.mark.parametrize("handler", ON_A_DEAL, ids=lambda handler: handler.__name__)
async def test_what_was_done_to_a_deal_is_told_again_only_to_who_sees_the_deal(
    small_service: Service, handler: Handler
) -> None:
    made = await ask(small_service, "rae", create_referral, deal(microsoft=False), now=NOW)
    route = {"id": made.body["id"], "engagementId": made.body["engagementId"]}
    again = await repeated_without_rights(small_service, "rae", handler, ON_A_DEAL[handler], route)
    assert again.status == 404
    assert SECRET not in str(again.body)


async def test_an_invitation_by_a_second_call_is_told_again_only_to_who_sees_the_deal(
    small_service: Service,
) -> None:
    made = await ask(small_service, "rae", create_referral, deal(microsoft=False), now=NOW)
    body = {
        "engagementId": made.body["engagementId"],
        "target": [{"type": "BusinessProfileLocation", "id": "msft"}],
    }
    assert (await repeated_without_rights(small_service, "rae", create_referral, body)).status == 404


async def test_that_a_customer_was_contacted_is_told_again_only_to_who_sees_the_lead(
    small_service: Service,
) -> None:
    request = {**inquiry("contoso"), "details": {"customerRequestedContact": True}}
    submitted = await ask(small_service, "web", submit_leads, request, now=NOW)
    route = {"id": submitted.body["recipients"][0]["referralId"]}
    again = await repeated_without_rights(small_service, "rae", mark_customer_contacted, {}, route)
    assert again.status == 404


async def test_a_registration_is_told_again_only_to_who_sees_the_deal(won: RegisteredDeal) -> None:
    again = await repeated_without_rights(won.service, "rae", register_deal, FORM, {"id": won.id})
    assert again.status == 404


async def test_a_recall_is_told_again_only_to_who_sees_the_deal(won: RegisteredDeal) -> None:
    await won.register()
    route = {"id": won.id, "rid": won.rid}
    again = await repeated_without_rights(won.service, "rae", recall_registration, None, route)
    assert again.status == 404


async def test_a_report_is_told_again_only_to_who_may_report(small_service: Service) -> None:
    again = await repeated_without_rights(small_service, "rae", report_closed_deal, REPORT)
    assert again.status == 403
    assert SECRET not in str(again.body)


async def test_a_request_for_information_is_told_again_only_to_applications_that_may_send_it(
    small_service: Service,
) -> None:
    again = await repeated_without_rights(small_service, "web", submit_leads, inquiry("fabrikam"))
    assert again.status == 403


OTHERS = (create_referral, register_deal, recall_registration, report_closed_deal, mark_customer_contacted)


def test_every_operation_that_is_carried_out_once_under_a_key_is_tried_here() -> None:
    tried = {each.__name__ for each in (*ON_A_DEAL, *OTHERS)}
    keyed = {name for name, each in OPERATIONS.items() if "Idempotency-Key" in each.headers}
    assert keyed == tried | {submit_leads.__name__} | BY_OTHER_MEANS
