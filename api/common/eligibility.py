"""Determine whether a deal can be registered now (G1)."""

from api.http.request import Request
from shared.domain.eligibility import Eligibility, eligibility, microsoft_participation
from shared.domain.referral import Referral


async def load_eligibility(request: Request, deal: Referral) -> Eligibility:
    """Check the conditions for registering a deal; Microsoft's answer is read through the creator's record."""
    creator = deal
    if not deal.belongs_to_creator:
        stored = await request.service.referrals.get(deal.creator)
        creator = stored.value if stored else deal
    current = await request.service.invitations.with_current_invitations(creator)
    return eligibility(deal, microsoft_participation(deal, current))
