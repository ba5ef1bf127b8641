"""Maintain the list of partner-led deals for Microsoft's sellers; deals leave it once Microsoft is invited (V2, V3).

Reading the list checks each deal again, so a row that is written or removed late shows nothing wrong.
"""

import logging
from dataclasses import dataclass

from shared.domain.referral import Referral
from shared.errors import StoreUnavailable
from shared.storage.referrals import Referrals

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Visibility:
    """Maintains the sellers' list of partner-led deals. Idempotent; raises `StoreUnavailable`."""

    referrals: Referrals

    async def follow(self, deal: Referral) -> None:
        """Add a deal to the list or remove it, according to its current type."""
        if deal.deal_type == "PartnerLed":
            await self.referrals.add_partner_led(deal.key)
        else:
            await self.referrals.remove_partner_led(deal.key)

    async def follow_or_leave_to_work(self, deal: Referral) -> None:
        """As `follow`; if storage fails, the orchestration does it later."""
        try:
            await self.follow(deal)
        except StoreUnavailable:
            logger.warning("visibility_pending referral=%s: the orchestration will update it", deal.id)
