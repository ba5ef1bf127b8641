"""Which organizations take part in a deal, where their referrals are, and what they say to each other.

Of the parties only membership is kept: nothing goes stale.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.ids import EngagementId, OrganizationId
from shared.domain.referral import Party, Referral
from shared.errors import Contended, StoreConflict
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Insert, Tables, Upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """The parties of an engagement: its creator, and whom it invited, in order of invitation."""

    creator: Party
    invited: tuple[Party, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What somebody of a party said to all parties (E3). `sequence` counts from 1 without gaps."""

    sequence: int
    at: datetime
    organization_id: OrganizationId
    author: str
    text: str
    key_hash: str | None = None


_PARTIES, _MESSAGES = Codec[Party](Party), Codec[Message](Message)
_ATTEMPTS = 20
_CREATOR = "e"


class Engagements:
    """The repository of engagements. Its methods raise as `Tables` does."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, engagement_id: EngagementId) -> Membership | None:
        """The members of a deal, or None."""
        rows = await self._tables.between(keys.ENGAGEMENTS, engagement_id, *keys.starting_with("e"))
        if not rows:
            return None
        invited = await self._tables.between(keys.ENGAGEMENTS, engagement_id, *keys.starting_with("p:"))
        return Membership(
            creator=_PARTIES.read(rows[0]), invited=tuple(_PARTIES.read(row) for row in invited)
        )

    async def join(self, deal: Referral, invitations: list[Referral]) -> None:
        """Write down the creator and those it invited; to be repeated freely."""
        rows = [_PARTIES.row(_CREATOR, deal.party)]
        rows += [_PARTIES.row(f"p:{invitation.id}", invitation.party) for invitation in invitations]
        await self._tables.write(keys.ENGAGEMENTS, deal.engagement_id, [Upsert(row) for row in rows])

    async def messages(self, engagement_id: EngagementId) -> tuple[Message, ...]:
        """The conversation, oldest first."""
        rows = await self._tables.between(keys.ENGAGEMENTS, engagement_id, *keys.starting_with("m:"))
        return tuple(_MESSAGES.read(row) for row in rows)

    async def say(self, engagement_id: EngagementId, message: Message) -> Message:
        """Append a message, with the sequence that is next; one with a key is appended once.

        Whoever inserts a sequence first has it, and the others take the next. Raises `Contended`.
        """
        for _ in range(_ATTEMPTS):
            said = await self.messages(engagement_id)
            if message.key_hash and (earlier := _under(message.key_hash, said)):
                return earlier
            numbered = replace(message, sequence=len(said) + 1)
            row = _MESSAGES.row(f"m:{numbered.sequence:06d}", numbered)
            try:
                await self._tables.write(keys.ENGAGEMENTS, engagement_id, [Insert(row)])
            except StoreConflict:
                continue
            return numbered
        raise Contended("Many are writing into this conversation; repeat the request in a second.")


def _under(key_hash: str, said: tuple[Message, ...]) -> Message | None:
    return next((message for message in said if message.key_hash == key_hash), None)
