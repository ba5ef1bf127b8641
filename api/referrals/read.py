"""Reading a referral, its timeline, and one's own mark on it (rules V, L9, N2)."""

import azure.durable_functions as df
import azure.functions as func

from api.common.access import shown, visible
from api.http.etags import etag_of, matches, page, place_of, refuse_unknown_options, top_of
from api.http.problems import BadQuery
from api.http.operation import CHANGING, CREATING, SEEING, Option, operation
from api.http.request import Request
from api.http.response import Response
from api.referrals.mapping import timeline_entry
from shared.domain.eligibility import may_become_registrable

ONE = "v1.0/engagements/referrals/{id}"










@operation("GET", ONE, returns={200: ReferralView, 304: None}, errors=SEEING, headers=("If-None-Match",))
async def get_referral(request: Request) -> Response:
    """One referral, with its ETag; 304 when If-None-Match names it."""
    referral = await visible(request)
    etag = etag_of(referral)
    known = request.header("If-None-Match")
    if known and matches(known, etag) and not may_become_registrable(referral):
        return Response(status=304, headers={"ETag": etag})
    return await shown(request, referral)


@operation("GET", f"{ONE}/timeline", query=PAGING, returns=TimelinePage, errors=(400, *SEEING))
async def list_timeline(request: Request) -> Response:
    """What happened to a referral, oldest first, in pages (L9)."""
    refuse_unknown_options(request, frozenset({"$top", "$skiptoken"}))
    top, place = top_of(request), place_of(request)
    if place is not None and not (place.isdecimal() and len(place) < 7):
        raise BadQuery("$skiptoken is not one of ours: follow the nextLink as it is.")
    referral = await visible(request)
    entries = await request.service.referrals.entries(referral.party, int(place or 0), top + 1)
    lines = [timeline_entry(entry, request.caller).document() for entry in entries[:top]]
    more = str(entries[top - 1].sequence) if len(entries) > top else None
    return Response(body=page(request, lines, more))


@operation("PUT", f"{ONE}/favorite", returns={204: None}, errors=SEEING)
async def add_favorite(request: Request) -> Response:
    """Mark a referral for oneself; twice is the same as once (N2)."""
    referral = await visible(request)
    await request.service.referrals.mark_favorite(request.caller.person, referral.party)
    return Response(status=204)


@operation("DELETE", f"{ONE}/favorite", returns={204: None}, errors=SEEING)
async def remove_favorite(request: Request) -> Response:
    """Remove one's own mark from a referral (N2)."""
    referral = await visible(request)
    await request.service.referrals.unmark_favorite(request.caller.person, referral.party)
    return Response(status=204)
