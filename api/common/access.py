"""Load the referral or engagement that a request names, if the caller may see it (V5, N3)."""

import asyncio

from api.http.problems import NotFound
from api.http.request import Request
from shared.domain.ids import EngagementId, ReferralId, is_uuid
from shared.domain.referral import Referral, ReferralKey
from shared.storage.engagements import Membership

REFERRALS_ROUTE = "v1.0/engagements/referrals"
REFERRAL_ROUTE = f"{REFERRALS_ROUTE}/{{id}}"


def referral_not_found() -> NotFound:
    """The error for a referral that does not exist or that the caller may not see."""
    return NotFound("There is no such referral.")


def engagement_not_found() -> NotFound:
    """The error for an engagement that does not exist or that the caller takes no part in."""
    return NotFound("There is no such engagement.")


async def visible_referral(request: Request) -> Referral:
    """The referral of the route. Raises `NotFound`, also if the caller may not see it."""
    stored = await request.known.read(_key_of_route(request))
    if stored is None or not request.sees(stored.value):
        raise referral_not_found()
    return stored.value


async def visible_with_favorite(request: Request) -> tuple[Referral, bool]:
    """The referral of the route, and whether it is a favorite of the caller, in one round trip. Raises `NotFound`."""
    key = _key_of_route(request)
    referral, favorite = await asyncio.gather(
        visible_referral(request), request.service.referrals.is_favorite(request.caller.member, key)
    )
    return referral, favorite


def _key_of_route(request: Request) -> ReferralKey:
    identifier = request.route_param("id").lower()
    if not is_uuid(identifier):
        raise referral_not_found()
    return ReferralKey(organization_id=request.caller.organization.id, referral_id=ReferralId(identifier))


async def load_membership(request: Request, engagement_id: str) -> Membership:
    """The parties of an engagement. Raises `NotFound`."""
    identifier = engagement_id.lower()
    found = await request.service.engagements.get(EngagementId(identifier)) if is_uuid(identifier) else None
    if found is None:
        raise engagement_not_found()
    return found


async def own_referral(request: Request, membership: Membership) -> Referral | None:
    """The latest referral of the caller's organization in an engagement that the caller may see."""
    return max(await own_referrals(request, membership), key=lambda referral: referral.id, default=None)


async def own_referrals(request: Request, membership: Membership) -> list[Referral]:
    """The referrals of the caller's organization in an engagement that the caller may see, in order of invitation."""
    own = request.caller.organization.id
    keys = [key for key in (membership.creator, *membership.invited) if key.organization_id == own]
    return [each for each in await request.service.referrals.get_many(keys) if request.sees(each)]
