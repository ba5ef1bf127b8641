"""The kinds of mails and the facts that they show (rules M1 to M4, M7, M9).

Templates can only show these facts. Fields that a rule keeps private (CRM id, campaign id, an organization's own
notes) are not among them, so no template can leak them (M7).
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, get_args

PartnerMailKind = Literal[
    "invited",
    "reminder",
    "accepted",
    "declined",
    "expired",
    "withdrawn",
    "won",
    "lost",
    "newMessages",
    "registrationEligible",
    "leadReceived",
    "hotLead",
    "leadReminder",
    "registrationSubmitted",
    "registrationEscalated",
    "actionRequired",
    "actionReminder",
    "registrationApproved",
    "registrationRejected",
]
"""Mails to the people of a partner or of Microsoft."""
CustomerOutcome = Literal["customerDeclined", "customerExpired"]
"""What became of a customer's request at one company."""
CustomerMailKind = Literal[CustomerOutcome, "customerSummary"]
"""Mails to a customer; `customerSummary` tells several outcomes at once (M9)."""
MailKind = Literal[PartnerMailKind, CustomerMailKind]
PARTNER_MAILS: frozenset[PartnerMailKind] = frozenset(get_args(PartnerMailKind))
CUSTOMER_OUTCOMES: frozenset[CustomerOutcome] = frozenset(get_args(CustomerOutcome))
CUSTOMER_MAILS: frozenset[MailKind] = frozenset({*CUSTOMER_OUTCOMES, "customerSummary"})
"""Their facts are `CustomerFacts` and `CustomerSummaryFacts`: nothing that anybody typed (M7)."""
REVIEWER_MAILS: frozenset[PartnerMailKind] = frozenset({"registrationSubmitted", "registrationEscalated"})
"""Mails to Microsoft's deal review team."""
REGISTRATION_MAILS: frozenset[PartnerMailKind] = REVIEWER_MAILS | frozenset(
    {"actionRequired", "actionReminder", "registrationApproved", "registrationRejected"}
)
"""Mails about a registration."""
LEAD_MAILS: frozenset[PartnerMailKind] = frozenset({"leadReceived", "hotLead", "leadReminder"})
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
    """The facts of one mail to the people of a partner or of Microsoft.

    - `actor_organization`: the display name of the inviter for invited, reminder and withdrawn, of the creator for
      won and lost, of the answering party for accepted, declined and expired.
    - `reason` and `help_code`: codes of the API, shown as words. `notes`: those written for the reader.
    - `expires_at` is UTC. `link`: the URL of the portal page of the reader's own referral.
    - For an acceptance: `team`, the people of the accepting party; for an invitation, those of the inviter.
    - For a lead and an invitation: `contacts` of the customer, if they may be shared. For a lead: `needs` (what it
      asks for).
    - For a registration: value and currency of the contract.
    - `last_reminder`: for a reminder, that no other one follows (M3, M12). `reminder`: for a deal that can be
      registered, that the team was told so before.
    - `never_notified`: for an expiry, that no mail had notified the acting organization of the invitation (M8).
    """

    kind: PartnerMailKind
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
    team: tuple[PersonFact, ...] = ()
    contacts: tuple[PersonFact, ...] = ()
    needs: tuple[str, ...] = ()
    never_notified: bool = False
    last_reminder: bool = False
    reminder: bool = False
    registration: RegistrationFacts | None = None
    link: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeFact:
    """What became of a customer's request at one company, whose name is from the directory.

    `requested_on` is the day (UTC) of the request, or of the day on which Microsoft passed the customer on.
    """

    outcome: CustomerOutcome
    company: str
    requested_on: date
    from_microsoft: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFacts:
    """The facts of a mail to a customer, none of which anybody typed into a request or an answer (M7).

    Whoever submits a request names the customer's addresses. So the mail to them is the service's own words, a date,
    and names of companies from the directory; else it would carry a stranger's sentence to any mailbox.
    `alternatives` are other partners to suggest. `link`: a page about this request, if there is one.
    """

    fact: OutcomeFact
    alternatives: tuple[str, ...] = ()
    link: str | None = None

    @property
    def kind(self) -> CustomerMailKind:
        """The kind of the mail."""
        return self.fact.outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerSummaryFacts:
    """The facts of the mail that tells a customer what other mails of the day before would have told (M9)."""

    facts: tuple[OutcomeFact, ...]
    link: str | None = None

    @property
    def kind(self) -> CustomerMailKind:
        """The kind of the mail."""
        return "customerSummary"


AnyFacts = MailFacts | CustomerFacts | CustomerSummaryFacts
