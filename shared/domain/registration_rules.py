"""Validation of registrations and reviews: all faults at once (rules G3, G5).

Targets are JSON Pointers into the JSON request (docs/api.md).
"""

from collections.abc import Iterator, Mapping

from shared.domain.field_rules import faults_of_currency, faults_of_missing, faults_of_value
from shared.domain.refusals import Fault
from shared.domain.registration import Contract, FieldError, RegistrationForm, Verdict

MAX_ERRORS = 20
MAX_ERROR_LENGTH, MAX_REASON_LENGTH = 200, 2000
"""Characters."""

FIELDS: tuple[str, ...] = (
    "/contractType",
    "/contract/value",
    "/contract/currency",
    "/contract/signDateTime",
    "/contract/startDateTime",
    "/contract/endDateTime",
    "/contract/term",
    "/solutionValue",
    "/deployedOn",
    "/consumptionTenant",
    "/customer/name",
    "/customer/country",
    "/customer/city",
    "/customer/state",
    "/contact/firstName",
    "/contact/lastName",
    "/contact/phoneNumber",
    "/contact/email",
    "/contractNamesPartnerAndSolution",
)
"""The fields of the form that a reviewer can request corrections for."""


def faults_of_form(form: RegistrationForm, decimals: Mapping[str, int]) -> tuple[Fault, ...]:
    """All faults of a form to be submitted, in the order of its fields."""
    return (
        *_missing(form),
        *_faults_of_contract(form.contract, decimals),
        *_faults_of_solution_value(form, decimals),
        *_faults_of_declaration(form),
    )


def faults_of_verdict(verdict: Verdict) -> tuple[Fault, ...]:
    """All faults of a decision: a rejection needs a reason, a request for action needs errors (G5)."""
    return tuple(_faults_of_verdict(verdict))


def _faults_of_verdict(verdict: Verdict) -> Iterator[Fault]:
    if verdict.decision == "reject" and not verdict.reason:
        yield Fault("required", "/reason", "Give the reason for the rejection.")
    if verdict.decision == "requestAction" and not verdict.errors:
        yield Fault("required", "/errors", "Name at least one field and what is wrong with it.")
    if verdict.decision != "requestAction" and verdict.errors:
        yield Fault("notAllowed", "/errors", "Remove this: only requestAction has errors.")
    for index, error in enumerate(verdict.errors):
        if error.target not in FIELDS:
            message = f"Use a field of the registration: {', '.join(FIELDS)}."
            yield Fault("invalidValue", f"/errors/{index}/target", message)


def errors_of(faults: tuple[Fault, ...]) -> tuple[FieldError, ...]:
    """Faults as the errors of a draft, limited in number and length."""
    return tuple(
        FieldError(target=fault.target, message=fault.message[:MAX_ERROR_LENGTH])
        for fault in faults[:MAX_ERRORS]
    )


def _missing(form: RegistrationForm) -> Iterator[Fault]:
    contract, customer, contact = form.contract, form.customer, form.contact
    required = {
        "/contractType": form.contract_type,
        "/contract/value": contract.value,
        "/contract/currency": contract.currency,
        "/contract/signDateTime": contract.signed_at,
        "/contract/startDateTime": contract.starts_at,
        "/contract/term": contract.term,
        "/solutionValue": form.solution_value,
        "/deployedOn": form.deployed_on,
        "/consumptionTenant": form.consumption_tenant,
        "/customer/name": customer.name,
        "/customer/country": customer.country,
        "/contact/firstName": contact.first_name,
        "/contact/lastName": contact.last_name,
        "/contact/phoneNumber": contact.phone_number,
        "/contact/email": contact.email,
    }
    yield from faults_of_missing(required, "A registration needs this.")


def _faults_of_contract(contract: Contract, decimals: Mapping[str, int]) -> Iterator[Fault]:
    yield from faults_of_value(contract.value, contract.currency, decimals, "/contract/value")
    yield from faults_of_currency(contract.currency, decimals, "/contract/currency")
    starts, signed, ends = contract.starts_at, contract.signed_at, contract.ends_at
    if starts and signed and starts.date() < signed.date():
        message = "Use the sign date or a later date: a contract cannot start before it is signed."
        yield Fault("outOfRange", "/contract/startDateTime", message)
    if contract.term == "Finite" and ends is None:
        message = "A contract with a finite term has an end: send its date, or set the term to Perpetual."
        yield Fault("required", "/contract/endDateTime", message)
    if contract.term == "Perpetual" and ends is not None:
        message = "A perpetual contract has no end: omit this, or set the term to Finite."
        yield Fault("notAllowed", "/contract/endDateTime", message)
    if starts and ends and ends.date() <= starts.date():
        yield Fault("outOfRange", "/contract/endDateTime", "Use a date after the start date.")


def _faults_of_solution_value(form: RegistrationForm, decimals: Mapping[str, int]) -> Iterator[Fault]:
    value, total = form.solution_value, form.contract.value
    yield from faults_of_value(value, form.contract.currency, decimals, "/solutionValue")
    if value is not None and total is not None and value > total:
        message = "Use at most the value of the contract."
        yield Fault("outOfRange", "/solutionValue", message)


def _faults_of_declaration(form: RegistrationForm) -> Iterator[Fault]:
    if not form.contract_names_both:
        message = "A contract must name your company and the solution to be registered: set this to true if it does."
        yield Fault("required", "/contractNamesPartnerAndSolution", message)
