"""Maintain the list of partner-led deals for Microsoft's sellers; deals leave it once Microsoft is invited (V2, V3).

Reading the list checks each deal again, so a row that is written or removed late shows nothing wrong.
"""

from dataclasses import dataclass

from shared.domain.referral import Referral
from shared.storage.referrals import Referrals


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
