"""What a mail tells: its kind and the facts in it (rules M1 to M4, M7).

The facts name everything that a template may show. A field that a rule keeps private (CRM id, campaign id,
an organization's own notes) does not exist here, so no template can leak it (M7).
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
"""What a customer reads: no link into the portal, and nobody's notes (M7)."""
REVIEWER_MAILS: frozenset[MailKind] = frozenset({"registrationSubmitted", "registrationEscalated"})
"""What Microsoft's deal review team reads."""
REGISTRATION_MAILS: frozenset[MailKind] = REVIEWER_MAILS | frozenset(
    {"actionRequired", "actionReminder", "registrationApproved", "registrationRejected"}
)
"""What tells of a registration."""
LEAD_MAILS: frozenset[MailKind] = frozenset({"leadReceived", "hotLead", "leadReminder"})
"""What a company reads of a lead."""
ARRIVAL_MAILS: frozenset[MailKind] = LEAD_MAILS | frozenset({"invited", "reminder"})
"""What tells a company that it has a referral to answer: whichever of them arrives, it was notified (M8)."""
EXPIRY_MAILS: frozenset[MailKind] = frozenset({"expired", "customerExpired"})
"""What tells that a referral's time to answer is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFact:
    """A person to talk to; a phone number that is not known is empty."""

    first_name: str
    last_name: str
    phone_number: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationFacts:
    """What a mail about a registration tells besides: `errors` are pairs of a field's JSON Pointer and a sentence.

    `submitted_on` is the day of the present round, `round` counts from 1, `reason` is the reviewers' own words.
    """

    solution: str
    submitted_on: date | None = None
    round: int = 1
    reason: str | None = None
    errors: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFacts:
    """The facts of one message.

    `actor_organization` is the display name of whoever acted: the inviter for invited, reminder and withdrawn,
    the creator for won and lost, the answering party for accepted, declined and expired.
    `reason` and `help_code` are wire codes, to be shown as words. `notes` are those written for the reader.
    `expires_at` is UTC. `link` is the absolute address of the portal's page for the reader's own referral; a
    customer has none. Of a lead, `contacts` are the customer's people, `needs` what it asks for, and
    `alternatives` the partners that it may turn to instead. Of a registration, value and currency are the contract's.
    `never_notified` says of an expiry that no mail had told the acting organization of the invitation (M8).
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
    wants_contact: bool = False
    alternatives: tuple[str, ...] = ()
    never_notified: bool = False
    registration: RegistrationFacts | None = None
    link: str | None
