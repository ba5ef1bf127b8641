"""Rolling a deal's invitations forward: each becomes a referral in its invitee's partition.

The deal is decided in one transaction of the creator's; from then on the invitations exist or will. The handler
rolls them forward at once, the creator's orchestration does it again, and neither harms the other: an invitee's
referral is inserted only, so already there is done.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from shared.domain.change import Change, CommandContext
from shared.domain.creation import receive_invitation
from shared.domain.ids import ReferralId, derived_operation
from shared.domain.lifecycle import BY_THE_CLOCK, heard_of, withdraw
from shared.domain.referral import Referral, ReferralKey
from shared.domain.vocabulary import MICROSOFT
from shared.errors import StoreUnavailable
from shared.storage.engagements import Engagements
from shared.storage.referrals import Referrals
from shared.workflow.commit import Commits

logger = logging.getLogger(__name__)


class Invitations:
    """Sends and withdraws the invitations of deals."""

    def __init__(self, referrals: Referrals, engagements: Engagements, commits: Commits) -> None:
        self._referrals = referrals
        self._engagements = engagements
        self._commits = commits

    async def roll_forward(self, deal: Referral, invitations: Sequence[Referral], now: datetime) -> None:
        """Bring the invitees' referrals into being. Raises `StoreUnavailable` if one could not be; repeat then.

        Membership is written first: who sees its referral sees its engagement.
        """
        await self._engagements.join(deal, list(invitations))
        outcomes = await asyncio.gather(
            *(self._deliver(invitation, deal, now) for invitation in invitations), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def send_or_leave_to_work(
        self, deal: Referral, invitations: Sequence[Referral], now: datetime
    ) -> None:
        """Roll forward at once; what storage refuses now, the orchestration sends later."""
        try:
            await self.roll_forward(deal, invitations, now)
        except StoreUnavailable:
            logger.warning("invitations_pending referral=%s: the orchestration will send them", deal.id)

    async def delivered(self, invitations: Sequence[Referral]) -> dict[ReferralId, Referral]:
        """Those of these invitations that their invitees have, as they are there now."""
        found = await self._referrals.several(invitation.key for invitation in invitations)
        return {referral.id: referral for referral in found}

    async def with_current_invitations(
        self, deal: Referral, organizations: Iterable[str] = (MICROSOFT,)
    ) -> Referral:
        """A deal whose `invited` is true for these organizations: read at the invitees, not only heard of (T3)."""
        wanted = set(organizations)
        parties = [i.party for i in deal.invited if i.party.organization_id in wanted]
        found = {referral.key: referral for referral in await self._referrals.several(parties)}
        invited = tuple(
            heard_of(each, found[each.party]) if each.party in found else each for each in deal.invited
        )
        return replace(deal, invited=invited)

    async def withdraw(self, invitee: ReferralKey, deal: Referral, now: datetime) -> Change | None:
        """Close an invitation that is in and still New (L8); None if it was answered first, which stands (L7)."""
        context = CommandContext(actor=replace(BY_THE_CLOCK, organization_id=deal.organization_id), now=now)

        async def decide(referral: Referral, context: CommandContext) -> Change | None:
            return withdraw(referral, context) if referral.status == "New" else None

        return await self._commits.step(invitee, context, decide)

    async def _deliver(self, invitation: Referral, deal: Referral, now: datetime) -> None:
        context = CommandContext(
            actor=BY_THE_CLOCK, now=now, operation_id=derived_operation("invite", invitation.id)
        )
        await self._commits.insert_record_once(receive_invitation(invitation, deal, context), now)
