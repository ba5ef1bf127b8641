"""The rules about the fields of a registration and of a review: every fault at once (rules G3, G5).

Targets are JSON Pointers into the wire form of the request (docs/api.md).
"""

from collections.abc import Iterator, Mapping

from shared.domain.field_rules import faults_of_currency, faults_of_value
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
"""The fields of the form that a reviewer can ask to be corrected."""


def faults_of_form(form: RegistrationForm, decimals: Mapping[str, int]) -> tuple[Fault, ...]:
    """Every fault of a form that is to be submitted, in the order of the form."""
    return (
        *_missing(form),
        *_faults_of_contract(form.contract, decimals),
        *_faults_of_solution_value(form, decimals),
        *_faults_of_declaration(form),
    )


def faults_of_verdict(verdict: Verdict) -> tuple[Fault, ...]:
    """Every fault of a decision: a rejection says why, a request for action says what is wrong where (G5)."""
    return tuple(_faults_of_verdict(verdict))


def _faults_of_verdict(verdict: Verdict) -> Iterator[Fault]:
    if verdict.decision == "reject" and not verdict.reason:
        yield Fault("required", "/reason", "Say why the registration is rejected.")
    if verdict.decision == "requestAction" and not verdict.errors:
        yield Fault("required", "/errors", "Name at least one field, and what is wrong with it.")
    if verdict.decision != "requestAction" and verdict.errors:
        yield Fault("notAllowed", "/errors", "Errors go with requestAction alone.")
    for index, error in enumerate(verdict.errors):
        if error.target not in FIELDS:
            message = f"Name a field of the registration: {', '.join(FIELDS)}."
            yield Fault("invalidValue", f"/errors/{index}/target", message)


def errors_of(faults: tuple[Fault, ...]) -> tuple[FieldError, ...]:
    """Faults as a draft keeps them."""
    return tuple(
        FieldError(target=fault.target, message=fault.message[:MAX_ERROR_LENGTH])
        for fault in faults[:MAX_ERRORS]
    )


def _missing(form: RegistrationForm) -> Iterator[Fault]:
    contract, customer, contact = form.contract, form.customer, form.contact
    wanted = {
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
    for target, value in wanted.items():
        if value is None or value == "":
            yield Fault("required", target, "A registration needs this.")


def _faults_of_contract(contract: Contract, decimals: Mapping[str, int]) -> Iterator[Fault]:
    yield from faults_of_value(contract.value, contract.currency, decimals, "/contract/value")
    yield from faults_of_currency(contract.currency, decimals, "/contract/currency")
    starts, signed, ends = contract.starts_at, contract.signed_at, contract.ends_at
    if starts and signed and starts.date() < signed.date():
        message = "A contract does not start before it is signed."
        yield Fault("outOfRange", "/contract/startDateTime", message)
    if contract.term == "Finite" and ends is None:
        message = "A contract for a term has an end; name it, or make the term Perpetual."
        yield Fault("required", "/contract/endDateTime", message)
    if contract.term == "Perpetual" and ends is not None:
        message = "A perpetual contract has no end; leave it out, or make the term Finite."
        yield Fault("notAllowed", "/contract/endDateTime", message)
    if starts and ends and ends.date() <= starts.date():
        yield Fault("outOfRange", "/contract/endDateTime", "A contract ends after it starts.")


def _faults_of_solution_value(form: RegistrationForm, decimals: Mapping[str, int]) -> Iterator[Fault]:
    value, total = form.solution_value, form.contract.value
    yield from faults_of_value(value, form.contract.currency, decimals, "/solutionValue")
    if value is not None and total is not None and value > total:
        message = "The solution is worth no more than the whole contract."
        yield Fault("outOfRange", "/solutionValue", message)


def _faults_of_declaration(form: RegistrationForm) -> Iterator[Fault]:
    if not form.contract_names_both:
        message = (
            "Only a contract that names your company and the solution is registered: declare that it does."
        )
        yield Fault("required", "/contractNamesPartnerAndSolution", message)
