"""However large a deal, and however often a registration is sent back: a decision finds room (rules G4 to G6)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.referrals.transitions import win_referral
from shared.domain.registration_rules import MAX_REASON_LENGTH
from tests.doubles.played_deal import faults
from tests.doubles.played_registration import MOST_SOLUTIONS, PlayedRegistration, body_of, name_of
from tests.doubles.registration_form import FORM

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
WIDE = "😀"
LARGEST: dict[str, Any] = {
    "reason": WIDE * MAX_REASON_LENGTH,
    "errors": [{"target": "/contractNamesPartnerAndSolution", "message": WIDE * 200}] * 20,
}
ESTIMATE = [{"target": "/contract/value", "message": "This looks like an estimate."}]


async def sent_back(deal: PlayedRegistration, record: dict[str, Any], **said: Any) -> dict[str, Any]:
    answer = await deal.review(record, "requestAction", **said)
    assert answer.status == 200, answer.body
    return answer.body


async def handed_in(deal: PlayedRegistration, record: dict[str, Any]) -> dict[str, Any]:
    answer = await deal.put(record, FORM)
    assert answer.status == 200, answer.body
    return answer.body


async def test_a_hundred_of_the_longest_rounds_leave_room_for_a_decision() -> None:
    deal = PlayedRegistration(NOW)
    await deal.won()
    record = (await deal.records())["IpCoSell"]
    for _ in range(100):
        record = await handed_in(deal, await sent_back(deal, record, **LARGEST))
    approved = await deal.review(record, "approve")
    assert (approved.status, approved.body["status"]) == (200, "Approved")
    rounds = approved.body["rounds"]
    assert [each["decision"] for each in rounds] == ["requestAction"] * 100 + ["approve"]
    assert {each["reason"] for each in rounds} == {LARGEST["reason"], None}
    assert (await deal.see(record)).body["rounds"] == rounds
    (of_deal,) = [each for each in await deal.of_deal() if each["kind"] == "IpCoSell"]
    (queued,) = await deal.queue(status="Approved")
    assert of_deal["rounds"] == [{**rounds[-1], "reviewer": None}]
    assert queued["rounds"] == rounds[-1:]


async def test_the_rounds_of_one_registration_are_not_those_of_another() -> None:
    deal = PlayedRegistration(NOW)
    await deal.won(body_of("SOL-CONTOSO-ERP", name_of(1)))
    first = (await deal.records({**FORM, "solutionId": "SOL-CONTOSO-ERP"}))["IpCoSell"]
    second = (await deal.records({**FORM, "solutionId": name_of(1)}))["IpCoSell"]
    for _ in range(2):
        first = await handed_in(deal, await sent_back(deal, first, errors=ESTIMATE))
    second = await sent_back(deal, second, errors=ESTIMATE, reason="Only once.")
    seen = [(await deal.see(each)).body["rounds"] for each in (first, second)]
    assert [each["decision"] for each in seen[0]] == ["requestAction", "requestAction", None]
    assert [each["reason"] for each in seen[1]] == ["Only once."]


async def test_a_reason_has_at_most_two_thousand_characters() -> None:
    deal = PlayedRegistration(NOW)
    await deal.won()
    record = (await deal.records())["IpCoSell"]
    longer = "x" * (MAX_REASON_LENGTH + 1)
    refused = await deal.review(record, "requestAction", errors=ESTIMATE, reason=longer)
    assert faults(refused) == [("/reason", "tooLong")]
    assert (await deal.review(record, "reject", reason="x" * MAX_REASON_LENGTH)).status == 200


def team_of(people: int) -> list[dict[str, Any]]:
    (member,) = body_of()["team"]
    return [{**member, "email": f"rae{number}@contoso.com"} for number in range(people)]


async def largest_deal() -> PlayedRegistration:
    """A deal of fifty solutions and fifty people that was won, and could not be any larger."""
    body = body_of(*(name_of(number) for number in range(MOST_SOLUTIONS)))
    body["team"] = team_of(50)
    fits, too_many = 0, 8001
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        body["details"]["notes"] = WIDE * middle
        made = await PlayedRegistration(NOW).create(body)
        fits, too_many = (middle, too_many) if made.status == 201 else (fits, middle)
    while True:
        body["details"]["notes"] = WIDE * fits
        deal = PlayedRegistration(NOW)
        assert (await deal.create(body)).status == 201
        if (await deal.ask("rae", "contoso", win_referral)).status == 200:
            return deal
        fits -= 50


async def test_the_largest_deal_has_room_for_all_its_registrations() -> None:
    deal = await largest_deal()
    for number in range(MOST_SOLUTIONS):
        form = {**FORM, "solutionId": name_of(number)}
        record = (await deal.records(form))["IpCoSell"]
        asked = await sent_back(deal, record, **LARGEST)
        assert asked["status"] == "ActionRequired"
    shown = (await deal.read())["registrations"]
    assert len(shown) == 2 * MOST_SOLUTIONS
    assert [len(each["errors"]) for each in shown if each["kind"] == "IpCoSell"] == [20] * MOST_SOLUTIONS


async def test_the_largest_deal_has_room_for_a_draft_of_each_of_its_registrations() -> None:
    deal = await largest_deal()
    for number in range(MOST_SOLUTIONS):
        await deal.records({"solutionId": name_of(number), "submit": False})


@pytest.mark.parametrize("submit", [True, False])
async def test_the_deal_by_itself_shows_all_errors_of_its_registrations(*, submit: bool) -> None:
    """G6: whole, those of a draft and those of a reviewer."""
    deal = PlayedRegistration(NOW)
    await deal.won()
    record = (await deal.records({**FORM, "submit": True} if submit else {"submit": False}))["IpCoSell"]
    if submit:
        record = await sent_back(deal, record, **LARGEST)
    (shown,) = [each for each in (await deal.read())["registrations"] if each["kind"] == "IpCoSell"]
    assert shown["errors"] == record["errors"]
    assert len(shown["errors"]) > 3
