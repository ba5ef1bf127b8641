"""Read a referral and its timeline, and mark it as a favorite (rules V, L9, N2)."""

from api.common.access import REFERRAL_ROUTE, visible_referral, visible_with_favorite
from api.common.catalogue import is_co_sell_ready
from api.common.eligibility import load_eligibility
from api.http.etags import etag_of, matches_if_none_match
from api.http.operation import operation
from api.http.paging import PAGING, page, place_of, top_of
from api.http.request import Request
from api.http.response import Response
from api.referrals.mapping import NO_REGISTRATION, RegistrationContext, referral_view, timeline_entry
from api.referrals.schemas import ReferralView, TimelinePage
from shared.domain.actions import allowed_actions
from shared.domain.conversation import unread_messages
from shared.domain.eligibility import may_become_registrable, may_show_eligible, registrable
from shared.domain.ids import RegistrationId
from shared.domain.permissions import may_write_registrations
from shared.domain.referral import Referral
from shared.domain.registration import Registration


@operation("GET", REFERRAL_ROUTE, returns={200: ReferralView, 304: None}, headers=("If-None-Match",))
async def get_referral(request: Request) -> Response:
    """Get a referral, with its ETag.

    304 if `If-None-Match` names the current version.
    """
    referral, favorite = await visible_with_favorite(request)
    etag = etag_of(referral.version)
    if matches_if_none_match(request, etag) and not may_become_registrable(referral):
        return Response(status=304, headers={"ETag": etag})
    return await referral_response(request, referral, favorite=favorite)


@operation("GET", f"{REFERRAL_ROUTE}/timeline", query=PAGING, returns=TimelinePage)
async def list_timeline(request: Request) -> Response:
    """List the timeline entries of a referral, oldest first (L9)."""
    top, place = top_of(request), place_of(request, r"\d{1,6}")
    referral = await visible_referral(request)
    entries = await request.service.referrals.entries(referral.key, int(place or 0), top + 1)
    views = [timeline_entry(entry, request.caller) for entry in entries[:top]]
    more = str(entries[top - 1].sequence) if len(entries) > top else None
    return Response(body=page(request, views, more))


@operation("PUT", f"{REFERRAL_ROUTE}/favorite", returns={204: None})
async def add_favorite(request: Request) -> Response:
    """Mark a referral as a favorite of the caller.

    Marking it again has no effect (N2).
    """
    referral = await visible_referral(request)
    await request.service.referrals.mark_favorite(request.caller.member, referral.key)
    return Response(status=204)


@operation("DELETE", f"{REFERRAL_ROUTE}/favorite", returns={204: None})
async def remove_favorite(request: Request) -> Response:
    """Remove a referral from the caller's favorites (N2)."""
    referral = await visible_referral(request)
    await request.service.referrals.unmark_favorite(request.caller.member, referral.key)
    return Response(status=204)


async def referral_response(request: Request, referral: Referral, favorite: bool | None = None) -> Response:
    """The response with a referral and its ETag. `favorite` is read unless it is known."""
    if favorite is None:
        favorite = await request.service.referrals.is_favorite(request.caller.member, referral.key)
    current = await request.service.invitations.with_current_invitations(referral)
    registration = await _registration_context(request, current)
    view = referral_view(
        current,
        request.now,
        favorite=favorite,
        unread=await _unread(request, referral),
        registration=registration,
        co_sell_ready=await co_sell_ready_for(request, current),
    )
    return Response(body=view, headers={"ETag": etag_of(referral.version)})


async def _unread(request: Request, deal: Referral) -> int:
    """How many messages the caller has not read (N8); nothing is read if there is no message."""
    if not deal.last_message:
        return 0
    mark = await request.service.referrals.read_mark(request.caller.member, deal.key)
    return unread_messages(deal, mark)


async def co_sell_ready_for(request: Request, deal: Referral) -> bool | None:
    """Whether the caller's organization is co-sell ready, read only if a deal could then invite Microsoft (T3)."""
    if "inviteMicrosoft" not in allowed_actions(deal, request.now, co_sell_ready=True):
        return None
    named = await request.service.directory.solutions(each.id for each in deal.terms.solutions)
    return await is_co_sell_ready(request, named.values())


async def _registration_context(request: Request, deal: Referral) -> RegistrationContext:
    """What the view shows of a deal's registration; read only for won deals that can be registered (G2)."""
    if deal.substatus != "Won" or not registrable(deal) or request.caller.organization.kind != "partner":
        return NO_REGISTRATION
    return RegistrationContext(
        eligible=may_show_eligible(deal) and (await load_eligibility(request, deal)).eligible,
        allowed=may_write_registrations(request.caller),
        found=await _found(request, deal),
    )


async def _found(request: Request, deal: Referral) -> dict[RegistrationId, Registration]:
    """A deal's registrations by id (G6); not read if none can have errors or a reason."""
    if not any(each.status in {"Draft", "ActionRequired", "Rejected"} for each in deal.registrations):
        return {}
    found = await request.service.registrations.list_for_deal(deal.key)
    return {registration.id: registration for registration in found}
