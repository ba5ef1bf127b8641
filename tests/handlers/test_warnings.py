"""What is done although its sender may expect otherwise is said in `warnings[]` (G1, R7, rules C)."""

from typing import Any

import pytest

from api.leads.submit import submit_leads
from api.referrals.create import create_referral
from api.referrals.edit import patch_referral
from api.referrals.read import get_referral
from api.referrals.transitions import accept_referral
from api.registrations.eligibility import get_eligibility
from shared.wiring import Service
from tests.doubles.played_deal import replacing
from tests.doubles.service import ask
from tests.doubles.small_world import deal, inquiry
from tests.examples.referrals import NOW

DEFAULTED = {"code": "defaultLocation", "target": "/location"}
NOT_SHARED = {"code": "notesNotShared", "target": "/details/notes"}
CONVERT = {"code": "convertBeforeWon", "target": None}


async def warnings(service: Service, body: dict[str, Any], **params: str) -> list[dict[str, Any]]:
    """The warnings of a creation by Rae."""
    made = await ask(service, "rae", create_referral, body, now=NOW, params=params)
    assert made.status in {200, 201}, made.body
    found: list[dict[str, Any]] = made.body["warnings"]
    return found


@pytest.mark.parametrize("params", [{}, {"validateOnly": "true"}], ids=["created", "validated"])
async def test_a_location_that_was_not_sent_is_said(small_service: Service, params: dict[str, str]) -> None:
    assert await warnings(small_service, deal(), **params) == [DEFAULTED]
    for name in ("location", "mpnId"):
        assert await warnings(small_service, {**deal(), name: "contoso-seattle"}, **params) == []


async def test_it_is_said_with_the_creation_and_its_repetition_alone(small_service: Service) -> None:
    key = {"Idempotency-Key": "k"}
    made = await ask(small_service, "rae", create_referral, deal(), now=NOW, headers=key)
    again = await ask(small_service, "rae", create_referral, deal(), now=NOW, headers=key)
    assert made.body["warnings"] == again.body["warnings"] == [DEFAULTED]
    read = await ask(small_service, "rae", get_referral, now=NOW, route={"id": made.body["id"]})
    assert read.body["warnings"] == []


async def test_a_deal_of_microsofts_has_no_location_to_default(small_service: Service) -> None:
    body = deal("northwind", microsoft=False)
    made = await ask(small_service, "sam", create_referral, body, now=NOW)
    assert (made.status, made.body["warnings"]) == (201, [])


async def test_fields_that_are_not_kept_are_named_by_their_whole_paths(small_service: Service) -> None:
    body = {**deal("northwind"), "location": "contoso-seattle", "PublisherName": "Contoso"}
    body["consent"]["consentToMicrosoftToContactSpecificPartners"] = True
    body["details"]["requirements"]["offers"] = []
    body["details"]["requirements"]["solutions"][0]["price"] = 1
    body["invitations"][0]["solutions"] = [{"id": "SOL-CONTOSO-ERP"}, {"id": "SOL-CONTOSO-IP", "Quantity": 2}]
    found = await warnings(small_service, body)
    assert {each["code"] for each in found} == {"notKept"}
    assert [each["target"] for each in found] == [
        "/consent/consentToMicrosoftToContactSpecificPartners",
        "/details/requirements/offers",
        "/details/requirements/solutions/0/price",
        "/invitations/0/solutions/1/quantity",
        "/publisherName",
    ]


async def test_notes_of_ones_own_do_not_reach_microsoft_and_that_is_said(small_service: Service) -> None:
    """V1: Microsoft reads what the invitation says, not the inviter's notes."""
    body = {**deal(), "location": "contoso-seattle"}
    body["details"]["notes"] = "They need the field team."
    assert await warnings(small_service, body) == [NOT_SHARED]
    by_entry = {**body, "invitations": [{"organizationId": "msft", "notes": "Please send it."}]}
    assert await warnings(small_service, by_entry) == []
    body["inviteContext"]["notes"] = "Please send it."
    assert await warnings(small_service, body) == []


async def test_an_active_lead_with_an_incentive_is_to_be_converted_before_it_is_won(
    small_service: Service,
) -> None:
    request = inquiry("contoso")
    request["details"] = {"requirements": {"solutions": [{"id": "SOL-CONTOSO-IP"}]}}
    submitted = await ask(small_service, "web", submit_leads, request, now=NOW)
    assert submitted.status == 201, submitted.body
    route = {"id": submitted.body["recipients"][0]["referralId"]}
    new = await ask(small_service, "rae", get_referral, now=NOW, route=route)
    assert new.body["warnings"] == []
    estimate = {"dealValue": 1000, "currency": "USD", "closingDateTime": "2027-12-31T00:00:00Z"}
    accepted = await ask(small_service, "rae", accept_referral, estimate, now=NOW, route=route)
    assert accepted.body["warnings"] == [CONVERT]
    eligibility = await ask(small_service, "rae", get_eligibility, now=NOW, route=route)
    assert eligibility.body["warnings"] == [CONVERT]
    plain = [replacing("/details/requirements/solutions", [{"id": "SOL-CONTOSO-ERP"}])]
    headers = {"If-Match": accepted.body["eTag"], "Prefer": "return=representation"}
    edited = await ask(small_service, "rae", patch_referral, plain, now=NOW, route=route, headers=headers)
    assert (edited.status, edited.body["warnings"]) == (200, [])
