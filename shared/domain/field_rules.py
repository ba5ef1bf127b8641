"""Validation of single fields against another field, the catalogue or today's date (C6, T6).

Targets are JSON Pointers into the JSON request (docs/api.md). The API checks types, lengths and formats.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal

from shared.domain.directory import CatalogueSolution
from shared.domain.draft import ContactDraft, TermsDraft
from shared.domain.refusals import Fault

MAX_TEAM = 50
MAX_SOLUTIONS = 50
MAX_VALUE = Decimal("999999999999.99")


def faults_of_terms(terms: TermsDraft, decimals: Mapping[str, int], today: date, at: str) -> Iterator[Fault]:
    """Faults of value, currency and close date; a missing value is not a fault here."""
    yield from faults_of_value(terms.deal_value, terms.currency, decimals, f"{at}/dealValue")
    yield from faults_of_currency(terms.currency, decimals, f"{at}/currency")
    yield from faults_of_date(terms.closing_at, today, f"{at}/closingDateTime")


def faults_of_value(
    value: Decimal | None, currency: str | None, decimals: Mapping[str, int], at: str
) -> Iterator[Fault]:
    """Faults of an amount: above 0, at most `MAX_VALUE`, and no more decimals than its currency has."""
    if value is None:
        return
    if not 0 < value <= MAX_VALUE:
        yield Fault("outOfRange", at, f"Use an amount above 0 and at most {MAX_VALUE:,}.")
        return
    places = min(2, decimals.get(currency or "", 2))
    if value != round(value, places):
        yield Fault("invalidValue", at, f"Use at most {places} decimals for {currency or 'an amount'}.")


def faults_of_currency(currency: str | None, decimals: Mapping[str, int], at: str) -> Iterator[Fault]:
    """Faults of a currency: only currencies in use are in `decimals`."""
    if currency and currency not in decimals:
        yield Fault("notInCatalogue", at, "Use a current ISO 4217 currency code, such as USD.")


def faults_of_date(closing_at: datetime | None, today: date, at: str) -> Iterator[Fault]:
    """Faults of a close date: today or later, by UTC date."""
    if closing_at and closing_at.date() < today:
        yield Fault("outOfRange", at, f"Choose today ({today}) or a later date.")


def faults_of_size(team: tuple[ContactDraft, ...], at: str) -> Iterator[Fault]:
    """A team has at most `MAX_TEAM` members."""
    if len(team) > MAX_TEAM:
        yield Fault("tooLong", at, f"Name at most {MAX_TEAM} people.")


def faults_of_team(team: tuple[ContactDraft, ...], at: str) -> Iterator[Fault]:
    """Faults of a team: at most `MAX_TEAM` members, each with name, phone number and email."""
    if len(team) > MAX_TEAM:
        yield from faults_of_size(team, at)
        return
    for index, contact in enumerate(team):
        yield from _faults_of_contact(contact, f"{at}/{index}")


def faults_of_solutions(
    solutions: tuple[str | None, ...], catalogue: Mapping[str, CatalogueSolution], at: str
) -> Iterator[Fault]:
    """Faults of solutions by id; assessments are not allowed here (T6)."""
    if len(solutions) > MAX_SOLUTIONS:
        yield Fault("tooLong", at, f"Name at most {MAX_SOLUTIONS} solutions.")
        return
    for index, solution_id in enumerate(solutions):
        if solution_id is not None:
            yield from _faults_of_solution(catalogue.get(solution_id), f"{at}/{index}/id")


def faults_of_missing(required: Mapping[str, object], message: str) -> Iterator[Fault]:
    """A fault for each target whose value is None or empty; 0 and False are values."""
    for target, value in required.items():
        if value is None or value in ("", ()):
            yield Fault("required", target, message)


def _faults_of_contact(contact: ContactDraft, at: str) -> Iterator[Fault]:
    required = {
        f"{at}/firstName": contact.first_name,
        f"{at}/lastName": contact.last_name,
        f"{at}/phoneNumber": contact.phone_number,
        f"{at}/email": contact.email,
    }
    yield from faults_of_missing(required, "Each contact needs a name, a phone number and an email.")


def _faults_of_solution(solution: CatalogueSolution | None, at: str) -> Iterator[Fault]:
    if solution is None:
        yield Fault("notInCatalogue", at, "Use the id of a solution in the catalogue.")
    elif solution.assessment:
        message = (
            "Remove this: an assessment type cannot be combined with other solutions, or be in an invitation."
        )
        yield Fault("notAllowed", at, message)
    elif not solution.can_be_chosen:
        yield Fault("notAllowed", at, f"{solution.name} is not co-sell ready; choose one that is.")
