"""How many referrals the caller has, by tab and state: `GET /v1.0/summary` (N5)."""

from typing import get_args

from api.common.response_parts import Amount
from api.http.operation import operation
from api.http.problems import Forbidden
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from shared.domain.listing import Order
from shared.domain.permissions import access_scope, may_use_referrals
from shared.domain.summary import TabName, TabSummary, tabs_of
from shared.domain.vocabulary import Status, Substatus
from shared.storage.list_ranges import ranges
from shared.storage.referral_lists import MAX_PAGE_ROWS, MAX_PAGES

MAX_COUNTED = MAX_PAGES * MAX_PAGE_ROWS


class StateCountView(View):
    status: Status
    substatus: Substatus
    count: int


class CurrencyValueView(View):
    currency: str
    value: Amount


class TabSummaryView(View):
    """A tab: how many referrals it has, in each state that occurs, and the value won in each currency."""

    tab: TabName
    count: int
    states: list[StateCountView]
    won_value: list[CurrencyValueView]


class SummaryView(View):
    """All tabs. With `countExceeded` there are more referrals than were counted: the latest 5,000."""

    tabs: list[TabSummaryView]
    count_exceeded: bool


@operation("GET", "v1.0/summary", returns=SummaryView)
async def get_summary(request: Request) -> Response:
    """Count the referrals that the caller sees, by tab and state, with the value won by currency.

    It counts the latest 5,000, as `$count` does; `countExceeded` says that there are more.
    """
    caller = request.caller
    if not may_use_referrals(caller):
        raise Forbidden("Your roles do not let you read referrals; ask your partner admin.")
    favorites = await request.service.referrals.favorites(caller.member)
    prefixes = ranges(None, Order(), access_scope(caller), caller.email)
    scan = request.service.referrals.scan(caller.organization.id, prefixes)
    tabs: dict[TabName, TabSummary] = {tab: TabSummary() for tab in get_args(TabName)}
    counted, exceeded = 0, False
    async for referral in scan.records(MAX_PAGE_ROWS):
        if not request.sees(referral):
            continue
        if exceeded := counted == MAX_COUNTED:
            break
        counted += 1
        for tab in tabs_of(referral, favorite=referral.id in favorites):
            tabs[tab].add(referral)
    views = [_tab_view(tab, summary) for tab, summary in tabs.items()]
    return Response(body=SummaryView(tabs=views, count_exceeded=exceeded or not scan.complete))


def _tab_view(tab: TabName, summary: TabSummary) -> TabSummaryView:
    states = sorted(summary.counts.items())
    return TabSummaryView(
        tab=tab,
        count=summary.counts.total(),
        states=[
            StateCountView(status=status, substatus=substatus, count=count)
            for (status, substatus), count in states
        ],
        won_value=[
            CurrencyValueView(currency=currency, value=value)
            for currency, value in sorted(summary.won.items())
        ],
    )
