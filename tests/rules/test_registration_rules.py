"""The form of a registration and a reviewer's verdict: every fault, at its field, all at once (G3, G5)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.refusals import Fault
from shared.domain.registration import (
    NO_CONTACT,
    NO_CONTRACT,
    NO_CUSTOMER,
    FieldError,
    RegistrationForm,
    Verdict,
)
from shared.domain.registration_rules import (
    FIELDS,
    MAX_ERROR_LENGTH,
    MAX_ERRORS,
    errors_of,
    faults_of_form,
    faults_of_verdict,
)
from shared.domain.vocabulary import ReviewDecision
from tests.examples.registrations import CONTRACT, FORM, with_contract

DECIMALS = {"USD": 2, "JPY": 0, "KWD": 3}
ALL_FIELDS: dict[str, RegistrationForm] = {
    "/contractType": replace(FORM, contract_type=None),
    "/contract/value": with_contract(value=None),
    "/contract/currency": with_contract(currency=None),
    "/contract/signDateTime": with_contract(signed_at=None),
    "/contract/startDateTime": with_contract(starts_at=None),
    "/contract/endDateTime": with_contract(ends_at=None),
    "/contract/term": with_contract(term=None),
    "/solutionValue": replace(FORM, solution_value=None),
    "/deployedOn": replace(FORM, deployed_on=None),
    "/consumptionTenant": replace(FORM, consumption_tenant=None),
    "/customer/name": replace(FORM, customer=replace(FORM.customer, name=None)),
    "/customer/country": replace(FORM, customer=replace(FORM.customer, country=None)),
    "/contact/firstName": replace(FORM, contact=replace(FORM.contact, first_name=None)),
    "/contact/lastName": replace(FORM, contact=replace(FORM.contact, last_name=None)),
    "/contact/phoneNumber": replace(FORM, contact=replace(FORM.contact, phone_number=None)),
    "/contact/email": replace(FORM, contact=replace(FORM.contact, email=None)),
    "/contractNamesPartnerAndSolution": replace(FORM, contract_names_both=False),
}
"""The form without each of the fields that it needs."""
DAY = timedelta(days=1)


def found(form: RegistrationForm) -> list[tuple[str, str]]:
    """Code and target of each fault."""
    return [(fault.code, fault.target) for fault in faults_of_form(form, DECIMALS)]


def test_the_complete_form_has_no_fault() -> None:
    assert found(FORM) == []
    assert found(replace(FORM, customer=replace(FORM.customer, city="Seoul", state=""))) == []


@pytest.mark.parametrize("target", ALL_FIELDS)
def test_each_field_of_the_form_is_needed(target: str) -> None:
    assert found(ALL_FIELDS[target]) == [("required", target)]


@pytest.mark.parametrize("field", ["name", "country"])
def test_an_empty_text_is_a_missing_one(field: str) -> None:
    form = replace(FORM, customer=replace(FORM.customer, **{field: ""}))
    assert found(form) == [("required", f"/customer/{field}")]


def test_an_empty_form_is_told_of_all_that_is_missing_at_once_in_the_order_of_the_form() -> None:
    empty = RegistrationForm(contract=NO_CONTRACT, contact=NO_CONTACT, customer=NO_CUSTOMER)
    needed = [target for target in ALL_FIELDS if target != "/contract/endDateTime"]  # of a finite term
    assert found(empty) == [("required", target) for target in needed]


@pytest.mark.parametrize(
    ("contract", "faults"),
    [
        ({"value": Decimal("0.01")}, []),
        ({"value": Decimal(0)}, ["outOfRange /contract/value"]),
        ({"value": Decimal(-1)}, ["outOfRange /contract/value"]),
        ({"value": Decimal("999999999999.99")}, []),
        ({"value": Decimal(1_000_000_000_000)}, ["outOfRange /contract/value"]),
        ({"value": Decimal("1.005")}, ["invalidValue /contract/value"]),
        ({"value": Decimal("1000.50"), "currency": "JPY"}, ["invalidValue /contract/value"]),
        ({"value": Decimal(1000), "currency": "JPY"}, []),
        ({"value": Decimal("1.005"), "currency": "KWD"}, ["invalidValue /contract/value"]),
        ({"currency": "XYZ"}, ["notInCatalogue /contract/currency"]),
    ],
)
def test_value_and_currency_of_a_contract_have_bounds(contract: dict[str, Any], faults: list[str]) -> None:
    form = replace(with_contract(**contract), solution_value=contract.get("value", FORM.solution_value))
    both = [fault.replace("/contract/value", "/solutionValue") for fault in faults if "value" in fault]
    assert [" ".join(fault) for fault in found(form)] == [*faults, *both]


@pytest.mark.parametrize(
    ("value", "total", "faults"),
    [
        (Decimal(100), Decimal(100), []),
        (Decimal("100.01"), Decimal(100), [("outOfRange", "/solutionValue")]),
        (Decimal("99.99"), Decimal(100), []),
        (Decimal(100), None, [("required", "/contract/value")]),
        (Decimal(0), Decimal(100), [("outOfRange", "/solutionValue")]),
        (Decimal("0.001"), Decimal(100), [("invalidValue", "/solutionValue")]),
    ],
)
def test_the_solution_is_worth_no_more_than_the_contract(
    value: Decimal, total: Decimal | None, faults: list[tuple[str, str]]
) -> None:
    """G3."""
    assert found(replace(with_contract(value=total), solution_value=value)) == faults


SIGNED = CONTRACT.signed_at
assert SIGNED
STARTS_EARLY, ENDS_EARLY = ("outOfRange", "/contract/startDateTime"), ("outOfRange", "/contract/endDateTime")


@pytest.mark.parametrize(
    ("starts", "faults"),
    [(timedelta(), []), (-DAY, [STARTS_EARLY]), (-timedelta(hours=9), []), (DAY, [])],
)
def test_a_contract_starts_on_the_day_it_is_signed_or_later(
    starts: timedelta, faults: list[tuple[str, str]]
) -> None:
    """G3 (decided): the day counts, not the hour."""
    assert found(with_contract(starts_at=SIGNED + starts)) == faults


@pytest.mark.parametrize(
    ("length", "faults"),
    [
        (DAY, []),
        (timedelta(), [ENDS_EARLY]),
        (timedelta(hours=13), [ENDS_EARLY]),
        (timedelta(hours=14), []),
        (-DAY, [ENDS_EARLY]),
        (timedelta(days=36500), []),
    ],
)
def test_a_contract_ends_on_a_day_after_its_start(length: timedelta, faults: list[tuple[str, str]]) -> None:
    """G3; it starts at ten o'clock."""
    starts = SIGNED + DAY
    assert starts.hour == 10
    assert found(with_contract(starts_at=starts, ends_at=starts + length)) == faults


@pytest.mark.parametrize(
    ("term", "ends", "faults"),
    [
        ("Finite", True, []),
        ("Finite", False, [("required", "/contract/endDateTime")]),
        ("Perpetual", False, []),
        ("Perpetual", True, [("notAllowed", "/contract/endDateTime")]),
        (None, True, [("required", "/contract/term")]),
        (None, False, [("required", "/contract/term")]),
    ],
)
def test_a_contract_has_an_end_or_is_perpetual(term: Any, ends: bool, faults: list[tuple[str, str]]) -> None:
    """G3."""
    assert found(with_contract(term=term, ends_at=CONTRACT.ends_at if ends else None)) == faults


def test_many_faults_are_told_at_once() -> None:
    form = replace(
        with_contract(value=Decimal(0), currency="XYZ", starts_at=SIGNED - DAY, ends_at=SIGNED - 2 * DAY),
        contract_type=None,
        solution_value=Decimal("0.001"),
        contract_names_both=False,
    )
    assert found(form) == [
        ("required", "/contractType"),
        ("outOfRange", "/contract/value"),
        ("notInCatalogue", "/contract/currency"),
        STARTS_EARLY,
        ENDS_EARLY,
        ("invalidValue", "/solutionValue"),
        ("outOfRange", "/solutionValue"),
        ("required", "/contractNamesPartnerAndSolution"),
    ]


def test_a_reviewer_can_ask_for_the_correction_of_every_field_of_the_form() -> None:
    assert {*ALL_FIELDS, "/customer/city", "/customer/state"} == set(FIELDS)
    assert len(FIELDS) == len(set(FIELDS))


@given(st.lists(st.text(max_size=400), max_size=30))
def test_a_draft_keeps_its_faults_within_bounds(messages: list[str]) -> None:
    """Stored with the deal, they must not grow without end (C6)."""
    kept = errors_of(tuple(Fault("required", f"/{i}", text) for i, text in enumerate(messages)))
    assert [error.target for error in kept] == [f"/{i}" for i in range(min(len(messages), MAX_ERRORS))]
    assert all(error.message == text[:MAX_ERROR_LENGTH] for error, text in zip(kept, messages, strict=False))


def error(target: str = "/contract/value") -> FieldError:
    return FieldError(target=target, message="Too round.")


DECISIONS: tuple[ReviewDecision, ...] = get_args(ReviewDecision)


@pytest.mark.parametrize(
    ("decision", "reason", "errors", "faults"),
    [
        ("approve", None, 0, []),
        ("approve", "Fine.", 0, []),
        ("approve", None, 1, ["notAllowed /errors"]),
        ("reject", "No.", 0, []),
        ("reject", None, 0, ["required /reason"]),
        ("reject", "", 0, ["required /reason"]),
        ("reject", None, 1, ["required /reason", "notAllowed /errors"]),
        ("requestAction", None, 0, ["required /errors"]),
        ("requestAction", "Because.", 0, ["required /errors"]),
        ("requestAction", None, 1, []),
        ("requestAction", None, 20, []),
    ],
)
def test_a_verdict_says_what_it_has_to_and_no_more(
    decision: ReviewDecision, reason: str | None, errors: int, faults: list[str]
) -> None:
    """G5."""
    verdict = Verdict(decision=decision, reviewer="Dee", reason=reason, errors=(error(),) * errors)
    assert [f"{fault.code} {fault.target}" for fault in faults_of_verdict(verdict)] == faults


@pytest.mark.parametrize("target", [*FIELDS, "/solutionId", "", "contract/value", "/contract", "/nothing"])
def test_each_error_is_tied_to_a_field_of_the_form(target: str) -> None:
    """G5."""
    verdict = Verdict(decision="requestAction", reviewer="Dee", errors=(error(), error(target)))
    faults = [(fault.code, fault.target) for fault in faults_of_verdict(verdict)]
    assert faults == ([] if target in FIELDS else [("invalidValue", "/errors/1/target")])
