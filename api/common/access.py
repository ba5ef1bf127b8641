"""The referral that a request names, if its caller sees it (V5, N3)."""

from api.http.problems import NotFound
from api.http.request import Request
from shared.domain.ids import EngagementId, ReferralId, is_uuid
from shared.domain.referral import Referral, ReferralKey
from shared.storage.engagements import Membership


def unknown_referral() -> NotFound:
    """How a referral is refused that does not exist, or that the caller does not see."""
    return NotFound("There is no such referral.")


def unknown_engagement() -> NotFound:
    """How an engagement is refused that does not exist, or that the caller has no part in."""
    return NotFound("There is no such engagement.")


async def visible_referral(request: Request) -> Referral:
    """The referral that the route names. Raises `NotFound`, also for one that the caller does not see."""
    identifier = request.in_route("id").lower()
    if not is_uuid(identifier):
        raise unknown_referral()
    key = ReferralKey(organization_id=request.caller.organization.id, referral_id=ReferralId(identifier))
    stored = await request.service.referrals.get(key)
    if stored is None or not request.sees(stored.value):
        raise unknown_referral()
    return stored.value


async def membership_of(request: Request, engagement_id: str) -> Membership:
    """The parties of an engagement. Raises `NotFound`."""
    identifier = engagement_id.lower()
    found = await request.service.engagements.get(EngagementId(identifier)) if is_uuid(identifier) else None
    if found is None:
        raise unknown_engagement()
    return found


async def own_referral(request: Request, membership: Membership) -> Referral | None:
    """The caller's latest referral in an engagement that the caller sees."""
    return max(await own_referrals(request, membership), key=lambda referral: referral.id, default=None)


async def own_referrals(request: Request, membership: Membership) -> list[Referral]:
    """The caller's referrals in an engagement that the caller sees, in the order in which they were invited."""
    own = request.caller.organization.id
    keys = [key for key in (membership.creator, *membership.invited) if key.organization_id == own]
    return [each for each in await request.service.referrals.get_many(keys) if request.sees(each)]
