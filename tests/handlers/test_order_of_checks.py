"""The order in which a request is checked: the first check that fails answers (docs/api.md, Order of checks).

Nothing that a client sends in the body is looked at before it is certain that the caller may send it.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from api.directory.profiles import put_profile
from api.directory.stage_maps import put_stage_map
from api.http.operation import OPERATIONS, Handler
from api.leads.submit import submit_leads
from api.referrals.create import create_referral
from api.referrals.edit import patch_referral, put_referral
from api.referrals.invitations import create_invitations
from api.referrals.messages import post_message
from api.referrals.transitions import (
    accept_referral,
    lose_referral,
    mark_customer_contacted,
    set_stage,
    win_referral,
)
from api.registrations.closed_deals import report_closed_deal
from api.registrations.drafts import delete_registration, recall_registration
from api.registrations.submit import register_deal
from shared.wiring import Service
from tests.doubles.engine import FakeEngine
from tests.doubles.registered_deal import RegisteredDeal
from tests.doubles.service import ask
from tests.doubles.small_world import deal
from tests.examples.referrals import NOW
from tests.handlers.test_replays import SEATTLE, change_roles

BROKEN = b"{"
UNKNOWN = {
    "id": "00000000-0000-7000-8000-000000000000",
    "rid": "00000000-0000-7000-8000-000000000001",
    "engagementId": "00000000-0000-7000-8000-000000000002",
    "oid": "nobody",
    "country": "US",
    "location": "nowhere",
}
HANDLERS: dict[str, Handler] = {
    name: found
    for module in [each for name, each in sys.modules.items() if name.startswith("api.")]
    for name, found in vars(module).items()
    if name in OPERATIONS and callable(found)
}
WITH_BODIES = sorted(name for name, each in OPERATIONS.items() if each.body is not None and not each.public)

OF_EVERYBODY = {"patch_me"}
"""What every person may do."""


@pytest.fixture
async def own(small_service: Service) -> dict[str, str]:
    """The route of a deal of Rae's."""
    made = await ask(small_service, "rae", create_referral, deal(), now=NOW)
    return {"id": made.body["id"], "engagementId": made.body["engagementId"]}


@dataclass(frozen=True, slots=True)
class Case:
    """An operation that Rae may call on what is hers; `readable` is a body with a fault of form."""

    handler: Handler
    readable: Any = field(default_factory=lambda: {"unheardOf": 1})
    route: Mapping[str, str] = field(default_factory=dict[str, str])
    needs_version: bool = False
    takes_version: bool = True
    etag: str = '"1"'


CONTOSO = {"id": "contoso", "country": "US"}
CASES = [
    Case(create_referral, takes_version=False),
    Case(create_invitations),
    Case(post_message, takes_version=False),
    Case(patch_referral, [{"op": "?"}], needs_version=True),
    Case(put_referral, {"name": 1}, needs_version=True),
    Case(win_referral),
    Case(lose_referral),
    Case(set_stage),
    Case(put_profile, {"unheardOf": 1}, CONTOSO, needs_version=True),
    Case(put_stage_map, {"unheardOf": 1}, CONTOSO, etag='"0"'),
    Case(report_closed_deal, takes_version=False),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.handler.__name__)
async def test_a_body_that_is_no_json_is_told_before_versions_and_states(
    small_service: Service, own: dict[str, str], case: Case
) -> None:
    route = {**own, **case.route}
    for headers in ({}, {"If-Match": '"77"'}):
        refused = await ask(small_service, "rae", case.handler, BROKEN, now=NOW, route=route, headers=headers)
        assert (refused.status, refused.body["error"]["code"]) == (400, "invalidRequest"), headers


@pytest.mark.parametrize(
    "case", [each for each in CASES if each.takes_version], ids=lambda case: case.handler.__name__
)
async def test_a_version_is_checked_before_what_the_body_says(
    small_service: Service, own: dict[str, str], case: Case
) -> None:
    route = {**own, **case.route}

    async def status(headers: Mapping[str, str]) -> int:
        answer = await ask(
            small_service, "rae", case.handler, case.readable, now=NOW, route=route, headers=headers
        )
        return answer.status

    assert await status({}) == (428 if case.needs_version else 422)
    assert await status({"If-Match": '"77"'}) == 412
    assert await status({"If-Match": case.etag}) == 422


@pytest.mark.parametrize(
    "handler",
    [accept_referral, mark_customer_contacted, register_deal],
    ids=lambda each: each.__name__,
)
async def test_what_the_state_forbids_is_told_before_what_the_body_says(
    small_service: Service, own: dict[str, str], handler: Handler
) -> None:
    refused = await ask(small_service, "rae", handler, {"unheardOf": 1}, now=NOW, route=own)
    assert (refused.status, refused.body["error"]["code"]) == (409, "notAllowed")


@pytest.mark.parametrize("name", sorted({*WITH_BODIES} - OF_EVERYBODY))
async def test_whoever_may_not_send_it_is_told_so_whatever_the_body(
    small_service: Service, name: str
) -> None:
    """Dee reviews registrations, and sees nothing of what these routes name (V5, V6)."""
    for body in (BROKEN, {"unheardOf": 1}, [], {}):
        refused = await ask(small_service, "dee", HANDLERS[name], body, now=NOW, route=UNKNOWN)
        assert refused.status in {403, 404}, body


@pytest.mark.parametrize("name", [name for name in WITH_BODIES if OPERATIONS[name].headers])
async def test_a_header_that_is_no_text_is_told_before_the_record(small_service: Service, name: str) -> None:
    headers = {OPERATIONS[name].headers[0]: "\udcff"}
    refused = await ask(small_service, "dee", HANDLERS[name], BROKEN, now=NOW, route=UNKNOWN, headers=headers)
    assert refused.status == 400
    assert OPERATIONS[name].headers[0] in refused.body["error"]["message"]


async def test_a_stale_version_is_told_before_a_key_that_was_used_otherwise(
    small_service: Service, own: dict[str, str]
) -> None:
    key = {"Idempotency-Key": "k"}
    invited = {"invitations": deal("northwind")["invitations"]}
    made = await ask(small_service, "rae", create_invitations, invited, now=NOW, route=own, headers=key)
    assert made.status == 201, made.body
    for headers, status in (({}, 409), ({"If-Match": '"77"'}, 412)):
        again = await ask(
            small_service, "rae", create_invitations, {}, now=NOW, route=own, headers={**key, **headers}
        )
        assert again.status == status


@pytest.mark.parametrize(
    "handler", [delete_registration, recall_registration], ids=lambda each: each.__name__
)
async def test_of_a_registration_sight_and_role_come_first_then_version_then_state(
    small_service: Service, handler: Handler
) -> None:
    registered = RegisteredDeal(small_service, FakeEngine(), lambda: NOW)
    await registered.win()
    await registered.register()
    await registered.review("approve")

    async def status(who: str, headers: Mapping[str, str], **route: str) -> int:
        known = {"id": registered.id, "rid": registered.rid, **route}
        answer = await ask(small_service, who, handler, now=NOW, route=known, headers=headers)
        return answer.status

    stale = {"If-Match": '"77"'}
    assert await status("kim", stale) == 404
    assert await status("rae", stale, rid=UNKNOWN["rid"]) == 404
    assert await status("rae", stale) == 412
    assert await status("rae", {}) == (428 if handler is delete_registration else 409)
    assert await status("rae", {"If-Match": "*"}) == 409
    await change_roles(small_service, "rae", "ReferralsUser", locations=frozenset({SEATTLE}))
    assert await status("rae", stale) == 403


async def test_a_query_is_checked_before_the_record(small_service: Service) -> None:
    refused = await ask(
        small_service, "dee", create_referral, BROKEN, now=NOW, params={"validateOnly": "perhaps"}
    )
    assert refused.status == 400
    assert "validateOnly" in refused.body["error"]["message"]


async def test_a_location_that_the_caller_does_not_cover_is_told_before_the_faults_of_the_body(
    small_service: Service,
) -> None:
    body = {**deal(), "location": "contoso-seattle", "unheardOf": 1}
    assert (await ask(small_service, "mia", create_referral, body, now=NOW)).status == 403
    assert (await ask(small_service, "mia", create_referral, BROKEN, now=NOW)).status == 400


async def test_leads_of_applications_have_the_same_order(small_service: Service) -> None:
    assert (await ask(small_service, "web", submit_leads, BROKEN, now=NOW)).status == 400
    assert (await ask(small_service, "rae", submit_leads, BROKEN, now=NOW)).status == 403
