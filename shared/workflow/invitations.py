"""Deliver a deal's invitations: each becomes a referral in its invitee's partition. Also withdraw them.

The deal and its invitations are stored in one transaction of the creator's, after which they will be delivered. The
handler delivers them at once and the creator's orchestration again; that is safe because an invitee's referral is
only inserted.
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from shared.domain.change import Change, CommandContext
from shared.domain.creation import receive_invitation
from shared.domain.ids import ReferralId, derived_operation
from shared.domain.lifecycle import SYSTEM_ACTOR, update_invited_party, withdraw
from shared.domain.referral import Referral, ReferralKey
from shared.domain.vocabulary import MICROSOFT
from shared.errors import StoreUnavailable
from shared.storage.engagements import Engagements
from shared.storage.referrals import Referrals
from shared.workflow.commit import Commits

logger = logging.getLogger(__name__)


class Invitations:
    """Delivers and withdraws the invitations of deals."""

    def __init__(self, referrals: Referrals, engagements: Engagements, commits: Commits) -> None:
        self._referrals = referrals
        self._engagements = engagements
        self._commits = commits

    async def deliver(self, deal: Referral, invitations: Sequence[Referral], now: datetime) -> None:
        """Create the invitees' referrals. Raises `StoreUnavailable` if one could not be created; then repeat it.

        Membership is written first, so that those who see the referral also see its engagement.
        """
        await self._engagements.join(deal, list(invitations))
        await complete_all(self._deliver(invitation, deal, now) for invitation in invitations)

    async def send_or_leave_to_work(
        self, deal: Referral, invitations: Sequence[Referral], now: datetime
    ) -> None:
        """As `deliver`; if storage fails, the orchestration delivers them later."""
        try:
            await self.deliver(deal, invitations, now)
        except StoreUnavailable:
            logger.warning("invitations_pending referral=%s: the orchestration will deliver them", deal.id)

    async def delivered(self, invitations: Sequence[Referral]) -> dict[ReferralId, Referral]:
        """The invitees' current referrals of those invitations that are delivered, by id."""
        found = await self._referrals.get_many(invitation.key for invitation in invitations)
        return {referral.id: referral for referral in found}

    async def with_current_invitations(
        self, deal: Referral, organizations: Iterable[str] = (MICROSOFT,)
    ) -> Referral:
        """A deal whose `invited` is current for these organizations: read from the invitees' own referrals (T3)."""
        wanted = set(organizations)
        parties = [i.party for i in deal.invited if i.party.organization_id in wanted]
        found = {referral.key: referral for referral in await self._referrals.get_many(parties)}
        invited = tuple(
            update_invited_party(each, found[each.party]) if each.party in found else each
            for each in deal.invited
        )
        return replace(deal, invited=invited)

    async def withdraw(self, invitee: ReferralKey, deal: Referral, now: datetime) -> Change | None:
        """Close a delivered invitation that is still New (L8); None if it was answered before (L7)."""
        context = CommandContext(actor=replace(SYSTEM_ACTOR, organization_id=deal.organization_id), now=now)

        async def decide(referral: Referral, context: CommandContext) -> Change | None:
            return withdraw(referral, context) if referral.status == "New" else None

        return await self._commits.step(invitee, context, decide)

    async def _deliver(self, invitation: Referral, deal: Referral, now: datetime) -> None:
        context = CommandContext(
            actor=SYSTEM_ACTOR, now=now, operation_id=derived_operation("invite", invitation.id)
        )
        await self._commits.insert_record_once(receive_invitation(invitation, deal, context), now)


async def complete_all(calls: Iterable[Awaitable[object]]) -> None:
    """Await all calls, even if some fail; then raise the first failure, if there is one."""
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
