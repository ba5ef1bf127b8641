"""Who polls sees what other parties changed: in the time of the last update, its order, and the engagement (N7)."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from api.http.response import Response
from api.referrals.engagements import get_engagement
from api.referrals.list import list_referrals
from api.referrals.messages import post_message
from api.referrals.read import get_referral
from api.referrals.transitions import (
    accept_referral,
    decline_referral,
    lose_referral,
    set_stage,
    win_referral,
)
from tests.doubles.played_deal import PlayedDeal, replacing
from tests.doubles.played_registration import PlayedRegistration
from tests.doubles.small_world import deal
from tests.examples.referrals import NOW

MINUTE = timedelta(minutes=1)
WHO = {"contoso": "rae", "northwind": "nia", "fabrikam": "kim", "msft": "sam"}


class Polled(PlayedDeal):
    """Rae's deal with Northwind and Fabrikam, of whom Northwind has accepted, and Microsoft has not answered."""

    async def start(self) -> None:
        await self.begin(deal("northwind", "fabrikam"))
        await self.step("northwind", accept_referral, {})

    async def step(self, organization: str, handler: Any, body: object = None) -> None:
        """A minute later, and until all that follows is done."""
        self.now += MINUTE
        answer = await self.ask(WHO[organization], organization, handler, body)
        assert answer.status in {200, 201}, answer.body

    async def updated(self) -> dict[str, str]:
        """When each party's record was last updated, as the party reads it."""
        return {each: (await self.read(each)).body["updatedDateTime"] for each in WHO}

    async def read(self, organization: str, **headers: str) -> Response:
        return await self.ask(WHO[organization], organization, get_referral, **headers)

    async def found_since(self, organization: str, since: str) -> int:
        """How many records somebody finds who asks for what was updated after a time."""
        params = {"$filter": f"updatedDateTime gt {since}", "$orderby": "updatedDateTime"}
        return len((await self.request(WHO[organization], list_referrals, params=params)).body["value"])

    async def moved_by(self, organization: str, handler: Any, body: object = None) -> set[str]:
        """The other parties whose records moved, and are found by who asks for what is new."""
        before = await self.updated()
        views = {each: await self.read(each) for each in WHO}
        await self.step(organization, handler, body)
        after = await self.updated()
        moved = {each for each in WHO if each != organization and after[each] != before[each]}
        for each in WHO:
            assert after[each] >= before[each]
            assert bool(await self.found_since(each, before[each])) == (after[each] != before[each]), each
            view = await self.read(each)
            if each != organization and view.body["substatus"] == views[each].body["substatus"]:
                assert view.headers["ETag"] == views[each].headers["ETag"], "its own fields are the same"
        return moved


@pytest.fixture
async def polled() -> Polled:
    played = Polled(NOW)
    await played.start()
    return played


async def test_an_answer_moves_the_records_of_all_that_take_part(polled: Polled) -> None:
    """Northwind has accepted; Microsoft has not answered, and sees no other party yet (V1)."""
    assert await polled.moved_by("fabrikam", accept_referral, {}) == {"contoso", "northwind"}
    assert await polled.moved_by("msft", accept_referral, {}) == {"contoso", "northwind", "fabrikam"}


async def test_a_decline_moves_them_and_whoever_declined_moves_no_more(polled: Polled) -> None:
    body = {"reason": "Other", "notes": "No."}
    assert await polled.moved_by("fabrikam", decline_referral, body) == {"contoso", "northwind"}
    assert await polled.moved_by("northwind", set_stage, {"stage": "Proposed"}) == {"contoso"}


@pytest.mark.parametrize(("organization", "wanted"), [("contoso", {"northwind"}), ("northwind", {"contoso"})])
async def test_stages_and_outcomes_move_them(polled: Polled, organization: str, wanted: set[str]) -> None:
    assert await polled.moved_by(organization, set_stage, {"stage": "Proposed"}) == wanted
    invited = {"fabrikam"} if organization == "contoso" else set()
    assert await polled.moved_by(organization, win_referral, {}) >= wanted | invited


async def test_a_loss_moves_them(polled: Polled) -> None:
    body = {"reason": "BudgetNotAdequate"}
    assert await polled.moved_by("northwind", lose_referral, body) == {"contoso"}


async def test_the_team_moves_them_and_what_only_the_own_organization_sees_does_not(polled: Polled) -> None:
    async def edit(organization: str, path: str, value: object) -> set[str]:
        before = await polled.updated()
        polled.now += MINUTE
        answer = await polled.edit(WHO[organization], organization, replacing(path, value))
        assert answer.status in {200, 204}, answer.body
        after = await polled.updated()
        return {each for each in WHO if each != organization and after[each] != before[each]}

    member = deal()["team"][0]
    assert await edit("contoso", "/team", [{**member, "firstName": "Rachel"}]) == {"northwind"}
    assert await edit("contoso", "/details/notes", "Ours alone.") == set()
    assert await edit("northwind", "/externalReferenceId", "N-1") == set()


async def test_the_engagements_etag_changes_with_all_that_it_shows(polled: Polled) -> None:
    route = {"engagementId": (await polled.record("contoso")).engagement_id}

    async def get(who: str, etag: str | None = None) -> Response:
        headers = {"If-None-Match": etag} if etag else {}
        return await polled.request(who, get_engagement, route=route, headers=headers)

    async def changed(organization: str, handler: Any, body: object) -> None:
        before = {who: (await get(who)).headers["ETag"] for who in ("rae", "nia")}
        for who, etag in before.items():
            same = await get(who, etag)
            assert (same.status, same.body, same.headers["ETag"]) == (304, None, etag)
        await polled.step(organization, handler, body)
        for who, etag in before.items():
            other = await get(who, etag)
            assert other.status == 200
            assert other.headers["ETag"] != etag

    await changed("contoso", set_stage, {"stage": "Qualified"})
    await changed("fabrikam", accept_referral, {})
    before = (await get("nia")).headers["ETag"]
    posted = await polled.request("rae", post_message, {"text": "Hello"}, route=route)
    assert posted.status == 201
    assert (await get("nia", before)).status == 200


async def test_a_move_is_always_forward_even_within_a_millisecond_and_with_clocks_that_differ(
    polled: Polled,
) -> None:
    before = datetime.fromisoformat((await polled.updated())["contoso"])
    polled.now = before - timedelta(seconds=5)
    answer = await polled.ask("nia", "northwind", set_stage, {"stage": "Proposed"})
    assert answer.status == 200, answer.body
    after = datetime.fromisoformat((await polled.updated())["contoso"])
    assert after > before


async def test_the_progress_of_a_registration_moves_the_deal() -> None:
    """G6, N7: what the reviewers decide is seen by those who poll the deal."""
    played = PlayedRegistration(NOW)
    await played.won()
    updated = [(await played.read())["updatedDateTime"]]
    played.now += MINUTE
    record = (await played.records())["IpCoSell"]
    updated.append((await played.read())["updatedDateTime"])
    played.now += MINUTE
    seen = (await played.see(record)).body
    errors = [{"target": "/solutionValue", "message": "More."}]
    answer = await played.review(seen, "requestAction", errors=errors)
    assert answer.status == 200, answer.body
    updated.append((await played.read())["updatedDateTime"])
    assert updated == sorted(set(updated))
