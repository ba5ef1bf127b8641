"""Whether a deal can be registered, as it is now (G1)."""

from api.http.request import Request
from shared.domain.eligibility import Eligibility, eligibility, microsoft_participation
from shared.domain.referral import Referral


async def eligibility_of(request: Request, deal: Referral) -> Eligibility:
    """The conditions of a deal; Microsoft's answer is read from the creator's record, where it was given."""
    creator = deal
    if not deal.belongs_to_creator:
        stored = await request.service.referrals.get(deal.creator)
        creator = stored.value if stored else deal
    current = await request.service.invitations.brought_up_to_date(creator)
    return eligibility(deal, microsoft_participation(deal, current))
