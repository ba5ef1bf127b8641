"""The rules about the fields of a new deal (rules C, T3, T6): every fault of a draft at once.

Targets are JSON Pointers into the wire form of the request (docs/api.md). Faults in form (types, lengths,
formats) are the edge's; here are those that need other fields, the directory or today's date.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from shared.domain.customer import Settlement, settle_customer
from shared.domain.directory import CatalogueSolution, CustomerEntity, Organization
from shared.domain.draft import ContactDraft, DealDraft, InvitationDraft, TermsDraft
from shared.domain.lifecycle import Acceptance
from shared.domain.referral import Terms
from shared.domain.refusals import Fault
from shared.domain.vocabulary import MICROSOFT, NO_HELP

MAX_INVITATIONS = 20
MAX_TEAM = 50
MAX_SOLUTIONS = 50
MAX_VALUE = Decimal("999999999999.99")


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What the directory says about everything that a draft names.

    `organizations` and `solutions` hold those that exist, `customers` the entities of the draft's name and country
    or of its D-U-N-S number. `decimals` maps each current ISO 4217 currency to its number of decimals.
    """

    creator: Organization
    organizations: Mapping[str, Organization]
    solutions: Mapping[str, CatalogueSolution]
    customers: tuple[CustomerEntity, ...]
    decimals: Mapping[str, int]


def faults_of_deal(draft: DealDraft, catalogue: Catalogue, today: date) -> tuple[Fault, ...]:
    """Every fault of a new deal, in the order of the form."""
    return (
        *_faults_of_location(draft, catalogue),
        *settlement_of(draft, catalogue).faults,
        *_faults_of_microsofts_needs(draft),
        *faults_of_terms(draft.terms, catalogue, today, "/details", "/details/requirements/solutions"),
        *faults_of_team(draft.team, "/team"),
        *_faults_of_questions(draft),
        *_faults_of_invitations(draft, catalogue, today),
    )


def settlement_of(draft: DealDraft, catalogue: Catalogue) -> Settlement:
    """Which customer the draft means (C7)."""
    return settle_customer(draft.customer, catalogue.customers)


def faults_of_terms(
    terms: TermsDraft, catalogue: Catalogue, today: date, at: str, solutions_at: str
) -> Iterator[Fault]:
    """Faults of value, currency, close date and solutions (C6, T6); what is missing is no fault here."""
    yield from faults_of_value(terms.deal_value, terms.currency, catalogue.decimals, f"{at}/dealValue")
    yield from _faults_of_currency(terms.currency, catalogue.decimals, at)
    yield from _faults_of_date(terms.closing_at, today, at)
    yield from _faults_of_solutions(terms.solutions, catalogue, solutions_at)


def faults_of_acceptance(
    acceptance: Acceptance,
    team: tuple[ContactDraft, ...],
    invited: Terms,
    decimals: Mapping[str, int],
    today: date,
) -> tuple[Fault, ...]:
    """Faults of an acceptance (L2): what it changes must fit what the invitation said of the rest."""
    currency = acceptance.currency or invited.currency
    value = acceptance.deal_value
    if value is None and acceptance.currency:
        value = invited.deal_value
    return (
        *faults_of_value(value, currency, decimals, "/dealValue"),
        *_faults_of_currency(acceptance.currency, decimals, ""),
        *_faults_of_date(acceptance.closing_at, today, ""),
        *faults_of_team(team, "/team"),
    )


def faults_of_value(
    value: Decimal | None, currency: str | None, decimals: Mapping[str, int], at: str
) -> Iterator[Fault]:
    """Faults of an amount (C6): positive, not above the limit, no more decimals than its currency has."""
    if value is None:
        return
    if not 0 < value <= MAX_VALUE:
        yield Fault("outOfRange", at, f"Use an amount above 0 and at most {MAX_VALUE:,}.")
        return
    places = min(2, decimals.get(currency or "", 2))
    if value != round(value, places):
        yield Fault("invalidValue", at, f"Use at most {places} decimals for {currency or 'an amount'}.")


def _faults_of_currency(currency: str | None, decimals: Mapping[str, int], at: str) -> Iterator[Fault]:
    if currency and currency not in decimals:
        yield Fault("notInCatalogue", f"{at}/currency", "Use a current ISO 4217 currency code, such as USD.")


def _faults_of_date(closing_at: datetime | None, today: date, at: str) -> Iterator[Fault]:
    if closing_at and closing_at.date() < today:
        yield Fault("outOfRange", f"{at}/closingDateTime", f"Choose today ({today}) or a later date.")


def faults_of_team(team: tuple[ContactDraft, ...], at: str) -> Iterator[Fault]:
    """Faults of a team: at most 50, and each contact with name, phone and email."""
    if len(team) > MAX_TEAM:
        yield Fault("tooLong", at, f"Name at most {MAX_TEAM} people.")
    for index, contact in enumerate(team):
        yield from _faults_of_contact(contact, f"{at}/{index}")


def _faults_of_contact(contact: ContactDraft, at: str) -> Iterator[Fault]:
    wanted = {
        "firstName": contact.first_name,
        "lastName": contact.last_name,
        "phoneNumber": contact.phone_number,
        "email": contact.email,
    }
    for name, value in wanted.items():
        if not value:
            yield Fault("required", f"{at}/{name}", "Each contact needs a name, a phone number and an email.")


def _faults_of_location(draft: DealDraft, catalogue: Catalogue) -> Iterator[Fault]:
    location = draft.location or catalogue.creator.default_location
    if location is None:
        yield Fault("required", "/location", "Name one of your organization's locations.")
    elif catalogue.creator.location(location) is None:
        known = ", ".join(place.id for place in catalogue.creator.locations)
        yield Fault("notInCatalogue", "/location", f"Name one of your organization's locations: {known}.")


def _faults_of_microsofts_needs(draft: DealDraft) -> Iterator[Fault]:
    """A deal that invites Microsoft names the customer's contact, with the customer's consent (rules C)."""
    at = "/customerProfile/team"
    if draft.microsoft_code == NO_HELP:
        return
    if not draft.customer.team:
        yield Fault(
            "required", at, "A deal that invites Microsoft names at least one contact of the customer."
        )
    yield from faults_of_team(draft.customer.team, at)
    if not draft.consent.share_contact:
        yield Fault(
            "required",
            "/consent/consentToToShareInfoWithOthers",
            "Microsoft can be invited only with the customer's consent to share its contact: set it to true.",
        )


def _faults_of_questions(draft: DealDraft) -> Iterator[Fault]:
    entry = next((i for i in draft.invitations if i.organization_id == MICROSOFT), None)
    asked = draft.help_code
    if entry and entry.help_code and asked and asked not in {NO_HELP, entry.help_code}:
        message = (
            f"The entry for {MICROSOFT} asks for {entry.help_code}: name the same here, or leave it out."
        )
        yield Fault("invalidValue", "/inviteContext/assistanceRequestCode", message)
    if draft.microsoft_code == NO_HELP:
        message = (
            "This service creates co-sell deals so far: name the kind of help that you need from Microsoft."
        )
        yield Fault("notAllowed", "/inviteContext/assistanceRequestCode", message)


def _faults_of_solutions(solutions: tuple[str | None, ...], catalogue: Catalogue, at: str) -> Iterator[Fault]:
    if len(solutions) > MAX_SOLUTIONS:
        yield Fault("tooLong", at, f"Name at most {MAX_SOLUTIONS} solutions.")
    for index, solution_id in enumerate(solutions):
        if solution_id is not None:
            yield from _faults_of_solution(catalogue.solutions.get(solution_id), f"{at}/{index}/id")


def _faults_of_solution(solution: CatalogueSolution | None, at: str) -> Iterator[Fault]:
    if solution is None:
        yield Fault("notInCatalogue", at, "Name a solution of the catalogue.")
    elif solution.assessment:
        yield Fault("notAllowed", at, "An assessment type cannot be part of a co-sell deal or an invitation.")
    elif solution.owner != MICROSOFT and not solution.co_sell_ready:
        yield Fault("notAllowed", at, f"{solution.name} is not co-sell ready; choose one that is.")


def _faults_of_invitations(draft: DealDraft, catalogue: Catalogue, today: date) -> Iterator[Fault]:
    if len(draft.invitations) > MAX_INVITATIONS:
        yield Fault("tooLong", "/invitations", f"Invite at most {MAX_INVITATIONS} organizations in one call.")
        return
    seen: set[str] = set()
    for index, invitation in enumerate(draft.invitations):
        at = f"/invitations/{index}"
        if invitation.organization_id in seen:
            yield Fault("notAllowed", f"{at}/organizationId", "An organization is invited once into a deal.")
        if invitation.organization_id:
            seen.add(invitation.organization_id)
        yield from _faults_of_invitation(invitation, catalogue, today, at)


def _faults_of_invitation(
    invitation: InvitationDraft, catalogue: Catalogue, today: date, at: str
) -> Iterator[Fault]:
    if invitation.help_code == NO_HELP:
        yield Fault("invalidValue", f"{at}/assistanceRequestCode", "Name the kind of help that you need.")
    if invitation.organization_id == MICROSOFT:
        return
    yield from _faults_of_invitee(invitation, catalogue, at)
    yield from faults_of_terms(invitation.terms, catalogue, today, at, f"{at}/solutions")
    yield from _missing_of_invitation(invitation, at)
    if invitation.team == ():
        yield Fault(
            "required",
            f"{at}/team",
            "Name who works with the partner, or leave this out for the deal's team.",
        )
    yield from faults_of_team(invitation.team or (), f"{at}/team")


def _missing_of_invitation(invitation: InvitationDraft, at: str) -> Iterator[Fault]:
    wanted = {
        "assistanceRequestCode": invitation.help_code,
        "dealValue": invitation.terms.deal_value,
        "currency": invitation.terms.currency,
        "solutions": invitation.terms.solutions,
    }
    for name, value in wanted.items():
        if not value and value != 0:
            yield Fault("required", f"{at}/{name}", "An invitation of a partner needs this.")


def _faults_of_invitee(invitation: InvitationDraft, catalogue: Catalogue, at: str) -> Iterator[Fault]:
    """The invited partner: known, transacting, not oneself, and addressed at one of its locations (C3, T3, P2)."""
    if not invitation.organization_id:
        return
    at_organization = f"{at}/organizationId"
    organization = catalogue.organizations.get(invitation.organization_id)
    if organization is None:
        yield Fault("notInCatalogue", at_organization, "Name a partner of the co-sell ecosystem.")
    elif organization.id == catalogue.creator.id:
        yield Fault("notAllowed", at_organization, "Nobody invites itself.")
    elif not organization.transacting:
        yield Fault(
            "notAllowed", at_organization, f"{organization.name} is not transacting, so it cannot be invited."
        )
    elif invitation.target is not None and organization.location(invitation.target) is None:
        known = ", ".join(place.id for place in organization.locations)
        yield Fault(
            "notInCatalogue", f"{at}/target/id", f"Address a location of {organization.name}: {known}."
        )
