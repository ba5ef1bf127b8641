"""Response models of the referral and engagement operations (docs/api.md). Every field is always present."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.common.response_parts import (
    AddressView,
    Amount,
    ContactView,
    FieldErrorView,
    ProfileIdView,
    WarningView,
)
from api.http.schemas import DateTime, PageView, View
from shared.domain.timeline import EntryKind
from shared.domain.vocabulary import (
    ContactAlert,
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


class CustomerView(View):
    name: str
    address: AddressView
    size: CustomerSize | None
    team: list[ContactView]
    ids: list[ProfileIdView]


class ConsentView(View):
    consent_to_to_share_info_with_others: bool
    consent_to_contact: bool
    consent_to_share_referral_with_microsoft_sellers: bool


class WordView(View):
    id: str


class SolutionView(View):
    id: str
    name: str
    type: SolutionKind


class RequirementsView(View):
    industries: list[WordView]
    products: list[WordView]
    services: list[WordView]
    solutions: list[SolutionView]


class DetailsView(View):
    notes: str | None
    deal_value: Amount
    currency: str | None
    closing_date_time: DateTime | None
    requirements: RequirementsView
    customer_requested_contact: bool


class InviterView(View):
    organization_id: str
    organization_name: str | None
    team: list[ContactView]


class InviteContextView(View):
    notes: str | None
    invited_by: InviterView | None
    assistance_request_code: HelpCode


class TargetView(View):
    type: TargetType
    id: str


class LinkView(View):
    uri: str
    method: str


class LinksView(View):
    related_referrals: LinkView
    self: LinkView


class RegisteredView(View):
    id: str
    kind: RegistrationKind
    status: RegistrationStatus
    closed: bool
    errors: list[FieldErrorView] | None
    reason: str | None


class ReferralView(View):
    """A referral: one organization's record of a deal or lead."""

    id: str
    engagement_id: str
    organization_id: str
    organization_name: str
    name: str
    external_reference_id: str | None
    campaign_id: str | None
    e_tag: Annotated[str, Field(alias="eTag")]
    created_date_time: DateTime
    updated_date_time: DateTime
    accepted_date_time: DateTime | None
    closed_date_time: DateTime | None
    expiration_date_time: DateTime | None
    status: Status
    substatus: Substatus
    status_reason: str | None
    sales_stage: SalesStage | None
    sales_stage_percentage: int | None
    registration_status: RegistrationStatus | Literal["Eligible"] | None
    registrations: list[RegisteredView]
    type: Sharing
    qualification: Qualification
    direction: Direction
    target: list[TargetView]
    customer_profile: CustomerView
    consent: ConsentView
    details: DetailsView
    team: list[ContactView]
    invite_context: InviteContextView
    location: str | None
    mpn_id: str | None
    deal_type: DealType
    seller_team: str | None
    favorite: bool
    unread_messages: int
    contact_alert: ContactAlert | None
    response_recommended_by: DateTime | None
    allowed_actions: list[str]
    editable_fields: list[str]
    warnings: list[WarningView]
    links: LinksView


class SelectedView(ReferralView):
    """An item of the list: the whole referral, or with `$select` the selected fields only."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required"))


class ReferralPage(PageView):
    """A page of the list; the counts are included with `$count=true`."""

    context: Annotated[str, Field(alias="@odata.context")]
    value: list[SelectedView]
    count: Annotated[int, Field(alias="@odata.count")] = 0
    count_exceeded: Annotated[bool, Field(alias="@cosell.countExceeded")] = False


class ActorView(View):
    organization_id: str | None
    name: str | None


class EntryView(View):
    """An entry of a timeline."""

    sequence: int
    date_time: DateTime
    actor: ActorView
    kind: EntryKind
    from_: Annotated[str | None, Field(alias="from")]
    to: str | None
    reason: str | None
    details: dict[str, Any]


class InvitationView(View):
    """What the inviter sees of an invitation; its status is `Sending` until it is delivered."""

    id: str
    engagement_id: str
    organization_id: str
    status: str
    substatus: Substatus | None
    expiration_date_time: DateTime | None


class ValidatedView(View):
    """The result of a creation with `validateOnly=true`, which stores nothing."""

    valid: Literal[True]
    deal_type: str
    warnings: list[WarningView]


class InvitationsView(View):
    value: list[InvitationView]


class TimelinePage(PageView):
    value: list[EntryView]


class EngagementCustomerView(View):
    name: str
    country: str


class PartyContactView(View):
    first_name: str
    last_name: str
    email: str
    phone_number: str


class SentInvitationView(View):
    """What its inviter sent: later changes of the invited party are not in it (C2, C3).

    `invited_by` is the name of the person or application who sent it; null if the timeline's entry is damaged.
    """

    deal_value: Amount
    currency: str | None
    closing_date_time: DateTime | None
    solutions: list[SolutionView]
    notes: str | None
    assistance_request_code: HelpCode
    invited_date_time: DateTime
    invited_by: str | None
    expiration_date_time: DateTime | None


class PartyView(View):
    """A party of a deal; the status of an invitation is `Sending` until it is delivered.

    `invitation` is what the caller sent to this party; null for everybody else.
    """

    organization_id: str
    organization_name: str
    role: Literal["creator", "invited"]
    status: Literal["New", "Active", "Closed", "Sending"]
    substatus: Substatus | None
    status_reason: str | None
    sales_stage: SalesStage | None
    team: list[PartyContactView]
    invitation: SentInvitationView | None


class MessageView(View):
    sequence: int
    date_time: DateTime
    organization_id: str
    author: str
    text: str


class DealView(View):
    """What Microsoft's sellers see of a partner-led deal (V3)."""

    name: str
    deal_value: Amount
    currency: str | None
    closing_date_time: DateTime | None
    sales_stage: SalesStage | None
    solutions: list[SolutionView]


class MessagesPage(PageView):
    value: list[MessageView]


class EngagementView(View):
    """A deal as one of its parties sees it (V1)."""

    id: str
    deal_type: DealType
    customer: EngagementCustomerView
    parties: list[PartyView]
    messages: list[MessageView]


class PartnerLedView(EngagementView):
    """A partner-led deal as Microsoft's sellers see it: without the customer's contacts and without messages."""

    deal: DealView


class PartnerLedPage(PageView):
    value: list[PartnerLedView]
