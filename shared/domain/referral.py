"""The records: a referral and what it is made of. See docs/glossary.md for the words."""

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
    """A person in a team: a company's employee or the customer's contact."""

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
    """A number that identifies a company elsewhere, such as a D-U-N-S number."""

    profile_type: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """The customer of a deal; `team` are its contact persons."""

    name: str
    address: Address
    size: CustomerSize | None = None
    ids: tuple[ProfileId, ...] = ()
    team: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the customer agreed to, as declared by the deal's creator; `microsoft_may_view` is Q2."""

    share_contact: bool = False
    contact: bool = False
    microsoft_may_view: bool = False


NO_CONSENT = Consent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A solution named in a deal, as the catalogue had it then. `kind` follows from its owner (T6)."""

    id: str
    name: str
    kind: SolutionKind
    incentives: tuple[str, ...] = ()

    @property
    def has_ip_incentive(self) -> bool:
        """Whether its deals can be reviewed for an incentive (T7)."""
        return not IP_INCENTIVES.isdisjoint(self.incentives)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom a referral addresses: a business profile's location, or Microsoft (`msft`)."""

    type: TargetType
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What may differ from party to party: value (at most 2 decimals), currency (ISO 4217), close date, solutions.

    A lead has the first three once it was accepted.
    """

    deal_value: Decimal | None
    currency: str | None
    closing_at: datetime | None
    solutions: tuple[Solution, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteContext:
    """Why and by whom an organization was invited; on the creator's own referral its answer to Q1."""

    notes: str | None = None
    help_code: HelpCode = NO_HELP
    invited_by: OrganizationId | None = None
    invited_by_name: str | None = None
    team: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralKey:
    """One organization's part in a deal: where its referral is."""

    organization_id: OrganizationId
    referral_id: ReferralId


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitedParty:
    """An invitation as its deal's creator keeps it: to whom, and what was last heard of it (L7).

    It may lag seconds behind the invitee's own record, which decides.
    """

    party: ReferralKey
    organization_name: str
    substatus: Substatus = "Pending"
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedTeam:
    """The team of Microsoft's sellers that an invitation went to, and by which rule; None: by default (P3)."""

    team: str
    team_name: str
    rule: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """The request that a lead came from (R2). No recipient is shown any of it.

    `recipients` are all whom it asked, reached or not; `alternatives` is how many other partners its customer may be
    offered.
    """

    id: InquiryId
    recipients: tuple[OrganizationId, ...]
    alternatives: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationSummary:
    """A registration as its deal shows it: the milestone, and how far it is (G6)."""

    id: RegistrationId
    kind: RegistrationKind
    solution_id: str
    status: RegistrationStatus

    @property
    def in_review(self) -> bool:
        """Whether reviewers or partner are waited for, so that the clock may ask for something (G7)."""
        return self.status in {"ReviewPending", "ActionRequired"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReason:
    """Why a referral was closed: a code, and the words of whoever closed it."""

    code: str
    notes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """One organization's own record of a deal or of a lead.

    `creator` is where the deal was made and is decided; there `invited` keeps whom it invited, oldest first. A lead
    is nobody else's: its creator is itself. `inquiry` stays with a lead that became a deal.
    `version` counts people's changes and expiry, and is the ETag; `sequence` is that of the last timeline entry.
    All times are aware, UTC.
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
    invite_context: InviteContext = InviteContext()
    invited: tuple[InvitedParty, ...] = ()
    routed: RoutedTeam | None = None
    inquiry: Inquiry | None = None
    registrations: tuple[RegistrationSummary, ...] = ()
    created_at: datetime
    updated_at: datetime
    accepted_at: datetime | None = None
    closed_at: datetime | None = None
    expires_at: datetime | None = None
    version: int = 1
    sequence: int = 1

    @property
    def key(self) -> ReferralKey:
        """Under which this referral is stored."""
        return ReferralKey(organization_id=self.organization_id, referral_id=self.id)

    @property
    def belongs_to_creator(self) -> bool:
        """Whether this is the record of the organization that created the deal."""
        return self.id == self.creator.referral_id

    @property
    def is_lead(self) -> bool:
        """Whether this is a request of a customer's, or a lead of Microsoft's, that nobody made a deal of (R7)."""
        return self.deal_type == "Lead"

    @property
    def others(self) -> tuple[ReferralKey, ...]:
        """The parties that this record's organization invited."""
        return tuple(invitation.party for invitation in self.invited)

    @property
    def is_closed(self) -> bool:
        """Whether the referral is in a terminal state (L5)."""
        return self.status == "Closed"

    @property
    def state(self) -> str:
        """Status and substatus in one word, as timeline entries show them."""
        return f"{self.status}/{self.substatus}"
