"""The kinds of mails and the facts that they show (rules M1 to M4, M7).

Templates can only show these facts. Fields that a rule keeps private (CRM id, campaign id, an organization's own
notes) are not among them, so no template can leak them (M7).
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

MailKind = Literal[
    "invited",
    "reminder",
    "accepted",
    "declined",
    "expired",
    "withdrawn",
    "won",
    "lost",
    "leadReceived",
    "hotLead",
    "leadReminder",
    "customerDeclined",
    "customerExpired",
    "registrationSubmitted",
    "registrationEscalated",
    "actionRequired",
    "actionReminder",
    "registrationApproved",
    "registrationRejected",
]
CUSTOMER_MAILS: frozenset[MailKind] = frozenset({"customerDeclined", "customerExpired"})
"""Mails to a customer: no link to the portal, and no notes (M7)."""
REVIEWER_MAILS: frozenset[MailKind] = frozenset({"registrationSubmitted", "registrationEscalated"})
"""Mails to Microsoft's deal review team."""
REGISTRATION_MAILS: frozenset[MailKind] = REVIEWER_MAILS | frozenset(
    {"actionRequired", "actionReminder", "registrationApproved", "registrationRejected"}
)
"""Mails about a registration."""
LEAD_MAILS: frozenset[MailKind] = frozenset({"leadReceived", "hotLead", "leadReminder"})
"""Mails to a company about a lead."""
ARRIVAL_MAILS: frozenset[MailKind] = LEAD_MAILS | frozenset({"invited", "reminder"})
"""Mails about a referral to answer: if any of them arrives, the organization was notified (M8)."""
EXPIRY_MAILS: frozenset[MailKind] = frozenset({"expired", "customerExpired"})
"""Mails about an expired referral."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFact:
    """A person to contact; an unknown phone number is empty."""

    first_name: str
    last_name: str
    phone_number: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationFacts:
    """The additional facts of a mail about a registration.

    `submitted_on` is the date of the current round; `round` counts from 1; `reason` is the reviewers' text. `errors`
    are pairs of a field's JSON Pointer and a sentence.
    """

    solution: str
    submitted_on: date | None = None
    round: int = 1
    reason: str | None = None
    errors: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFacts:
    """The facts of one mail.

    - `actor_organization`: the display name of the inviter for invited, reminder and withdrawn, of the creator for
      won and lost, of the answering party for accepted, declined and expired.
    - `reason` and `help_code`: codes of the API, shown as words. `notes`: those written for the reader.
    - `expires_at` is UTC. `link`: the URL of the portal page of the reader's own referral, None for a customer.
    - For a lead: `contacts` of the customer, `needs` (what it asks for), `alternatives` (other partners to suggest).
    - For a registration: value and currency of the contract.
    - `never_notified`: for an expiry, that no mail had notified the acting organization of the invitation (M8).
    """

    kind: MailKind
    deal_name: str
    customer_name: str
    customer_country: str
    actor_organization: str
    recipient_organization: str
    deal_value: Decimal | None = None
    currency: str | None = None
    closing_date: date | None = None
    expires_at: datetime | None = None
    reason: str | None = None
    notes: str | None = None
    solutions: tuple[str, ...] = ()
    help_code: str | None = None
    from_microsoft: bool = False
    contacts: tuple[PersonFact, ...] = ()
    needs: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    never_notified: bool = False
    registration: RegistrationFacts | None = None
    link: str | None
