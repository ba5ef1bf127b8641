"""Registering and reporting by requests without HTTP: drafts, corrections, faults, repetitions (rules G2 to G8)."""

import copy
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.http.response import Response
from shared.domain.registration import Registration
from shared.errors import StoreConflict, StoreUnavailable
from shared.storage.keys import REVIEWS
from shared.storage.memory_tables import MemoryTables
from shared.storage.registrations import Registrations
from shared.storage.tables import Operation
from tests.doubles.played_deal import faults
from tests.doubles.played_registration import PlayedRegistration, body_of, name_of
from tests.doubles.registration_form import FORM

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
ESTIMATE = [{"target": "/contract/value", "message": "This looks like an estimate."}]


async def won() -> PlayedRegistration:
    deal = PlayedRegistration(NOW)
    await deal.won()
    return deal


async def sent_back(deal: PlayedRegistration) -> dict[str, Any]:
    """A record that waits for its correction."""
    record = (await deal.records())["IpCoSell"]
    answer = await deal.review(record, "requestAction", errors=ESTIMATE)
    assert answer.status == 200, answer.body
    return answer.body


def form_of(**new: Any) -> dict[str, Any]:
    return {**copy.deepcopy(FORM), **new}


async def test_a_deal_of_which_there_are_only_drafts_is_still_eligible() -> None:
    """G2: nothing is registered yet; the drafts are to be handed in."""
    deal = await won()
    drafts = await deal.records({"submit": False})
    shown = await deal.read()
    assert (shown["registrationStatus"], shown["allowedActions"]) == ("Eligible", [])
    assert (await deal.put(drafts["IsvConnect"], FORM)).status == 200
    assert (await deal.read())["registrationStatus"] == "Submitted"


async def test_a_correction_is_not_saved_without_what_could_not_be_read() -> None:
    """G5: it would be lost, and nothing would say so, for the errors of a correction are the reviewers'."""
    deal = await won()
    record = await sent_back(deal)
    contract = {**FORM["contract"], "value": "25O000"}
    refused = await deal.put(record, form_of(contract=contract, colour="blue", submit=False))
    assert sorted(faults(refused)) == [("/colour", "unknownField"), ("/contract/value", "invalidFormat")]
    incomplete = await deal.put(record, form_of(contract={}, submit=False))
    assert (incomplete.status, incomplete.body["errors"]) == (200, ESTIMATE)


async def test_a_draft_keeps_what_could_not_be_read_as_its_errors() -> None:
    """G4."""
    deal = await won()
    record = (await deal.records({"submit": False}))["IpCoSell"]
    saved = await deal.put(record, form_of(contract={**FORM["contract"], "value": "25O000"}, submit=False))
    assert saved.status == 200
    assert [each["target"] for each in saved.body["errors"]] == ["/contract/value"]


async def test_reviewers_see_the_form_that_was_handed_in_until_it_is_handed_in_again() -> None:
    """G5: a correction that is only saved is its partner's own."""
    deal = await won()
    record = await sent_back(deal)
    half = form_of(customer={"name": "Half written", "country": "US"}, solutionValue=1)
    for _ in range(2):
        record = (await deal.put(record, {**half, "submit": False})).body
        assert record["customer"]["name"] == "Half written"
    seen = (await deal.see(record)).body
    assert (seen["customer"]["name"], seen["solutionValue"]) == ("Relecloud", 200000)
    (queued,) = await deal.queue(customer="relecloud")
    assert (queued["customer"], queued["solutionValue"]) == (seen["customer"], 200000)
    assert await deal.queue(customer="half") == []
    own = (await deal.see(record, "rae")).body
    assert (own["customer"]["name"], own["solutionValue"]) == ("Half written", 1)
    assert len(await deal.queue("rae", customer="half")) == 1
    handed_in = await deal.put(record, half)
    assert handed_in.body["status"] == "ReviewPending"
    assert (await deal.see(record)).body["solutionValue"] == 1


REPORT = {
    **FORM,
    "solutionId": "SOL-CONTOSO-ERP",
    "customer": {"name": "Relecloud", "country": "US"},
    "name": "Alone",
}


class Unfiled(MemoryTables):
    """Tables in which, for as long as `refused` is set, nothing is filed in the reviewers' table."""

    refused: Exception | None = None

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        """Raises `refused`, if it is set, for the table `reviews`."""
        if self.refused and table == REVIEWS:
            raise self.refused
        return await super().write(table, partition, operations)


@pytest.mark.parametrize("refused", [StoreConflict("again"), StoreUnavailable("away")])
async def test_a_report_that_could_not_be_filed_is_made_all_the_same(refused: Exception) -> None:
    """G8: it is stored; nobody reads the look-up alone."""
    tables = Unfiled()
    deal = PlayedRegistration(NOW, tables)
    await deal.won()
    tables.refused = refused
    first = await deal.report(REPORT, Idempotency_Key="k")
    assert first.status == 201
    (record,) = first.body["value"]
    again = await deal.report(REPORT, Idempotency_Key="k")
    assert (again.status, again.body) == (201, first.body)
    tables.refused = None
    assert [each["id"] for each in await deal.queue("rae")] == [record["id"]]
    assert (await deal.see(record, "rae")).body == record
    for who in ("dee", "kim", "mia", "sam"):
        assert (await deal.see(record, who)).status == 404


async def test_a_referrals_admin_of_some_locations_reports_no_deals() -> None:
    """G8: who could not read the record does not make it."""
    deal = await won()
    assert (await deal.report(REPORT, "mia")).status == 403
    assert (await deal.report(REPORT, "rae")).status == 201


async def test_a_report_has_no_draft() -> None:
    """G8."""
    deal = await won()
    refused = await deal.report({**REPORT, "submit": False, "solutionValue": None})
    assert sorted(faults(refused)) == [("/solutionValue", "required"), ("/submit", "notAllowed")]
    assert await deal.queue("rae") == []
    assert (await deal.report({**REPORT, "submit": True})).status == 201


async def test_a_solution_that_is_not_the_deals_is_told_with_the_other_faults() -> None:
    """G3: all faults at once."""
    deal = await won()
    wrong = form_of(solutionId="SOL-FABRIKAM-IOT", solutionValue=None, colour="blue")
    assert sorted(faults(await deal.register(wrong))) == [
        ("/colour", "unknownField"),
        ("/solutionId", "notInCatalogue"),
        ("/solutionValue", "required"),
    ]
    unreadable = form_of(solutionId=7)
    assert faults(await deal.register(unreadable)) == [("/solutionId", "invalidType")]
    assert faults(await deal.register({"solutionId": "nothing", "submit": False})) == [
        ("/solutionId", "notInCatalogue")
    ]


async def test_one_of_several_solutions_has_to_be_named_among_the_other_faults() -> None:
    """G3."""
    deal = PlayedRegistration(NOW)
    await deal.won(body_of("SOL-CONTOSO-ERP", name_of(1)))
    assert sorted(faults(await deal.register(form_of(deployedOn=None)))) == [
        ("/deployedOn", "required"),
        ("/solutionId", "required"),
    ]


async def test_the_deals_city_goes_with_the_deals_customer_alone() -> None:
    """G3."""
    deal = PlayedRegistration(NOW)
    await deal.won(body_of("SOL-CONTOSO-ERP", name_of(1), name_of(2), name_of(3)))
    sent: list[tuple[dict[str, Any], str, str | None]] = [
        ({"name": "Relecloud Korea", "country": "KR"}, "Relecloud Korea", None),
        ({"country": "KR"}, "Relecloud", None),
        ({"name": "Relecloud", "country": "US"}, "Relecloud", "Portland"),
        ({"name": "Relecloud", "city": "Salem"}, "Relecloud", "Salem"),
    ]
    names = ("SOL-CONTOSO-ERP", name_of(1), name_of(2), name_of(3))
    for solution, (customer, name, city) in zip(names, sent, strict=True):
        record = (await deal.records(form_of(solutionId=solution, customer=customer)))["IpCoSell"]
        assert (record["customer"]["name"], record["customer"]["city"]) == (name, city)


async def test_a_customer_is_put_as_it_is_sent() -> None:
    """G3: null removes, what is left out stays, but not the city of another customer."""
    deal = await won()
    record = (await deal.records({"submit": False}))["IpCoSell"]
    assert record["customer"]["city"] == "Portland"
    kept = await deal.put(record, {"submit": False})
    assert kept.body["customer"] == record["customer"]
    without = {"name": "Relecloud", "country": "US", "city": None}
    changed = await deal.put(kept.body, {"submit": False, "customer": without})
    assert changed.body["customer"] == {**without, "state": None}
    again = await deal.put(changed.body, {"submit": False, "customer": {"city": "Salem"}})
    assert again.body["customer"] == {"name": "Relecloud", "country": "US", "city": "Salem", "state": None}
    moved = await deal.put(again.body, {"submit": False, "customer": {"country": "KR"}})
    assert moved.body["customer"] == {"name": "Relecloud", "country": "KR", "city": None, "state": None}
    nameless = await deal.put(moved.body, form_of(customer={"name": None}))
    assert faults(nameless) == [("/customer/name", "required")]


async def test_the_solution_of_a_record_is_not_another_ones() -> None:
    """G4."""
    deal = await won()
    record = (await deal.records({"submit": False}))["IpCoSell"]
    for submit in (True, False):
        refused = await deal.put(record, form_of(solutionId="SOL-FABRIKAM-IOT", submit=submit))
        assert faults(refused) == [("/solutionId", "notEditable")]
    assert (await deal.put(record, form_of(solutionId="SOL-CONTOSO-ERP"))).status == 200


async def test_null_leaves_nothing_of_a_part_of_the_form() -> None:
    """G3: alike for customer, contract and contact."""
    deal = await won()
    record = (await deal.records(form_of(submit=False)))["IpCoSell"]
    emptied = await deal.put(record, form_of(customer=None, contract=None, contact=None, submit=False))
    assert emptied.status == 200, emptied.body
    for part in ("customer", "contract", "contact"):
        assert set(emptied.body[part].values()) == {None}, part


async def test_a_save_that_changes_nothing_is_none() -> None:
    """L9: a form that saves itself fills no timeline, and no other window of its partner finds the deal changed."""
    deal = await won()
    record = (await deal.records(form_of(submit=False)))["IpCoSell"]
    before = await deal.read()
    for _ in range(2):
        again = await deal.put(record, form_of(submit=False))
        assert (again.status, again.body["eTag"]) == (200, record["eTag"])
    assert (await deal.read())["eTag"] == before["eTag"]
    same_moment = {**FORM["contract"], "signDateTime": "2026-10-31T19:00:00-05:00"}
    moved = await deal.put(record, form_of(contract=same_moment, submit=False))
    assert moved.body["eTag"] != record["eTag"], "it is another day"
    record = moved.body
    changed = await deal.put(record, form_of(solutionValue=1, submit=False))
    assert changed.body["eTag"] != record["eTag"]
    assert (await deal.read())["eTag"] != before["eTag"]


IN_SEOUL = [
    ("2026-12-01T10:00:00+09:00", "2026-12-01T00:00:00+09:00", "2027-12-01T00:00:00+09:00", []),
    ("2026-11-30", "2026-12-01T00:00:00+09:00", "2026-12-01T10:00:00+09:00", ["/contract/endDateTime"]),
    ("2026-12-02", "2026-12-01T23:00:00-08:00", "2027-12-01", ["/contract/startDateTime"]),
]


@pytest.mark.parametrize(("signed", "starts", "ends", "targets"), IN_SEOUL)
async def test_the_days_of_a_contract_are_those_that_its_partner_wrote(
    signed: str, starts: str, ends: str, targets: list[str]
) -> None:
    """G3: a day in Seoul is not compared as the two days of UTC that it is part of."""
    deal = await won()
    dates = {"signDateTime": signed, "startDateTime": starts, "endDateTime": ends}
    record = (await deal.records({"submit": False}))["IpCoSell"]
    answer = await deal.put(record, form_of(contract={**FORM["contract"], **dates}))
    if targets:
        assert [target for target, _ in faults(answer)] == targets
    else:
        assert answer.status == 200, answer.body
        assert {name: answer.body["contract"][name] for name in dates} == dates, "as it was sent"


async def test_whoever_registers_again_is_sent_to_the_draft() -> None:
    deal = await won()
    drafts = await deal.records({"submit": False})
    refused = await deal.register(form_of())
    assert refused.status == 409
    message = refused.body["error"]["message"]
    assert all(f"/registrations/{each['id']}" in message for each in drafts.values())


@pytest.mark.parametrize("decision", ["approve", "requestAction"])
async def test_after_the_retention_period_of_its_deal_a_registration_is_shown_to_nobody(
    decision: str,
) -> None:
    """N3: neither to its partner, nor to reviewers; nor a report to whoever made it."""
    deal = await won()
    deal.now += timedelta(days=100)
    record = (await deal.records())["IpCoSell"]
    errors = ESTIMATE if decision == "requestAction" else []
    assert (await deal.review(record, decision, errors=errors)).status == 200
    report = form_of(solutionId="SOL-CONTOSO-ERP", customer={"name": "Tailspin", "country": "US"})
    [alone] = (await deal.report(report)).body["value"]

    async def found_after(days: int) -> list[int]:
        deal.now = NOW + timedelta(days=days)
        seen = [(await deal.see(each, who)).status for each, who in ((record, "dee"), (record, "rae"))]
        listed = [await deal.queue(status="Approved,ActionRequired"), await deal.queue("rae")]
        return [*seen, (await deal.see(alone, "rae")).status, *map(len, listed)]

    assert await found_after(2556) == [200, 200, 200, 1, 3]
    assert await found_after(2558) == [404, 404, 200, 0, 1]
    assert await found_after(2656) == [404, 404, 200, 0, 1]
    assert await found_after(2658) == [404, 404, 404, 0, 0]


async def test_a_save_that_finds_itself_done_shows_what_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """E2: `If-Match: *` means whatever is there, be it since a moment ago."""
    deal = await won()
    record = (await deal.records(form_of(submit=False)))["IpCoSell"]
    anything, form = {**record, "eTag": "*"}, form_of(solutionValue=5, submit=False)
    others: list[Response] = []
    read = Registrations.get

    async def read_before_another(*asked: Any) -> Registration | None:
        found = await read(*asked)
        monkeypatch.setattr(Registrations, "get", read)
        others.append(await deal.put(anything, form))
        return found

    monkeypatch.setattr(Registrations, "get", read_before_another)
    own = await deal.put(anything, form)
    assert own.body == others[0].body
    assert own.body["solutionValue"] == 5
