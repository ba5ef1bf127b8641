"""Reading a referral, its timeline, and one's own mark on it (rules V, L9, N2)."""

from api.common.access import visible_referral
from api.common.eligibility import eligibility_of
from api.http.etags import etag_of, is_known
from api.http.operation import SEEING, operation
from api.http.paging import PAGING, page, place_of, top_of
from api.http.problems import BadQuery
from api.http.request import Request
from api.http.response import Response
from api.referrals.mapping import NOT_REGISTERING, RegistrationContext, resource, timeline_entry
from api.referrals.schemas import ReferralView, TimelinePage
from shared.domain.eligibility import may_become_registrable, may_show_eligible, registrable
from shared.domain.ids import RegistrationId
from shared.domain.permissions import may_write_registrations
from shared.domain.referral import Referral
from shared.domain.registration import FieldError

ONE = "v1.0/engagements/referrals/{id}"


@operation("GET", ONE, returns={200: ReferralView, 304: None}, errors=SEEING, headers=("If-None-Match",))
async def get_referral(request: Request) -> Response:
    """One referral, with its ETag; 304 when If-None-Match names it."""
    referral = await visible_referral(request)
    etag = etag_of(referral.version)
    if is_known(request, etag) and not may_become_registrable(referral):
        return Response(status=304, headers={"ETag": etag})
    return await referral_response(request, referral)


@operation("GET", f"{ONE}/timeline", query=PAGING, returns=TimelinePage, errors=(400, *SEEING))
async def list_timeline(request: Request) -> Response:
    """What happened to a referral, oldest first, in pages (L9)."""
    top, place = top_of(request), place_of(request)
    if place is not None and not (place.isdecimal() and len(place) < 7):
        raise BadQuery("$skiptoken is not one of ours: follow the nextLink as it is.")
    referral = await visible_referral(request)
    entries = await request.service.referrals.entries(referral.key, int(place or 0), top + 1)
    lines = [timeline_entry(entry, request.caller).document() for entry in entries[:top]]
    more = str(entries[top - 1].sequence) if len(entries) > top else None
    return Response(body=page(request, lines, more))


@operation("PUT", f"{ONE}/favorite", returns={204: None}, errors=SEEING)
async def add_favorite(request: Request) -> Response:
    """Mark a referral for oneself; twice is the same as once (N2)."""
    referral = await visible_referral(request)
    await request.service.referrals.mark_favorite(request.caller.person, referral.key)
    return Response(status=204)


@operation("DELETE", f"{ONE}/favorite", returns={204: None}, errors=SEEING)
async def remove_favorite(request: Request) -> Response:
    """Remove one's own mark from a referral (N2)."""
    referral = await visible_referral(request)
    await request.service.referrals.unmark_favorite(request.caller.person, referral.key)
    return Response(status=204)


async def referral_response(request: Request, referral: Referral) -> Response:
    """A referral as its answer, with its ETag."""
    favorite = await request.service.referrals.is_favorite(request.caller.person, referral.key)
    current = await request.service.invitations.brought_up_to_date(referral)
    registration = await _registration_context(request, current)
    view = resource(current, request.now, favorite=favorite, registration=registration)
    return Response(body=view, headers={"ETag": etag_of(referral.version)})


async def _registration_context(request: Request, deal: Referral) -> RegistrationContext:
    """What the caller is shown of a deal's registration; only a won deal that can be registered needs a look (G2)."""
    if deal.substatus != "Won" or not registrable(deal) or request.caller.organization.kind != "partner":
        return NOT_REGISTERING
    return RegistrationContext(
        eligible=may_show_eligible(deal) and (await eligibility_of(request, deal)).eligible,
        allowed=may_write_registrations(request.caller),
        errors=await _errors_of(request, deal),
    )


async def _errors_of(request: Request, deal: Referral) -> dict[RegistrationId, tuple[FieldError, ...]]:
    """What is to be corrected in the registrations of a deal (G6); most have none, so that nothing is read."""
    if not any(registration.status in {"Draft", "ActionRequired"} for registration in deal.registrations):
        return {}
    found = await request.service.registrations.list_for_deal(deal.key)
    return {registration.id: registration.errors for registration in found}
