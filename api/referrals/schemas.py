"""The shapes of what the referral operations answer (docs/api.md). Every field is always present, null or empty."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.common.response_parts import AddressView, ContactView, FieldErrorView, ProfileIdView
from api.http.schemas import Moment, PageView, View
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
    deal_value: int | float | None
    currency: str | None
    closing_date_time: Moment | None
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


class ReferralView(View):
    """The whole resource."""

    id: str
    engagement_id: str
    organization_id: str
    organization_name: str
    name: str
    external_reference_id: str | None
    campaign_id: str | None
    e_tag: Annotated[str, Field(alias="eTag")]
    created_date_time: Moment
    updated_date_time: Moment
    accepted_date_time: Moment | None
    closed_date_time: Moment | None
    expiration_date_time: Moment | None
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
    contact_alert: ContactAlert | None
    response_recommended_by: Moment | None
    allowed_actions: list[str]
    editable_fields: list[str]
    warnings: list[str]
    links: LinksView


class SelectedView(ReferralView):
    """An item of the list: the whole resource, or with `$select` the selected fields alone."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.pop("required"))


class ReferralPage(PageView):
    """A page of the list. Counts are there with `$count=true` alone."""

    context: Annotated[str, Field(alias="@odata.context")]
    value: list[SelectedView]
    count: Annotated[int, Field(alias="@odata.count")] = 0
    count_exceeded: Annotated[bool, Field(alias="@cosell.countExceeded")] = False


class ActorView(View):
    organization_id: str | None
    name: str | None


class EntryView(View):
    """One line of a timeline."""

    sequence: int
    date_time: Moment
    actor: ActorView
    kind: EntryKind
    from_: Annotated[str | None, Field(alias="from")]
    to: str | None
    reason: str | None
    details: dict[str, Any]


class InvitationView(View):
    """What the inviter sees of an invitation at once; `Sending` until storage has taken it."""

    id: str
    engagement_id: str
    organization_id: str
    status: str
    substatus: Substatus | None
    expiration_date_time: Moment | None


class ValidatedView(View):
    """What a creation with `validateOnly=true` would make."""

    valid: Literal[True]
    deal_type: str
    warnings: list[str]


class InvitationsView(View):
    value: list[InvitationView]


class TimelinePage(PageView):
    value: list[EntryView]
