"""What follows from a message of a deal: the parties' records move at once, and a mail tells them later (N7, M10).

A message is announced by an intent of its own before it is stored, due ten minutes later, so no crash loses its mail.
The sweep then tells the parties of all messages of which none was told, once the first of them is old enough. Which
messages a mail tells of is stored before it is sent, so it is the same mail whoever sends it again.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta

from shared.domain.change import touched
from shared.domain.ids import EngagementId
from shared.domain.referral import Referral, ReferralKey
from shared.domain.work import Notify
from shared.errors import MailPaused, MailUnavailable
from shared.mail.notices import Notices
from shared.storage.engagements import Engagements, Message, Told
from shared.storage.intents import Intent, Intents
from shared.storage.known_referrals import KnownReferrals
from shared.storage.referrals import Referrals
from shared.workflow.commit import Commits, complete_all
from shared.workflow.mail_refusals import record_refusal

logger = logging.getLogger(__name__)

GROUPED_FOR = timedelta(minutes=10)
"""How long a message waits for others that are told in the same mail (M10)."""
TRY_AGAIN = timedelta(minutes=5)
"""When to try again what the mail service could not do."""
MOST_TOLD_AT_ONCE = 100
"""Of how many messages one mail tells, of which it shows the latest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversations:
    """Follows up messages. `wall_clock` stamps their intents. Methods raise `StoreUnavailable`, `Contended`."""

    referrals: Referrals
    engagements: Engagements
    intents: Intents
    commits: Commits
    notices: Notices
    wall_clock: Callable[[], datetime]

    async def announce(self, own: ReferralKey, now: datetime) -> None:
        """Announce a message of a party, before it is stored."""
        intent = Intent(
            id=f"messages:{own.referral_id}",
            reason="messages",
            party=own,
            at=self.wall_clock(),
            due=now + GROUPED_FOR,
        )
        await self.intents.announce(intent)

    async def move_parties(self, engagement_id: EngagementId, sequence: int, now: datetime) -> None:
        """Move the records of all that read the conversation, up to a message. Nothing happens the second time."""
        known = KnownReferrals(self.referrals)
        await self.move(await self.readers(engagement_id, known), sequence, now, known)

    async def tell(self, own: ReferralKey, now: datetime) -> datetime | None:
        """Mail the parties of a deal what they have not been told; returns when to look again, None if never.

        `own` is the referral of a party that wrote.
        """
        known = KnownReferrals(self.referrals)
        stored = await known.get(own)
        if stored is None:
            return None
        deal = stored.value.engagement_id
        told = await self.engagements.told(deal)
        resumed = told.telling > told.told
        if not resumed:
            latest = await self.engagements.messages(deal, MOST_TOLD_AT_ONCE)
            untold = [each for each in latest.found if each.sequence > told.told]
            if not untold:
                return None
            if (due := untold[-1].at + GROUPED_FOR) > now:
                return due
            told = await self.engagements.begin_telling(deal, told, untold[0].sequence)
        try:
            await _Round(self, own, told, now, known, resumed=resumed).tell(deal)
        except MailUnavailable as failed:
            logger.warning("messages_not_told engagement=%s: %s", deal, failed)
            return now + (failed.retry_after if isinstance(failed, MailPaused) else TRY_AGAIN)
        await self.engagements.end_telling(deal, told)
        return now  # for what was written since: the intents of several messages can have become one

    async def readers(self, engagement_id: EngagementId, known: KnownReferrals) -> list[Referral]:
        """The records of those who read the conversation: the creator, and who accepted, closed or not (E3)."""
        membership = await self.engagements.get(engagement_id)
        if membership is None:
            return []
        found = await asyncio.gather(*map(known.get, (membership.creator, *membership.invited)))
        return [each.value for each in found if each and each.value.accepted_at]

    async def move(
        self, records: Sequence[Referral], sequence: int, now: datetime, known: KnownReferrals
    ) -> None:
        """Move records up to a message in the order of updates, unless they have."""

        def moved(referral: Referral) -> Referral | None:
            return touched(referral, now, sequence) if referral.last_message < sequence else None

        await complete_all(self.commits.touch(each.key, moved, known) for each in records)


@dataclass(frozen=True, slots=True)
class _Round:
    """Tells the parties of the messages that `told` says, in the name of `own`, the referral of one that wrote.

    `resumed` says that it was begun before, so that its mails are probably planned.
    """

    conversations: Conversations
    own: ReferralKey
    told: Told
    now: datetime
    known: KnownReferrals
    _: KW_ONLY
    resumed: bool

    async def tell(self, deal: EngagementId) -> None:
        """Move the records of all readers, and mail each what others wrote. Raises `MailUnavailable`."""
        told, conversations = self.told, self.conversations
        messages = await conversations.engagements.messages_between(deal, told.told, told.telling)
        readers = await conversations.readers(deal, self.known)
        await conversations.move(readers, told.telling, self.now, self.known)
        writers = {each.organization_id: each.key for each in readers}
        for reader in readers:
            if others := [each for each in messages if each.organization_id != reader.organization_id]:
                await self._mail(writers.get(others[0].organization_id, self.own), reader, others)

    async def _mail(self, writer: ReferralKey, reader: Referral, messages: Sequence[Message]) -> None:
        """One mail to a party's team, in the name of the party that wrote the latest of the messages."""
        conversations = self.conversations
        task = Notify(message="newMessages", audience="party", party=reader.key)
        label = f"messages-{self.told.telling:06d}"
        refused = await conversations.notices.send(
            writer,
            label,
            task,
            self.now,
            known=self.known,
            planned_before=self.resumed,
            messages=messages,
        )
        for mail in refused:
            await record_refusal(conversations.commits, mail, self.now, self.known)
