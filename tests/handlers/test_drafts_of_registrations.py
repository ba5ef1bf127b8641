"""Recalling a registration and deleting a draft, by requests without HTTP (rules G2, G4, G5, C5, E2)."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from api.http.response import Response
from api.referrals.read import get_referral, list_timeline
from api.registrations.drafts import delete_registration, recall_registration
from api.registrations.eligibility import get_eligibility
from api.registrations.list import list_registrations
from api.registrations.review import assign_registration, get_registration
from api.registrations.submit import list_deal_registrations, register_deal
from shared.domain.ids import RegistrationId
from shared.storage import keys
from shared.wiring import Service
from tests.doubles.engine import FakeEngine
from tests.doubles.queue import in_queue
from tests.doubles.registered_deal import DECISIONS, FORM, RegisteredDeal
from tests.examples.referrals import NOW
from tests.handlers.test_replays import change_roles

ALL = ("Draft", "Submitted", "ReviewPending", "ActionRequired", "Approved", "Rejected")


@pytest.fixture
async def deal(small_service: Service) -> RegisteredDeal:
    """Rae's won deal, whose solution has both incentives."""
    won = RegisteredDeal(small_service, FakeEngine(), lambda: NOW)
    await won.win()
    return won


async def follow_ups(deal: RegisteredDeal) -> None:
    await deal.service.follow_ups.background.wait(20)


async def seen(deal: RegisteredDeal) -> dict[str, Any]:
    return (await deal.ask("rae", get_referral)).body


def code(answer: Response) -> tuple[int, str]:
    return answer.status, answer.body["error"]["code"]


async def test_a_recalled_record_is_a_draft_again_that_reviewers_do_not_see(deal: RegisteredDeal) -> None:
    """G5: at once, not only when its work is done."""
    await deal.register()
    await deal.assign("dee@microsoft.com")
    recalled = await deal.recall()
    assert (recalled.status, recalled.body["status"], recalled.body["errors"]) == (200, "Draft", [])
    assert recalled.headers["ETag"] == recalled.body["eTag"] == await deal.tag()
    (round_,) = recalled.body["rounds"]
    assert (round_["decision"], bool(round_["recalledDateTime"])) == (None, True)
    assert await in_queue(deal.service.registrations, ALL) == []
    assert (await deal.ask("dee", list_registrations)).body["value"] == []
    assert (await deal.ask("dee", get_registration)).status == 404
    assert (await deal.assign("vera@microsoft.com")).status == 404
    assert (await deal.review("approve")).status == 404
    assert await deal.told() == ["ReviewPending", "Draft"]
    again = await deal.correct(solutionValue=1)
    assert (again.status, [each["number"] for each in again.body["rounds"]]) == (200, [1, 2])
    assert (await deal.review("approve")).body["status"] == "Approved"


@pytest.mark.parametrize(
    ("decision", "expected"),
    [("approve", "terminalState"), ("reject", "terminalState"), ("requestAction", "notAllowed")],
)
async def test_what_is_decided_is_not_recalled(deal: RegisteredDeal, decision: str, expected: str) -> None:
    await deal.register()
    await deal.review(decision)
    refused = await deal.recall()
    assert code(refused) == (409, expected)
    assert (await deal.record()).status in refused.body["error"]["message"]


async def test_a_draft_is_not_recalled(deal: RegisteredDeal) -> None:
    await deal.register(submit=False)
    assert code(await deal.recall()) == (409, "notAllowed")


async def test_a_recall_honours_if_match(deal: RegisteredDeal) -> None:
    """E2."""
    await deal.register()
    assert (await deal.recall(tag='"77"')).status == 412
    assert (await deal.recall(tag=await deal.tag())).status == 200


async def test_a_recall_that_is_repeated_under_its_key_recalls_nothing_twice(deal: RegisteredDeal) -> None:
    """C5: not even what was submitted again meanwhile."""
    await deal.register()
    first = await deal.recall("key")
    again = await deal.recall("key")
    assert (again.status, again.body) == (200, first.body)
    assert code(await deal.recall("other")) == (409, "notAllowed")
    await deal.correct()
    late = await deal.recall("key")
    assert (late.status, late.body["status"]) == (200, "ReviewPending")
    assert (await deal.recall("other")).body["status"] == "Draft"


@pytest.mark.parametrize("recalled", [False, True])
async def test_a_deleted_draft_is_gone_and_can_be_registered_again(
    deal: RegisteredDeal, *, recalled: bool
) -> None:
    """G2, G4: the ISV Connect record stays as it is."""
    await deal.register(submit=recalled)
    if recalled:
        await deal.recall()
    gone = deal.rid
    deleted = await deal.delete()
    assert (deleted.status, deleted.body) == (204, None)
    shown = await seen(deal)
    assert [each["kind"] for each in shown["registrations"]] == ["IsvConnect"]
    assert shown["allowedActions"] == ["register"]
    (registrable,) = (await deal.ask("rae", get_eligibility)).body["registrable"]
    assert registrable["kinds"] == ["IpCoSell"]
    for listing in (list_deal_registrations, list_registrations):
        assert [each["kind"] for each in (await deal.ask("rae", listing)).body["value"]] == ["IsvConnect"]
    for who in ("rae", "dee"):
        assert (await deal.ask(who, get_registration)).status == 404
    last = (await deal.ask("rae", list_timeline)).body["value"][-1]
    assert (last["kind"], last["from"], last["to"]) == ("registrationChanged", "Draft", "Deleted")
    assert last["details"]["registrationId"] == gone
    assert (await deal.ask("rae", delete_registration, headers={"If-Match": "*"})).status == 404
    made = await deal.register()
    assert [each["kind"] for each in made.body["value"]] == ["IpCoSell"]
    assert deal.rid != gone
    assert (await deal.review("approve")).status == 200


async def test_nothing_of_a_deleted_draft_is_left_in_index_queue_and_rounds(deal: RegisteredDeal) -> None:
    """Its work removes it; a version that is indexed late stays out."""
    await deal.register()
    await deal.review("requestAction")
    await deal.correct()
    await deal.recall()
    record = await deal.record()
    assert record.rounds == 2
    await deal.delete()
    await follow_ups(deal)
    registrations = deal.service.registrations
    for late in (record, replace(record, status="ReviewPending", version=record.version - 1)):
        await registrations.index(late)
        assert await registrations.index_entry(record.id) is None
        assert await in_queue(registrations, ALL) == []
        await registrations.remove(deal.party, RegistrationId(record.id))
    left = [row.key async for row in deal.service.tables.scan_table(keys.REFERRALS) if record.id in row.key]
    assert left == []
    assert not [row for row in await deal.service.referrals.work(deal.party) if row.value.open]


@pytest.mark.parametrize("decision", [None, *DECISIONS])
async def test_only_a_draft_is_deleted(deal: RegisteredDeal, decision: str | None) -> None:
    """G4."""
    await deal.register()
    if decision:
        await deal.review(decision)
    assert code(await deal.delete()) == (409, "notAllowed")
    assert await deal.record()


async def test_a_deletion_names_the_version(deal: RegisteredDeal) -> None:
    """E2: as the deletion of a person does."""
    await deal.register(submit=False)
    assert (await deal.ask("rae", delete_registration)).status == 428
    assert (await deal.delete('"77"')).status == 412
    assert (await deal.delete()).status == 204


async def test_a_creation_that_is_repeated_after_the_deletion_shows_what_is_left(
    deal: RegisteredDeal,
) -> None:
    """C5."""
    await deal.register("key", submit=False)
    await deal.delete()
    again = await deal.ask("rae", register_deal, {**FORM, "submit": False}, {"Idempotency-Key": "key"})
    assert [each["kind"] for each in again.body["value"]] == ["IsvConnect"]
    deal.rid = again.body["value"][0]["id"]
    assert (await deal.delete('"1"')).status == 204
    assert (await deal.register("key", submit=False)).status == 404


@pytest.mark.parametrize(
    "handler", [delete_registration, recall_registration], ids=lambda each: each.__name__
)
async def test_who_may_only_read_is_refused_and_who_sees_nothing_finds_nothing(
    deal: RegisteredDeal, handler: Any
) -> None:
    """V5, V6."""
    await deal.register(submit=handler is recall_registration)
    for who in ("dee", "sam", "kim"):
        refused = await deal.ask(who, handler, headers={"If-Match": "*"})
        assert refused.status in {403, 404}, who
    await change_roles(deal.service, "rae", "ReferralsUser", locations=frozenset({"contoso-seattle"}))
    assert (await deal.ask("rae", handler, headers={"If-Match": "*"})).status == 403


@dataclass(frozen=True)
class Tried:
    """An action, and the request that it stands for."""

    action: str
    who: str

    async def on(self, deal: RegisteredDeal) -> int:
        match self.action:
            case "edit" | "submit":
                answer = await deal.correct(solutionValue=7, submit=self.action == "submit")
            case "recall":
                answer = await deal.recall()
            case "delete":
                answer = await deal.delete()
            case "review":
                answer = await deal.review("approve")
            case _:
                answer = await deal.ask("dee", assign_registration, {"email": "vera@microsoft.com"})
        return answer.status


TRIED = [
    *(Tried(action, "rae") for action in ("edit", "submit", "recall", "delete")),
    *(Tried(action, "dee") for action in ("review", "assign")),
]
LISTED = {
    "Draft": "edit submit delete",
    "Recalled": "edit submit delete",
    "ReviewPending": "recall review assign",
    "ActionRequired": "edit submit assign",
    "Approved": "",
    "Rejected": "",
}


async def bring_to(deal: RegisteredDeal, state: str) -> None:
    await deal.register(submit=state != "Draft")
    decisions = {"ActionRequired": "requestAction", "Approved": "approve", "Rejected": "reject"}
    if state == "Recalled":
        await deal.recall()
    elif decision := decisions.get(state):
        await deal.review(decision)


@pytest.mark.parametrize("state", LISTED)
@pytest.mark.parametrize("tried", TRIED, ids=lambda tried: tried.action)
async def test_what_is_listed_succeeds_and_what_is_not_is_refused(
    deal: RegisteredDeal, state: str, tried: Tried
) -> None:
    await bring_to(deal, state)
    found = await deal.ask(tried.who, get_registration)
    listed = found.body["allowedActions"] if found.status == 200 else []
    expected = LISTED[state].split()
    assert listed == [each.action for each in TRIED if each.action in expected and each.who == tried.who]
    assert (await tried.on(deal) in {200, 204}) == (tried.action in listed)


async def test_who_may_only_read_is_listed_nothing(deal: RegisteredDeal) -> None:
    await bring_to(deal, "Draft")
    (isv, ip) = (await deal.ask("rae", list_deal_registrations)).body["value"]
    assert ip["allowedActions"] == isv["allowedActions"] == ["edit", "submit", "delete"]
    await change_roles(deal.service, "rae", "ReferralsUser", locations=frozenset({"contoso-seattle"}))
    for record in (await deal.ask("rae", list_deal_registrations)).body["value"]:
        assert record["allowedActions"] == []


@pytest.mark.parametrize(
    ("decision", "reason"),
    [("reject", DECISIONS["reject"]["reason"]), ("requestAction", None), ("approve", None)],
)
async def test_the_deal_shows_why_a_record_was_rejected(
    deal: RegisteredDeal, decision: str, reason: str | None
) -> None:
    """G6."""
    await deal.register()
    await deal.review(decision)
    shown = {each["kind"]: each["reason"] for each in (await seen(deal))["registrations"]}
    assert shown == {"IsvConnect": None, "IpCoSell": reason}
