"""Whoever sees a lead can say that its customer was contacted, which settles the alert (R5)."""

from datetime import timedelta

import pytest

from api.leads.submit import submit_leads
from api.referrals.read import get_referral, list_timeline
from api.referrals.transitions import accept_referral, mark_customer_contacted
from shared.wiring import Service
from tests.doubles.service import ask
from tests.doubles.small_world import inquiry
from tests.examples.referrals import NOW

LATER = NOW + timedelta(hours=5)
KEY = {"Idempotency_Key": "k"}


@pytest.fixture
async def route(small_service: Service) -> dict[str, str]:
    """A new lead of Contoso's whose customer asks to be contacted."""
    request = {**inquiry("contoso"), "details": {"customerRequestedContact": True}}
    submitted = await ask(small_service, "web", submit_leads, request, now=NOW)
    assert submitted.status == 201, submitted.body
    return {"id": submitted.body["recipients"][0]["referralId"]}


async def test_the_alert_is_settled_and_the_timeline_says_by_whom(
    small_service: Service, route: dict[str, str]
) -> None:
    before = await ask(small_service, "rae", get_referral, now=LATER, route=route)
    assert before.body["contactAlert"] == "hot"
    done = await ask(small_service, "rae", mark_customer_contacted, {}, now=LATER, route=route)
    assert (done.status, done.body["contactAlert"], done.body["status"]) == (200, None, "New")
    assert done.body["allowedActions"] == ["accept", "decline"]
    assert done.body["eTag"] != before.body["eTag"]
    timeline = await ask(small_service, "rae", list_timeline, now=LATER, route=route)
    last = timeline.body["value"][-1]
    assert (last["kind"], last["actor"]["name"], last["dateTime"]) == (
        *("contacted", "Rae Example", "2026-11-21T15:00:00Z"),
    )
    estimate = {"dealValue": 1000, "currency": "USD", "closingDateTime": "2027-12-31T00:00:00Z"}
    accepted = await ask(small_service, "rae", accept_referral, estimate, now=LATER, route=route)
    assert (accepted.status, accepted.body["contactAlert"]) == (200, None)


async def test_a_repetition_under_its_key_is_answered_and_another_request_is_refused(
    small_service: Service, route: dict[str, str]
) -> None:
    async def say(**headers: str) -> tuple[int, str | None]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        done = await ask(
            small_service, "rae", mark_customer_contacted, {}, now=LATER, route=route, headers=sent
        )
        return done.status, done.body.get("eTag") or done.body["error"]["code"]

    first = await say(**KEY)
    assert first[0] == 200
    assert await say(**KEY) == first
    assert await say() == (409, "notAllowed")
    timeline = await ask(small_service, "rae", list_timeline, now=LATER, route=route)
    assert [each["kind"] for each in timeline.body["value"]].count("contacted") == 1


async def test_a_stale_version_is_told_what_changed(small_service: Service, route: dict[str, str]) -> None:
    await ask(small_service, "rae", mark_customer_contacted, {}, now=LATER, route=route)
    stale = {"If-Match": '"1"'}
    refused = await ask(small_service, "rae", accept_referral, {}, now=LATER, route=route, headers=stale)
    assert refused.status == 412
    assert refused.body["error"]["innerError"]["changedFields"] == ["/contactAlert"]


async def test_after_the_deadline_the_lead_expires_instead(
    small_service: Service, route: dict[str, str]
) -> None:
    """L4."""
    late = NOW + timedelta(days=14)
    refused = await ask(small_service, "rae", mark_customer_contacted, {}, now=late, route=route)
    assert (refused.status, refused.body["error"]["code"]) == (409, "terminalState")


async def test_whoever_does_not_see_the_lead_gets_404(small_service: Service, route: dict[str, str]) -> None:
    """V5."""
    refused = await ask(small_service, "kim", mark_customer_contacted, {}, now=LATER, route=route)
    assert refused.status == 404
