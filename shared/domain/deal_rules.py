"""Validation of a new deal (rules C, T4, T5, T6): all faults of a draft at once.

Targets are JSON Pointers into the JSON request (docs/api.md). The API checks types, lengths and formats; the checks
here need other fields, the directory or today's date.
"""

from collections.abc import Iterator, Mapping
from datetime import date

from shared.domain.catalogue import Catalogue
from shared.domain.customer import CustomerMatch, match_customer
from shared.domain.draft import ContactDraft, DealDraft
from shared.domain.field_rules import (
    faults_of_currency,
    faults_of_date,
    faults_of_size,
    faults_of_solutions,
    faults_of_team,
    faults_of_terms,
    faults_of_value,
)
from shared.domain.invitation_rules import (
    faults_of_invitations,
    faults_of_microsofts_needs,
    faults_of_readiness,
)
from shared.domain.lifecycle import Acceptance
from shared.domain.referral import Terms
from shared.domain.refusals import Fault
from shared.domain.vocabulary import MICROSOFT, NO_HELP

_SOLUTIONS = "/details/requirements/solutions"
_Q1 = "/inviteContext/assistanceRequestCode"
_Q2 = "/consent/consentToShareReferralWithMicrosoftSellers"


def faults_of_deal(draft: DealDraft, catalogue: Catalogue, today: date) -> tuple[Fault, ...]:
    """All faults of a new deal, in the order of its fields."""
    assessment = is_assessment(draft, catalogue)
    if catalogue.creator.id == MICROSOFT:
        by_kind = _faults_of_microsofts_deal(draft)
    elif assessment:
        by_kind = _faults_of_assessment(draft, catalogue)
    else:
        by_kind = faults_of_partners_deal(draft, catalogue)
    return (
        *_faults_of_location(draft, catalogue, must_be_sent=assessment),
        *match_deal_customer(draft, catalogue).faults,
        *faults_of_terms(draft.terms, catalogue.decimals, today, "/details"),
        *(() if assessment else faults_of_solutions(draft.terms.solutions, catalogue.solutions, _SOLUTIONS)),
        *faults_of_team(draft.team, "/team"),
        *by_kind,
        *faults_of_invitations(draft.invitations, catalogue, today),
    )


def match_deal_customer(draft: DealDraft, catalogue: Catalogue) -> CustomerMatch:
    """Match the draft's customer with the customer directory (C7)."""
    return match_customer(draft.customer, catalogue.customers)


def is_assessment(draft: DealDraft, catalogue: Catalogue) -> bool:
    """Whether this is a partner's solution assessment: all its solutions are assessment types (T5)."""
    if catalogue.creator.id == MICROSOFT:
        return False
    solutions = [catalogue.solutions.get(solution_id or "") for solution_id in draft.terms.solutions]
    return bool(solutions) and all(solution and solution.assessment for solution in solutions)


def faults_of_acceptance(
    acceptance: Acceptance,
    team: tuple[ContactDraft, ...],
    invited: Terms,
    decimals: Mapping[str, int],
    today: date,
) -> tuple[Fault, ...]:
    """All faults of an acceptance (L2): what it changes must fit the terms of the invitation."""
    currency = acceptance.currency or invited.currency
    value = acceptance.deal_value
    if value is None and acceptance.currency:
        value = invited.deal_value
    return (
        *_missing_of_acceptance(acceptance, invited),
        *faults_of_value(value, currency, decimals, "/dealValue"),
        *faults_of_currency(acceptance.currency, decimals, "/currency"),
        *faults_of_date(acceptance.closing_at, today, "/closingDateTime"),
        *faults_of_team(team, "/team"),
    )


def _missing_of_acceptance(acceptance: Acceptance, invited: Terms) -> Iterator[Fault]:
    """An acceptance must send the terms that a lead does not have (L2)."""
    terms = {
        "dealValue": (acceptance.deal_value, invited.deal_value),
        "currency": (acceptance.currency, invited.currency),
        "closingDateTime": (acceptance.closing_at, invited.closing_at),
    }
    for name, values in terms.items():
        if all(value is None for value in values):
            yield Fault("required", f"/{name}", "Send an estimate: the lead does not have this value.")


def _faults_of_location(draft: DealDraft, catalogue: Catalogue, *, must_be_sent: bool) -> Iterator[Fault]:
    if catalogue.creator.id == MICROSOFT:
        if draft.location:
            yield Fault(
                "notAllowed", "/location", "Remove this: a deal that Microsoft creates has no location."
            )
        return
    location = draft.location or (None if must_be_sent else catalogue.creator.default_location)
    locations = ", ".join(place.id for place in catalogue.creator.locations)
    if location is None:
        yield Fault("required", "/location", f"Name one of your organization's locations: {locations}.")
    elif catalogue.creator.location(location) is None:
        yield Fault("notInCatalogue", "/location", f"Name one of your organization's locations: {locations}.")


def faults_of_partners_deal(draft: DealDraft, catalogue: Catalogue) -> Iterator[Fault]:
    """Faults of Q1, and of what an invitation of Microsoft requires, in a deal that a partner creates."""
    entry = next((i for i in draft.invitations if i.organization_id == MICROSOFT), None)
    code = draft.help_code
    if entry and entry.help_code and code and code not in {NO_HELP, entry.help_code}:
        message = f"The entry for Microsoft asks for {entry.help_code}: send the same code here, or omit it."
        yield Fault("invalidValue", _Q1, message)
    if draft.microsoft_code != NO_HELP:
        yield from faults_of_readiness(catalogue, _invites_microsoft_at(draft))
        yield from faults_of_microsofts_needs(draft.customer.team, draft.consent.share_contact)
    else:
        yield from faults_of_size(draft.customer.team, "/customerProfile/team")


def _invites_microsoft_at(draft: DealDraft) -> str:
    """The pointer of what invites Microsoft: the answer to Q1, or else the entry for it."""
    if draft.help_code not in {None, NO_HELP}:
        return _Q1
    entries = [each.organization_id for each in draft.invitations]
    return f"/invitations/{entries.index(MICROSOFT)}/organizationId"


def _faults_of_microsofts_deal(draft: DealDraft) -> Iterator[Fault]:
    """A seller's deal invites partners; Q1 and Q2 do not apply (T4)."""
    yield from _faults_of_answers(draft, "Microsoft creates this deal")
    if not draft.invitations:
        message = "Invite at least one partner: a deal that Microsoft creates needs one."
        yield Fault("required", "/invitations", message)


def _faults_of_assessment(draft: DealDraft, catalogue: Catalogue) -> Iterator[Fault]:
    """An assessment: a vetted partner, one assessment type, no Q1 and Q2, no invitations (T5)."""
    if not catalogue.creator.vetted_for_assessments:
        message = f"{catalogue.creator.name} is not vetted for solution assessments; choose another solution."
        yield Fault("notAllowed", f"{_SOLUTIONS}/0/id", message)
    for index in range(1, len(draft.terms.solutions)):
        yield Fault(
            "notAllowed",
            f"{_SOLUTIONS}/{index}",
            "Remove this: an assessment has one assessment type and no other solution.",
        )
    yield from _faults_of_answers(draft, "This is a solution assessment")
    if draft.invitations:
        yield Fault(
            "notAllowed", "/invitations", "Remove this: nobody can be invited into a solution assessment."
        )


def _faults_of_answers(draft: DealDraft, because: str) -> Iterator[Fault]:
    if draft.help_code not in {None, NO_HELP}:
        yield Fault("notAllowed", _Q1, f"{because}, so this does not apply: omit it.")
    if draft.consent.microsoft_may_view:
        yield Fault("notAllowed", _Q2, f"{because}, so this does not apply: omit it.")
