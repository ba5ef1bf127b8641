"""Showing partner-led deals to Microsoft's sellers, and no longer once Microsoft is invited (V2, V3).

Whoever lists them looks at the deal itself again, so a row that comes late or stays too long shows nothing wrong.
"""

import logging
from dataclasses import dataclass

from shared.domain.referral import Referral
from shared.errors import StoreUnavailable
from shared.storage.referrals import Referrals

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Visibility:
    """Keeps the sellers' list of partner-led deals. Raises `StoreUnavailable`; to be repeated freely."""

    referrals: Referrals

    async def follow(self, deal: Referral) -> None:
        """List a deal, or not, as its creator's record says now."""
        if deal.deal_type == "PartnerLed":
            await self.referrals.add_partner_led(deal.key)
        else:
            await self.referrals.remove_partner_led(deal.key)

    async def follow_or_leave_to_work(self, deal: Referral) -> None:
        """`follow` at once; what storage refuses now, the orchestration does later."""
        try:
            await self.follow(deal)
        except StoreUnavailable:
            logger.warning("visibility_pending referral=%s: the orchestration will follow", deal.id)
