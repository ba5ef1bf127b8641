"""Deliver a deal's invitations: each becomes a referral in its invitee's partition. Also withdraw them.

The deal and its invitations are stored in one transaction of the creator's, after which they will be delivered: by
the handler at once, or else by the work of that step. Delivering twice is safe because an invitee's referral is only
inserted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.change import Change, CommandContext
from shared.domain.ids import ReferralId
from shared.domain.lifecycle import SYSTEM_ACTOR, expire, is_overdue, update_invited_party, withdraw
from shared.domain.referral import Referral, ReferralKey
from shared.domain.vocabulary import MICROSOFT
from shared.storage.engagements import Engagements
from shared.storage.known_referrals import KnownReferrals
from shared.storage.referrals import Referrals
from shared.workflow.announce import Announcements, announced_step
from shared.workflow.arrivals import arrival_of_invitation
from shared.workflow.commit import Commits, Committed


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitations:
    """Delivers and withdraws the invitations of deals."""

    referrals: Referrals
    engagements: Engagements
    announcements: Announcements
    commits: Commits

    async def deliver_new(self, step: Change, now: datetime) -> list[Committed]:
        """Create the invitees' referrals right after the step that invites them, which has announced them at `now`.

        Raises `StoreUnavailable` if one could not be created; `deliver` then creates it later.
        """
        arrivals = (arrival_of_invitation(each, step.after, now) for each in step.invitations)
        return await self.commits.insert_once([announced_step(arrival, now) for arrival in arrivals])

    async def deliver(
        self, deal: Referral, invitations: Sequence[Referral], now: datetime
    ) -> list[Committed]:
        """Create the invitees' referrals that do not exist yet; returns those.

        Raises `StoreUnavailable` if one could not be created; then repeat it. Membership is written first, so that
        those who see the referral also see its engagement.
        """
        delivered = await self.delivered(invitations)
        missing = [each for each in invitations if each.id not in delivered]
        if not missing:
            return []
        await self.engagements.join(deal, invitations)
        arrivals = [arrival_of_invitation(each, deal, now) for each in missing]
        return await self.commits.insert_once(await self.announcements.announce_all(arrivals, now))

    async def delivered(self, invitations: Sequence[Referral]) -> dict[ReferralId, Referral]:
        """The invitees' current referrals of those invitations that are delivered, by id."""
        found = await self.referrals.get_many(invitation.key for invitation in invitations)
        return {referral.id: referral for referral in found}

    async def with_current_invitations(
        self, deal: Referral, organizations: Iterable[str] = (MICROSOFT,)
    ) -> Referral:
        """A deal whose `invited` is current for these organizations: read from the invitees' own referrals (T3)."""
        wanted = set(organizations)
        parties = [i.party for i in deal.invited if i.party.organization_id in wanted]
        found = {referral.key: referral for referral in await self.referrals.get_many(parties)}
        invited = tuple(
            update_invited_party(each, found[each.party]) if each.party in found else each
            for each in deal.invited
        )
        return replace(deal, invited=invited)

    async def withdraw(
        self, invitee: ReferralKey, deal: Referral, now: datetime, known: KnownReferrals
    ) -> Committed | None:
        """Close a delivered invitation that is still New (L8); None if it was answered before (L7).

        One whose deadline has passed expires instead, as it would have if somebody had looked before (L4).
        """
        context = CommandContext(actor=replace(SYSTEM_ACTOR, organization_id=deal.organization_id), now=now)

        async def decide(referral: Referral, context: CommandContext) -> Change | None:
            if is_overdue(referral, context.now):
                return expire(referral, context)
            return withdraw(referral, context) if referral.status == "New" else None

        return await self.commits.step(invitee, context, decide, known=known)
