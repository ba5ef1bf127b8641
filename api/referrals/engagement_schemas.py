"""Response models of the engagement operations (docs/api.md)."""

from typing import Literal

from api.common.response_parts import Amount
from api.http.schemas import DateTime, PageView, View
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
    """A party of a deal; the status of an invitation is `Sending` until it is delivered."""

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
