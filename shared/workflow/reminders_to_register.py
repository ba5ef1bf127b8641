"""Begin the mails to the teams of won deals that can be registered (M12).

The deal keeps when it became eligible. The first mail is sent by the work that finds it so, and the later ones when
the sweep finds them due, for which the deal is announced before.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.change import Change, touched
from shared.domain.due import reminder_work, reminders_to_register
from shared.domain.eligibility import eligibility, may_be_eligible_once_won, microsoft_participation
from shared.domain.lifecycle import with_party
from shared.domain.referral import Referral, ReferralKey
from shared.domain.vocabulary import MICROSOFT
from shared.errors import StoreConflict
from shared.storage.codec import Stored
from shared.storage.known_referrals import KnownReferrals
from shared.workflow.commit import Commits, Committed
from shared.workflow.invitations import Invitations


@dataclass(frozen=True, slots=True)
class RemindersToRegister:
    """Begins the mails about deals at the time `now`. It can be repeated. Raises `StoreUnavailable`, `Contended`."""

    commits: Commits
    invitations: Invitations
    known: KnownReferrals
    now: datetime

    async def begin(self, own: Referral) -> list[Committed]:
        """Look at a won deal or, after Microsoft's acceptance, at those of the other parties that have won.

        Their own records say whether they have: the creator's can be late. Returns the deals whose first mail is
        still to be sent, with its work.
        """
        creator = await self.known.get(own.creator)
        if creator is None:
            return []
        if own.organization_id == MICROSOFT:
            known = with_party(creator.value, own)
            working = {i.party.organization_id for i in known.invited if i.substatus == "Accepted"}
            current = await self.invitations.with_current_invitations(known, working - {MICROSOFT})
            parties = _parties_that_won(current)
        else:
            current = await self.invitations.with_current_invitations(creator.value)
            parties = [own.key]
        begun = [await self._begin(party, current) for party in parties]
        return [each for each in begun if each]

    async def _begin(self, party: ReferralKey, creator: Referral) -> Committed | None:
        deal = await self.known.get(party)
        if deal is None or not _is_eligible(deal.value, creator):
            return None
        await self.commits.announcements.announce_moment(party, self.now)
        if deal.value.eligible_at is None:
            await self.commits.touch(party, self._eligible, self.known)
            deal = await self.known.get(party)
        if deal is None:
            return None
        label = reminders_to_register(deal.value)[0].label
        work = reminder_work(party.referral_id, label)
        try:
            etag = await self.commits.referrals.insert_work(party, work)
        except StoreConflict:
            return None
        change = Change(before=deal.value, after=deal.value, entries=())
        return Committed(change=change, etag=deal.etag, work=Stored(work, etag) if etag else None)

    def _eligible(self, deal: Referral) -> Referral:
        return touched(replace(deal, eligible_at=deal.eligible_at or self.now), self.now)


def _parties_that_won(creator: Referral) -> list[ReferralKey]:
    own = [creator.key] if creator.substatus == "Won" else []
    return [*own, *(i.party for i in creator.invited if i.substatus == "Won")]


def _is_eligible(deal: Referral, creator: Referral) -> bool:
    """Whether a partner's deal can be registered and is not yet (G1)."""
    if deal.registrations or not may_be_eligible_once_won(deal):
        return False
    return eligibility(deal, microsoft_participation(deal, creator)).eligible
