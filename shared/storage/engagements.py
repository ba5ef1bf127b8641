"""Which organizations take part in a deal, where their referrals are, and what they say to each other.

Of the parties only membership is kept: nothing goes stale.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.ids import EngagementId, OrganizationId
from shared.domain.referral import Referral, ReferralKey
from shared.domain.refusals import NotAllowed
from shared.errors import Contended, StoreConflict
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Insert, Operation, Replace, StoredRow, Tables, Upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """The parties of an engagement: its creator, and whom it invited, in order of invitation."""

    creator: ReferralKey
    invited: tuple[ReferralKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What somebody of a party said to all parties (E3). `sequence` counts from 1 without gaps."""

    sequence: int
    at: datetime
    organization_id: OrganizationId
    author: str
    text: str
    key_hash: str | None = None


_PARTIES, _MESSAGES, _SEQUENCES = Codec[ReferralKey](ReferralKey), Codec[Message](Message), Codec[int](int)
MAX_MESSAGES = 1000
"""What a conversation holds at most, since it is read whole: as many keys as one storage page."""
_ATTEMPTS = 20
_CREATOR, _SAID, _KEY = "e", "m:", "k:"


class Engagements:
    """The repository of engagements. Its methods raise as `Tables` does, and `RecordUnreadable`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, engagement_id: EngagementId) -> Membership | None:
        """The members of a deal, or None; without invited ones who cannot be read."""
        rows = await self._tables.between(keys.ENGAGEMENTS, engagement_id, *keys.starting_with("e"))
        if not rows:
            return None
        invited = await self._tables.between(keys.ENGAGEMENTS, engagement_id, *keys.starting_with("p:"))
        return Membership(creator=_PARTIES.read(rows[0]), invited=tuple(_PARTIES.each_readable(invited)))

    async def join(self, deal: Referral, invitations: list[Referral]) -> None:
        """Write down the creator and those it invited; to be repeated freely."""
        rows = [_PARTIES.row(_CREATOR, deal.key)]
        rows += [_PARTIES.row(f"p:{invitation.id}", invitation.key) for invitation in invitations]
        await self._tables.write(keys.ENGAGEMENTS, deal.engagement_id, [Upsert(row) for row in rows])

    async def messages(self, engagement_id: EngagementId) -> tuple[Message, ...]:
        """The conversation, oldest first, without messages that cannot be read."""
        rows = await self._tables.between(keys.ENGAGEMENTS, engagement_id, *keys.starting_with(_SAID))
        return tuple(_MESSAGES.each_readable(rows))

    async def append(self, engagement_id: EngagementId, message: Message) -> Message:
        """Append a message, with the sequence that is next; one with a key is appended once.

        Whoever inserts a sequence first has it, and the others take the next. Raises `NotAllowed` when the
        conversation is full (E3), `Contended`.
        """
        for _ in range(_ATTEMPTS):
            keyed = await self._under(engagement_id, message.key_hash) if message.key_hash else None
            if keyed and (earlier := await self._said(engagement_id, keyed)):
                return earlier
            numbered = replace(message, sequence=await self._last(engagement_id) + 1)
            if numbered.sequence > MAX_MESSAGES:
                raise NotAllowed(f"A conversation holds at most {MAX_MESSAGES:,} messages; this one is full.")
            try:
                await self._tables.write(keys.ENGAGEMENTS, engagement_id, _insertions(numbered, keyed))
            except StoreConflict:
                continue
            return numbered
        raise Contended("Many are writing into this conversation; repeat the request in a second.")

    async def _last(self, engagement_id: EngagementId) -> int:
        """The sequence of the latest message, 0 without any."""
        rows = await self._tables.between(
            keys.ENGAGEMENTS, engagement_id, *keys.starting_with(_SAID), MAX_MESSAGES, keys_only=True
        )
        return int(rows[-1].key.removeprefix(_SAID)) if rows else 0

    async def _under(self, engagement_id: EngagementId, key_hash: str) -> StoredRow | None:
        """Which message was said under a request's key."""
        return await self._tables.get(keys.ENGAGEMENTS, engagement_id, f"{_KEY}{key_hash}")

    async def _said(self, engagement_id: EngagementId, keyed: StoredRow) -> Message | None:
        """The message of a key; None if it, or which it is, was lost or cannot be read."""
        sequence = _SEQUENCES.readable(keyed)
        if sequence is None:
            return None
        said = await self._tables.get(keys.ENGAGEMENTS, engagement_id, _place(sequence))
        return _MESSAGES.readable(said)


def _insertions(message: Message, keyed: StoredRow | None) -> list[Operation]:
    """What writes a message; with a key also which message the key stands for, in place of one that was lost."""
    said = Insert(_MESSAGES.row(_place(message.sequence), message))
    if message.key_hash is None:
        return [said]
    key = _SEQUENCES.row(f"{_KEY}{message.key_hash}", message.sequence)
    return [said, Replace(key, keyed.etag) if keyed else Insert(key)]


def _place(sequence: int) -> str:
    return f"{_SAID}{sequence:06d}"
