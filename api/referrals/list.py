"""List the caller's referrals with OData options: `GET /v1.0/engagements/referrals` (rules N, V4)."""

from collections.abc import Iterable
from typing import Any

from api.common.access import REFERRALS_ROUTE
from api.http.operation import operation
from api.http.paging import PAGING, next_link
from api.http.problems import Forbidden
from api.http.request import Request
from api.http.response import Response
from api.referrals.list_query import ODATA, Query
from api.referrals.list_reading import listing_of
from api.referrals.schemas import ReferralPage
from shared.domain.ids import ReferralId
from shared.domain.permissions import may_use_referrals
from shared.domain.referral import Referral


@operation("GET", REFERRALS_ROUTE, query=(*ODATA, *PAGING), returns=ReferralPage)
async def list_referrals(request: Request) -> Response:
    """List the caller's referrals, or those that `$search` finds, newest first unless `$orderby` says otherwise.

    A page can have fewer items than `$top` although there are more: follow the nextLink until there is none.
    """
    query = Query.of(request)
    if not may_use_referrals(request.caller):
        raise Forbidden("Your roles do not let you read referrals; ask your partner admin.")
    listing = await listing_of(request, query)
    page = await listing.page()
    marks = await _read_marks(request, page.found)
    body: dict[str, Any] = {"@odata.context": _context(request)}
    if query.count:
        body |= await listing.count()
    body["value"] = [listing.item(referral, marks) for referral in page.found]
    if page.place is not None:
        options = {"$skip": str(page.skip or "")}
        body["@odata.nextLink"] = next_link(request, query.token(page.place), options)
    return Response(body=body)


async def _read_marks(request: Request, found: Iterable[Referral]) -> dict[ReferralId, int]:
    """What the caller has read of conversations (N8); nothing is read if there is no message in any of the deals."""
    if not any(each.last_message for each in found):
        return {}
    return await request.service.referrals.read_marks(request.caller.member)


def _context(request: Request) -> str:
    return request.link("/v1.0/$metadata#referrals")
