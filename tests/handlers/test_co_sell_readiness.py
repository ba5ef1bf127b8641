"""Inviting Microsoft needs a co-sell-ready solution of the inviter's own in the catalogue (T3).

Fabrikam has none: its deals name a solution of Contoso's.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from api.http.response import Response
from api.leads.submit import submit_leads
from api.referrals.convert import convert_lead
from api.referrals.create import create_referral
from api.referrals.edit import patch_referral
from api.referrals.invitations import create_invitations
from api.referrals.list import list_referrals
from api.referrals.read import get_referral
from api.referrals.transitions import accept_referral
from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.wiring import Service
from tests.doubles.played_deal import faults, replacing
from tests.doubles.service import ask
from tests.doubles.small_world import deal, inquiry
from tests.examples.referrals import NOW

Q1 = "/inviteContext/assistanceRequestCode"
ESTIMATE = {"dealValue": 1000, "currency": "USD", "closingDateTime": "2027-12-31T00:00:00Z"}


async def have_solution_made_ready(service: Service) -> None:
    solution = {"id": "SOL-FABRIKAM", "name": "Fabrikam One", "owner": "fabrikam", "coSellReady": True}
    await import_directory(service.tables, DirectoryDocument.model_validate({"solutions": [solution]}))


async def private_deal(service: Service) -> dict[str, Any]:
    """Kim's deal that invites nobody, with the customer's contact and consent."""
    made = await ask(service, "kim", create_referral, deal(microsoft=False), now=NOW)
    assert made.status == 201, made.body
    body: dict[str, Any] = made.body
    return body


async def by_creation(service: Service) -> Response:
    return await ask(service, "kim", create_referral, deal(), now=NOW)


async def by_entry(service: Service) -> Response:
    body = {**deal(microsoft=False), "invitations": [{"organizationId": "msft"}]}
    return await ask(service, "kim", create_referral, body, now=NOW)


async def by_later_invitation(service: Service) -> Response:
    route = {"id": (await private_deal(service))["id"]}
    entry = {"organizationId": "msft", "assistanceRequestCode": "GeneralOrOther"}
    return await ask(service, "kim", create_invitations, {"invitations": [entry]}, now=NOW, route=route)


async def by_second_call(service: Service) -> Response:
    engagement = (await private_deal(service))["engagementId"]
    target = [{"type": "BusinessProfileLocation", "id": "msft"}]
    body = {"engagementId": engagement, "target": target}
    return await ask(service, "kim", create_referral, body, now=NOW)


async def by_patch(service: Service) -> Response:
    made = await private_deal(service)
    headers = {"If-Match": made["eTag"]}
    body = [replacing(Q1, "GeneralOrOther")]
    return await ask(service, "kim", patch_referral, body, now=NOW, route={"id": made["id"]}, headers=headers)


async def by_conversion(service: Service) -> Response:
    submitted = await ask(service, "web", submit_leads, inquiry("fabrikam"), now=NOW)
    route = {"id": submitted.body["recipients"][0]["referralId"]}
    accepted = await ask(service, "kim", accept_referral, ESTIMATE, now=NOW, route=route)
    assert accepted.status == 200, accepted.body
    body = deal()
    sent = {name: body[name] for name in ("customerProfile", "consent", "team", "inviteContext")}
    sent["customerProfile"] = {"team": body["customerProfile"]["team"]}
    sent["details"] = {"requirements": body["details"]["requirements"]}
    return await ask(service, "kim", convert_lead, sent, now=NOW, route=route)


WAYS: dict[Callable[[Service], Awaitable[Response]], str] = {
    by_creation: Q1,
    by_entry: "/invitations/0/organizationId",
    by_later_invitation: "/invitations/0/organizationId",
    by_second_call: "/target/0/id",
    by_patch: Q1,
    by_conversion: Q1,
}


@pytest.mark.parametrize("invite", WAYS, ids=lambda way: way.__name__)
async def test_without_a_solution_of_its_own_a_partner_does_not_invite_microsoft(
    small_service: Service, invite: Callable[[Service], Awaitable[Response]]
) -> None:
    refused = await invite(small_service)
    assert faults(refused) == [(WAYS[invite], "notAllowed")]
    assert "Fabrikam has no co-sell-ready solution" in refused.body["error"]["details"][0]["message"]


@pytest.mark.parametrize("invite", WAYS, ids=lambda way: way.__name__)
async def test_it_invites_microsoft_once_it_has_one_whatever_the_deal_names(
    small_service: Service, invite: Callable[[Service], Awaitable[Response]]
) -> None:
    await have_solution_made_ready(small_service)
    done = await invite(small_service)
    assert done.status in {200, 201, 204}, done.body


async def test_the_actions_of_a_deal_say_whether_microsoft_can_be_invited(small_service: Service) -> None:
    """A list goes by the record, which names no solution of Fabrikam's."""
    made = await private_deal(small_service)

    async def listed() -> tuple[bool, bool]:
        one = await ask(small_service, "kim", get_referral, now=NOW, route={"id": made["id"]})
        several = await ask(small_service, "kim", list_referrals, now=NOW)
        actions = (one.body["allowedActions"], several.body["value"][0]["allowedActions"])
        return "inviteMicrosoft" in actions[0], "inviteMicrosoft" in actions[1]

    assert "inviteMicrosoft" not in made["allowedActions"]
    assert await listed() == (False, False)
    await have_solution_made_ready(small_service)
    assert await listed() == (True, False)
    own = await ask(small_service, "rae", create_referral, deal(microsoft=False), now=NOW)
    assert "inviteMicrosoft" in own.body["allowedActions"]
    of_contoso = await ask(small_service, "rae", list_referrals, now=NOW)
    assert "inviteMicrosoft" in of_contoso.body["value"][0]["allowedActions"]
