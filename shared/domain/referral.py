"""The referral record and its parts. docs/glossary.md defines the terms."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.domain.ids import (
    EngagementId,
    InquiryId,
    LocationId,
    OrganizationId,
    ReferralId,
    RegistrationId,
)
from shared.domain.vocabulary import (
    IP_INCENTIVES,
    NO_HELP,
    CustomerSize,
    DealType,
    Direction,
    HelpCode,
    Qualification,
    RegistrationKind,
    RegistrationStatus,
    SalesStage,
    Sharing,
    SolutionKind,
    Status,
    Substatus,
    TargetType,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A person on a team: an employee of a company, or a contact of the customer."""

    first_name: str
    last_name: str
    phone_number: str
    email: str
    title: str | None = None
    locale: str | None = None
    disable_notifications: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address; `country` is ISO 3166-1 alpha-2."""

    address_line1: str | None = None
    address_line2: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str
    region: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileId:
    """An identifier of a company in another system, such as a D-U-N-S number."""

    profile_type: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """The customer of a deal; `team` are its contacts."""

    name: str
    address: Address
    size: CustomerSize | None = None
    ids: tuple[ProfileId, ...] = ()
    team: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """The customer's consent, as declared by the deal's creator; `microsoft_may_view` is Q2."""

    share_contact: bool = False
    contact: bool = False
    microsoft_may_view: bool = False


NO_CONSENT = Consent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A solution of a deal, copied from the catalogue when it was chosen. `kind` follows from its owner (T6)."""

    id: str
    name: str
    kind: SolutionKind
    incentives: tuple[str, ...] = ()

    @property
    def has_ip_incentive(self) -> bool:
        """Whether deals with this solution can be registered for an IP incentive (G1)."""
        return not IP_INCENTIVES.isdisjoint(self.incentives)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The addressee of a referral: a location of a business profile, or Microsoft (`msft`)."""

    type: TargetType
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms that can differ between parties: value (at most 2 decimals), currency (ISO 4217), date, solutions.

    Value, currency and close date of a lead are None until it is accepted.
    """

    deal_value: Decimal | None
    currency: str | None
    closing_at: datetime | None
    solutions: tuple[Solution, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteContext:
    """Why and by whom an organization was invited; on the creator's own referral, the answer to Q1."""

    notes: str | None = None
    help_code: HelpCode = NO_HELP
    invited_by: OrganizationId | None = None
    invited_by_name: str | None = None
    team: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralKey:
    """Identifies a referral: the organization that owns it, and its id."""

    organization_id: OrganizationId
    referral_id: ReferralId


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitedParty:
    """An invited party on the creator's referral, with the last state that the creator knows (L7).

    It can lag seconds behind the invitee's own referral, which is authoritative.
    """

    party: ReferralKey
    organization_name: str
    substatus: Substatus = "Pending"
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedTeam:
    """The team of Microsoft's sellers that an invitation was routed to; `rule` is None for the default team (P3)."""

    team: str
    team_name: str
    rule: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """The request for information that a lead comes from (R2); hidden from the recipients.

    `recipients` are all organizations that it was sent to, delivered or not. `alternatives` is the maximum number of
    other partners to suggest to the customer. `first` is the customer's first request, if this one was made of it by
    a link (R8).
    """

    id: InquiryId
    recipients: tuple[OrganizationId, ...]
    alternatives: int
    first: InquiryId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationSummary:
    """A registration as its deal shows it (G6)."""

    id: RegistrationId
    kind: RegistrationKind
    solution_id: str
    status: RegistrationStatus

    @property
    def in_review(self) -> bool:
        """Whether it waits for the reviewers or the partner, so that reminders or escalations can become due (G7)."""
        return self.status in {"ReviewPending", "ActionRequired"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReason:
    """Why a referral was closed: a code, and notes by the person who closed it."""

    code: str
    notes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """One organization's own record of a deal or lead.

    `creator` is the referral of the organization that created the deal; only there `invited` is filled, oldest first.
    A lead is its own creator, and keeps `inquiry` after it is converted into a deal.
    `asked` are the contacts of the profile location that a new inbound referral was sent to (M1), at most
    `MAX_PROFILE_CONTACTS`; None on an organization's own deal, and on referrals that arrived before they were kept.
    `contacted_at` is when somebody said that the lead's customer was reached (R5).
    `last_message` is the sequence of the latest message of the deal that its reader was shown, 0 without any.
    `eligible_at` is when a won deal became eligible for registration (M12); None of deals won before that was kept.
    `version` is the ETag; it counts the changes by people and the expiry. `sequence` is that of the last timeline
    entry. All times are aware, UTC.
    """

    id: ReferralId
    engagement_id: EngagementId
    organization_id: OrganizationId
    organization_name: str
    creator: ReferralKey
    name: str
    external_reference_id: str | None = None
    campaign_id: str | None = None
    location: LocationId | None
    target: tuple[Target, ...] = ()
    direction: Direction
    sharing: Sharing
    qualification: Qualification = "None"
    deal_type: DealType
    status: Status
    substatus: Substatus
    status_reason: StatusReason | None = None
    sales_stage: SalesStage | None = None
    customer: Customer
    consent: Consent
    terms: Terms
    notes: str | None = None
    industries: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    customer_requested_contact: bool = False
    team: tuple[Contact, ...] = ()
    asked: tuple[Contact, ...] | None = None
    invite_context: InviteContext = InviteContext()
    invited: tuple[InvitedParty, ...] = ()
    routed: RoutedTeam | None = None
    inquiry: Inquiry | None = None
    registrations: tuple[RegistrationSummary, ...] = ()
    created_at: datetime
    updated_at: datetime
    accepted_at: datetime | None = None
    contacted_at: datetime | None = None
    closed_at: datetime | None = None
    expires_at: datetime | None = None
    last_message: int = 0
    eligible_at: datetime | None = None
    version: int = 1
    sequence: int = 1

    @property
    def key(self) -> ReferralKey:
        """The key of this referral."""
        return ReferralKey(organization_id=self.organization_id, referral_id=self.id)

    @property
    def belongs_to_creator(self) -> bool:
        """Whether this is the referral of the organization that created the deal."""
        return self.id == self.creator.referral_id

    @property
    def is_lead(self) -> bool:
        """Whether this is a lead that has not been converted into a deal (R7)."""
        return self.deal_type == "Lead"

    @property
    def invited_keys(self) -> tuple[ReferralKey, ...]:
        """The keys of the referrals that this organization invited."""
        return tuple(invitation.party for invitation in self.invited)

    @property
    def is_closed(self) -> bool:
        """Whether the referral is in a terminal state (L5)."""
        return self.status == "Closed"

    @property
    def state(self) -> str:
        """Status and substatus, such as `Closed/Won`, as timeline entries show them."""
        return f"{self.status}/{self.substatus}"
