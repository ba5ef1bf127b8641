"""Assigning and deciding by requests without HTTP: versions, repetitions, faults (rules C5, E2, G5)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.doubles.played_deal import faults
from tests.doubles.played_registration import PlayedRegistration
from tests.doubles.registration_form import FORM

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
ESTIMATE = [{"target": "/contract/value", "message": "This looks like an estimate."}]
DEE, VERA = "dee@microsoft.com", "vera@microsoft.com"


async def in_review() -> tuple[PlayedRegistration, dict[str, Any]]:
    """A deal whose record waits for review, as Dee sees it."""
    deal = PlayedRegistration(NOW)
    await deal.won()
    record = (await deal.records())["IpCoSell"]
    return deal, (await deal.see(record)).body


async def test_a_decision_that_is_repeated_under_its_key_is_answered_with_the_record() -> None:
    deal, record = await in_review()
    first = await deal.review(record, "requestAction", key="key", errors=ESTIMATE)
    again = await deal.review(record, "requestAction", key="key", errors=ESTIMATE)
    assert (first.status, again.status) == (200, 200)
    assert again.body == first.body
    assert (await deal.review(record, "requestAction", errors=ESTIMATE)).status == 412


async def test_another_decision_under_the_same_key_is_taken_or_refused_but_never_passed_over() -> None:
    """G5: a client that uses one key for a registration does not take a decision for made that was not."""
    deal, record = await in_review()
    asked = await deal.review(record, "requestAction", key="key", errors=ESTIMATE)
    assert (await deal.put(asked.body, FORM)).status == 200
    resubmitted = (await deal.see(record)).body
    nonsense = await deal.review(resubmitted, "burn", key="key")
    assert faults(nonsense) == [("/decision", "invalidValue")]
    approved = await deal.review(resubmitted, "approve", key="key")
    assert (approved.status, approved.body["status"]) == (200, "Approved")


async def test_a_repetition_is_the_same_request() -> None:
    """C5: another decision, or of another round, is answered by what it finds."""
    deal, record = await in_review()
    asked = await deal.review(record, "requestAction", key="key", errors=ESTIMATE)
    again = (await deal.put(asked.body, FORM)).body
    resubmitted = (await deal.see(again)).body
    assert (await deal.review(record, "approve", key="key")).status == 412
    assert (await deal.assign(resubmitted, {"email": VERA})).status == 200
    assert (await deal.review(resubmitted, "requestAction", key="key", errors=ESTIMATE)).status == 412
    present = (await deal.see(again)).body
    assert (await deal.review(present, "approve", key="key")).status == 200
    assert (await deal.review(present, "reject", key="key", reason="No.")).status == 412
    assert (await deal.review(present, "approve", key="key")).body["status"] == "Approved"


async def test_a_reviewers_etag_covers_whom_a_record_was_given_to() -> None:
    """E2: a look that is repeated finds it, and of two who assign at once the second is told."""
    deal, record = await in_review()
    assert (await deal.see(record, If_None_Match=record["eTag"])).status == 304
    assigned = await deal.assign(record, {"email": DEE}, If_Match=record["eTag"])
    assert (assigned.status, assigned.body["assignedTo"]) == (200, DEE)
    assert (await deal.see(record, If_None_Match=record["eTag"])).body["assignedTo"] == DEE
    assert (await deal.assign(record, {"email": VERA}, who="vera", If_Match=record["eTag"])).status == 412
    assert (await deal.review(record, "approve")).status == 412
    [queued] = await deal.queue()
    assert queued["eTag"] == assigned.body["eTag"]
    assert (await deal.review(queued, "approve")).status == 200


async def test_a_partners_etag_tells_nothing_of_an_assignment() -> None:
    """G5."""
    deal, record = await in_review()
    before = await deal.see(record, "rae")
    assert (await deal.assign(record, {"email": DEE})).status == 200
    assert (await deal.see(record, "rae")).body == before.body
    assert (await deal.see(record, "rae", If_None_Match=before.body["eTag"])).status == 304


async def test_an_assignment_that_is_repeated_changes_nothing() -> None:
    deal, record = await in_review()
    first = await deal.assign(record, {"email": DEE}, If_Match=record["eTag"])
    again = await deal.assign(record, {"email": DEE}, If_Match=record["eTag"])
    assert (again.status, again.body) == (200, first.body)


async def test_an_assignment_is_taken_back_by_null() -> None:
    deal, record = await in_review()
    assert (await deal.assign(record, {"email": DEE})).status == 200
    freed = await deal.assign(record, {"email": None})
    assert (freed.status, freed.body) == (200, record)
    assert (await deal.queue())[0]["assignedTo"] is None


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, ("/email", "required")),
        ({"email": ""}, ("/email", "required")),
        ({"email": "sam@microsoft.com"}, ("/email", "notInCatalogue")),
        ({"email": 7}, ("/email", "invalidType")),
    ],
)
async def test_an_assignment_names_a_reviewer_or_nobody(body: object, fault: tuple[str, str]) -> None:
    deal, record = await in_review()
    assert faults(await deal.assign(record, body)) == [fault]


async def test_a_reviewer_is_named_as_the_directory_has_it() -> None:
    deal, record = await in_review()
    assert (await deal.assign(record, {"email": "DEE@Microsoft.com"})).body["assignedTo"] == DEE


async def test_an_error_is_a_line_without_control_characters() -> None:
    deal, record = await in_review()
    broken = [{"target": "/contract/value", "message": "a\x00\nb"}]
    assert faults(await deal.review(record, "requestAction", errors=broken)) == [
        ("/errors/0/message", "invalidFormat")
    ]
    many = ESTIMATE * 21
    refused = await deal.review(record, "requestAction", errors=many)
    assert faults(refused) == [("/errors", "tooLong")]
    assert refused.body["error"]["details"][0]["message"] == "Send at most 20 of these."
