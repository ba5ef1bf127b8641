"""Requests for information and their validation (rules R1, R2).

A customer's request goes to several companies at once; Microsoft's own leads are sent the same way. Each company that
it is delivered to gets its own lead (`shared.domain.lead`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.domain.catalogue import Catalogue
from shared.domain.customer import match_customer
from shared.domain.draft import NO_CUSTOMER, ContactDraft, CustomerDraft
from shared.domain.field_rules import faults_of_missing, faults_of_solutions
from shared.domain.ids import InquiryId, OperationId, OrganizationId, ReferralId
from shared.domain.referral import NO_CONSENT, Consent
from shared.domain.refusals import Fault

MAX_RECIPIENTS = 50
"""In one request, so that all leads fit into one transaction."""
MAX_CONTACTS = 5
"""The customer's contacts in one request: whoever submits it names addresses that we then write to, and the few
people who look for a partner together are fewer than that."""
MAX_ALTERNATIVES = 10
"""How many other partners can be suggested to a customer."""
DEFAULT_ALTERNATIVES = 3

LeadQualification = Literal["Direct", "MarketingQualified", "SalesQualified"]
NotDelivered = Literal["unknownRecipient", "noActiveProfile", "customerSizeNotWanted"]
"""Why a company gets no lead (R6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientDraft:
    """One recipient in a request; `target` is a location of its business profile, None for the best match."""

    organization_id: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InquiryDraft:
    """A request for information, or a qualified lead from Microsoft, as sent; every field may be missing."""

    name: str | None = None
    qualification: LeadQualification = "Direct"
    customer: CustomerDraft = NO_CUSTOMER
    consent: Consent = NO_CONSENT
    notes: str | None = None
    industries: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    solutions: tuple[str | None, ...] = ()
    customer_requested_contact: bool = False
    alternatives: int = DEFAULT_ALTERNATIVES
    recipients: tuple[RecipientDraft, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome for one recipient: the id of its lead, or the reason why it gets none."""

    organization_id: str
    referral_id: ReferralId | None = None
    reason: NotDelivered | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedInquiry:
    """A stored request for information, with the outcome for each recipient in the order sent."""

    id: InquiryId
    organization_id: OrganizationId
    operation_id: OperationId
    at: datetime
    outcomes: tuple[Outcome, ...]


def faults_of_inquiry(draft: InquiryDraft, catalogue: Catalogue) -> tuple[Fault, ...]:
    """All faults of a request. An unknown recipient is an outcome, not a fault (R2)."""
    return (
        *_faults_of_number(draft.customer, catalogue),
        *_faults_of_contacts(draft.customer.team),
        *_faults_of_consent(draft.consent),
        *faults_of_solutions(draft.solutions, catalogue.solutions, "/details/requirements/solutions"),
        *_faults_of_recipients(draft.recipients),
    )


def _faults_of_number(customer: CustomerDraft, catalogue: Catalogue) -> tuple[Fault, ...]:
    """A D-U-N-S number is matched as in a deal (C7).

    Without one, the customer is stored as sent even if several companies have its name: a person who asks for
    information does not know D-U-N-S numbers (R2).
    """
    return match_customer(customer, catalogue.customers).faults if customer.duns else ()


def _faults_of_contacts(team: tuple[ContactDraft, ...]) -> Iterator[Fault]:
    """A request has at least one contact to answer; its phone number is optional."""
    at = "/customerProfile/team"
    if not team:
        yield Fault("required", at, "Name a contact of the customer, whom the companies can answer.")
    if len(team) > MAX_CONTACTS:
        yield Fault("tooLong", at, f"Name at most {MAX_CONTACTS} contacts of the customer.")
    for index, contact in enumerate(team):
        required = {
            f"{at}/{index}/firstName": contact.first_name,
            f"{at}/{index}/lastName": contact.last_name,
            f"{at}/{index}/email": contact.email,
        }
        yield from faults_of_missing(required, "The customer's contact needs this.")


def _faults_of_consent(consent: Consent) -> Iterator[Fault]:
    if not consent.share_contact:
        at = "/consent/consentToToShareInfoWithOthers"
        message = "A request is sent only with the customer's consent to share its contact: set it to true."
        yield Fault("required", at, message)


def _faults_of_recipients(recipients: tuple[RecipientDraft, ...]) -> Iterator[Fault]:
    if len(recipients) > MAX_RECIPIENTS:
        yield Fault("tooLong", "/recipients", f"Address at most {MAX_RECIPIENTS} companies in one request.")
        return
    seen: set[RecipientDraft] = set()
    for index, recipient in enumerate(recipients):
        if recipient in seen:
            message = "Remove this: the same company and location are already in the list."
            yield Fault("notAllowed", f"/recipients/{index}", message)
        seen.add(recipient)
