"""My work and the summary: what needs whom, and how much there is (N5, N6)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.http.response import Response
from api.leads.submit import submit_leads
from api.referrals.my_work import get_my_work
from api.referrals.read import add_favorite
from api.referrals.summary import get_summary
from api.referrals.transitions import (
    accept_referral,
    decline_referral,
    lose_referral,
    mark_customer_contacted,
    win_referral,
)
from shared.domain.routing import RoutingTable, SellerTeam
from tests.doubles.played_deal import PlayedDeal
from tests.doubles.played_registration import PlayedRegistration, body_of
from tests.doubles.registration_form import FORM
from tests.doubles.small_world import deal, import_small_world, inquiry
from tests.examples.referrals import NOW
from tests.handlers.test_replays import SEATTLE, change_roles

IP = "SOL-CONTOSO-IP"


async def my_work(played: PlayedDeal, who: str) -> dict[str, Any]:
    answer = await played.request(who, get_my_work)
    assert answer.status == 200, answer.body
    return answer.body


async def todos(played: PlayedDeal, who: str) -> Sequence[tuple[str, str | None, list[str]]]:
    """Why, until when, and with which actions."""
    value = (await my_work(played, who))["value"]
    return [(each["why"], each["dueDateTime"], each["allowedActions"]) for each in value]


def in_days(days: int, since: datetime = NOW) -> str:
    return (since + timedelta(days=days)).isoformat().replace("+00:00", "Z")


async def test_an_invitation_needs_an_answer_and_later_its_team_an_outcome() -> None:
    played = PlayedDeal(NOW)
    await played.begin()
    assert await todos(played, "rae") == []
    assert await todos(played, "nia") == [("answer", in_days(14), ["accept", "decline"])]
    assert await todos(played, "kim") == []
    answer = await played.ask("nia", "northwind", accept_referral, {})
    assert answer.status == 200, answer.body
    assert await todos(played, "nia") == []
    played.now = datetime.fromisoformat("2028-01-01T00:00:00Z")
    for who in ("rae", "nia"):
        found = await my_work(played, who)
        (todo,) = found["value"]
        assert (todo["why"], todo["dueDateTime"], todo["overdue"]) == (
            *("reportOutcome", "2027-12-31T00:00:00Z", True),
        )
        assert {"win", "lose"} <= set(todo["allowedActions"])
        assert found["counts"] == [{"why": "reportOutcome", "count": 1}]
        assert found["complete"]
    assert await todos(played, "mia") == [], "she is not on the team"


async def test_a_lead_needs_an_answer_and_its_customer_to_be_contacted() -> None:
    played = PlayedDeal(NOW)
    await import_small_world(played.tables)
    request = {**inquiry("fabrikam"), "details": {"customerRequestedContact": True}}
    assert (await played.request("web", submit_leads, request)).status == 201
    actions = ["accept", "decline", "contacted"]
    assert await todos(played, "kim") == [
        ("contactCustomer", in_days(3), actions),
        ("answer", in_days(14), actions),
    ]
    assert (await played.ask("kim", "fabrikam", mark_customer_contacted, {})).status == 200
    assert await todos(played, "kim") == [("answer", in_days(14), ["accept", "decline"])]
    played.now += timedelta(days=14)
    assert await todos(played, "kim") == []


async def test_a_won_deal_needs_a_registration_its_review_and_its_correction() -> None:
    played = PlayedRegistration(NOW)
    await played.won(body_of(IP))
    assert await todos(played, "rae") == [("register", None, ["register"])]
    registered = await played.register({**FORM, "solutionId": IP})
    assert registered.status == 201, registered.body
    assert await todos(played, "rae") == []
    assert await todos(played, "dee") == []
    record = next(each for each in await played.of_deal() if each["kind"] == "IpCoSell")
    seen = (await played.see(record)).body
    assigned = await played.assign(seen, {"email": "dee@microsoft.com"}, If_Match=seen["eTag"])
    assert assigned.status == 200, assigned.body
    assert await todos(played, "dee") == [("review", in_days(10, NOW.replace(hour=8)), ["review", "assign"])]
    assert await todos(played, "vera") == []
    played.now += timedelta(days=10)
    assert [why for why, _, _ in await todos(played, "vera")] == ["review"], "it is overdue"
    errors = [{"target": "/solutionValue", "message": "It is more."}]
    sent_back = await played.review((await played.see(record)).body, "requestAction", errors=errors)
    assert sent_back.status == 200, sent_back.body
    assert await todos(played, "dee") == []
    assert await todos(played, "rae") == [("correct", in_days(40), ["edit", "submit"])]
    (todo,) = (await my_work(played, "rae"))["value"]
    assert (todo["registration"]["status"], todo["referral"]["name"]) == ("ActionRequired", "Relecloud ERP")


async def test_who_may_not_register_is_not_asked_to() -> None:
    """V6: a ReferralsUser, though on the team."""
    played = PlayedRegistration(NOW)
    await played.won(body_of(IP))
    await change_roles(played.service, "rae", "ReferralsUser", locations=frozenset({SEATTLE}))
    assert await todos(played, "rae") == []


async def test_sellers_get_what_their_team_received_or_nobody_else_has() -> None:
    played = PlayedDeal(NOW)
    await played.begin(deal())
    assert [why for why, _, _ in await todos(played, "sam")] == ["answer"]
    for members, wanted in (
        (("sam@microsoft.com",), ["answer"]),
        (("sue@microsoft.com",), []),
        ((), ["answer"]),
    ):
        routing = await played.service.routing.get()
        team = SellerTeam(id="west", name="West", members=members)
        table = RoutingTable(teams=(team,), default_team="west", version=routing.version + 1)
        await played.service.routing.put(table)
        played = await another(played)
        assert [why for why, _, _ in await todos(played, "sam")] == wanted, members


async def another(played: PlayedDeal) -> PlayedDeal:
    """Another world with the same routing, whose deal is routed by it."""
    routing = await played.service.routing.get()
    fresh = PlayedDeal(NOW)
    await import_small_world(fresh.tables)
    for version in range(1, routing.version + 1):
        await fresh.service.routing.put(
            RoutingTable(teams=routing.teams, default_team=routing.default_team, version=version)
        )
    await fresh.begin(deal())
    return fresh


@pytest.mark.parametrize("handler", [get_my_work, get_summary])
async def test_who_works_with_neither_referrals_nor_reviews_is_told_so(handler: Any) -> None:
    played = PlayedDeal(NOW)
    await played.begin()
    assert (await played.request("web", handler)).status == 403


async def summary(played: PlayedDeal, who: str) -> dict[str, Any]:
    """The tabs that are not empty: how many in each state, and what was won."""
    answer: Response = await played.request(who, get_summary)
    assert (answer.status, answer.body["countExceeded"]) == (200, False)
    tabs = answer.body["tabs"]
    assert [tab["tab"] for tab in tabs] == [
        *("inbound", "outbound", "favorites"),
        *("marketplaceLeads", "qualifiedLeads", "favoriteLeads"),
    ]
    assert all(tab["count"] == sum(state["count"] for state in tab["states"]) for tab in tabs)
    return {
        tab["tab"]: (
            {state["substatus"]: state["count"] for state in tab["states"]},
            {each["currency"]: each["value"] for each in tab["wonValue"]},
        )
        for tab in tabs
        if tab["count"]
    }


async def test_the_summary_counts_by_tab_and_state_and_adds_up_what_was_won_by_currency() -> None:
    played = PlayedDeal(NOW)
    await played.begin(deal("northwind", "fabrikam"))
    assert (await played.request("rae", get_summary)).body["countExceeded"] is False
    assert (await played.ask("nia", "northwind", accept_referral, {"dealValue": 700})).status == 200
    assert (await played.ask("nia", "northwind", win_referral)).status == 200
    assert (
        await played.ask("kim", "fabrikam", decline_referral, {"reason": "Other", "notes": "No."})
    ).status == 200
    assert (await played.ask("rae", "contoso", add_favorite)).status == 204
    played.now += timedelta(minutes=1)
    assert (await played.request("web", submit_leads, inquiry("contoso"))).status == 201
    assert await summary(played, "rae") == {
        "outbound": ({"Accepted": 1}, {}),
        "favorites": ({"Accepted": 1}, {}),
        "marketplaceLeads": ({"Pending": 1}, {}),
    }
    assert await summary(played, "nia") == {"inbound": ({"Won": 1}, {"USD": 700})}
    assert await summary(played, "kim") == {"inbound": ({"Declined": 1}, {})}
    assert await summary(played, "mia") == {}, "she sees nothing (V4)"
    lost = await played.ask("rae", "contoso", lose_referral, {"reason": "BudgetNotAdequate"})
    assert lost.status == 200, lost.body
    assert (await summary(played, "rae"))["outbound"] == ({"Lost": 1}, {})
