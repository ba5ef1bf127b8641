"""The shapes of what the engagement operations answer (docs/api.md)."""

from typing import Literal

from api.http.schemas import Moment, PageView, View
from api.referrals.schemas import SolutionView
from shared.domain.vocabulary import DealType, SalesStage, Substatus


class EngagementCustomerView(View):
    name: str
    country: str


class PartyContactView(View):
    first_name: str
    last_name: str
    email: str
    phone_number: str


class PartyView(View):
    """One party; an invitation that storage has not taken yet reads `Sending`."""

    organization_id: str
    organization_name: str
    role: Literal["creator", "invited"]
    status: Literal["New", "Active", "Closed", "Sending"]
    substatus: Substatus | None
    status_reason: str | None
    sales_stage: SalesStage | None
    team: list[PartyContactView]


class MessageView(View):
    sequence: int
    date_time: Moment
    organization_id: str
    author: str
    text: str


class DealView(View):
    """What Microsoft's sellers see of a partner-led deal (V3)."""

    name: str
    deal_value: int | float | None
    currency: str | None
    closing_date_time: Moment | None
    sales_stage: SalesStage | None
    solutions: list[SolutionView]


class EngagementView(View):
    """A deal through one's own referral (V1)."""

    id: str
    deal_type: DealType
    customer: EngagementCustomerView
    parties: list[PartyView]
    messages: list[MessageView]


class PartnerLedView(EngagementView):
    """A partner-led deal as every seller of Microsoft's sees it: without contacts of the customer or conversation."""

    deal: DealView


class PartnerLedPage(PageView):
    value: list[PartnerLedView]
