"""Engagements: the parties of a deal, the keys of their referrals, and their conversation.

Of the parties, only the keys are stored, so nothing can get out of date.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.ids import EngagementId, OrganizationId
from shared.domain.referral import Referral, ReferralKey
from shared.errors import Contended, StoreConflict
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Insert, Operation, Replace, Row, StoredRow, Tables, Upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """The parties of an engagement: the creator, and the invited parties in order of invitation."""

    creator: ReferralKey
    invited: tuple[ReferralKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of one party to all parties (E3). `sequence` counts from 1 without gaps."""

    sequence: int
    at: datetime
    organization_id: OrganizationId
    author: str
    text: str
    key_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Messages:
    """A part of a conversation, newest first.

    `before` is the sequence below which the next part begins; None if there is none.
    """

    found: tuple[Message, ...]
    before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Up to which message the parties were told of the conversation, and up to which they are told just now (M10).

    Both are the same while nobody is told. `etag` is that of the row, None without one.
    """

    told: int = 0
    telling: int = 0
    etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Telling:
    """A stored `Told`."""

    told: int
    telling: int


_TELLING, _TOLD = Codec[_Telling](_Telling), "t"
_PARTIES, _MESSAGES, _SEQUENCES = Codec[ReferralKey](ReferralKey), Codec[Message](Message), Codec[int](int)
_ATTEMPTS = 20
_CREATOR, _KEY = "e", "k:"


class Engagements:
    """The repository of engagements. Its methods raise as `Tables` does, and `RecordUnreadable`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, engagement_id: EngagementId) -> Membership | None:
        """The parties of a deal, or None; rows of invited parties that cannot be parsed are skipped."""
        rows = await self._tables.between(keys.ENGAGEMENTS, engagement_id, *keys.starting_with("e"))
        if not rows:
            return None
        invited = await self._tables.between(keys.ENGAGEMENTS, engagement_id, *keys.starting_with("p:"))
        return Membership(creator=_PARTIES.read(rows[0]), invited=tuple(_PARTIES.each_readable(invited)))

    async def join(self, deal: Referral, invitations: Sequence[Referral]) -> None:
        """Store the creator and the invited parties; idempotent."""
        rows = [_PARTIES.row(_CREATOR, deal.key)]
        rows += [_PARTIES.row(f"p:{invitation.id}", invitation.key) for invitation in invitations]
        await self._tables.write(keys.ENGAGEMENTS, deal.engagement_id, [Upsert(row) for row in rows])

    async def messages(self, engagement_id: EngagementId, limit: int, before: int | None = None) -> Messages:
        """The latest messages of a conversation, or the latest below a sequence: one request for 999 of them.

        At most `limit`, without those that cannot be parsed.
        """
        start, end = keys.starting_with(keys.MESSAGES)
        if before is not None:
            start = keys.after(keys.message(before))
        rows = await self._tables.between(keys.ENGAGEMENTS, engagement_id, start, end, limit + 1)
        more = keys.sequence_of(rows[limit - 1].key) if len(rows) > limit else None
        return Messages(tuple(_MESSAGES.each_readable(rows[:limit])), more)

    async def messages_between(self, engagement_id: EngagementId, after: int, until: int) -> list[Message]:
        """The messages after a sequence, up to another one, newest first, without those that cannot be parsed."""
        start, end = keys.message(until), keys.message(after)
        return _MESSAGES.each_readable(
            await self._tables.between(keys.ENGAGEMENTS, engagement_id, start, end)
        )

    async def last_message(self, engagement_id: EngagementId) -> int:
        """The sequence of the latest message, 0 without any."""
        rows = await self._tables.between(
            keys.ENGAGEMENTS, engagement_id, *keys.starting_with(keys.MESSAGES), 1, keys_only=True
        )
        return keys.sequence_of(rows[0].key) if rows else 0

    async def told(self, engagement_id: EngagementId) -> Told:
        """Up to which message the parties were told."""
        row = await self._tables.get(keys.ENGAGEMENTS, engagement_id, _TOLD)
        if row is None:
            return Told()
        stored = _TELLING.read(row)
        return Told(told=stored.told, telling=stored.telling, etag=row.etag)

    async def begin_telling(self, engagement_id: EngagementId, told: Told, until: int) -> Told:
        """Store up to which message the parties will be told. Raises `StoreConflict` if `told` has changed."""
        return await self._save_told(engagement_id, Told(told=told.told, telling=until, etag=told.etag))

    async def end_telling(self, engagement_id: EngagementId, told: Told) -> None:
        """Store that the parties were told. Raises `StoreConflict` if `told` has changed."""
        await self._save_told(engagement_id, Told(told=told.telling, telling=told.telling, etag=told.etag))

    async def _save_told(self, engagement_id: EngagementId, told: Told) -> Told:
        row = _TELLING.row(_TOLD, _Telling(told=told.told, telling=told.telling))
        operation: Operation = Replace(row, told.etag) if told.etag else Insert(row)
        (etag,) = await self._tables.write(keys.ENGAGEMENTS, engagement_id, [operation])
        if etag is None:
            raise Contended("It is not known whether this was stored: it is read again later.")
        return replace(told, etag=etag)

    async def message_of_key(self, engagement_id: EngagementId, key_hash: str) -> Message | None:
        """The message that was posted under an idempotency key, or None."""
        key_row = await self._get_key(engagement_id, key_hash)
        return await self._get_by_key(engagement_id, key_row) if key_row else None

    async def append(self, engagement_id: EngagementId, message: Message) -> Message | None:
        """Append a message with the next sequence; None if there is one with its idempotency key already.

        Of concurrent writers, the first to insert a sequence gets it, and the others try the next. Raises
        `Contended`.
        """
        for _ in range(_ATTEMPTS):
            key_row = await self._get_key(engagement_id, message.key_hash) if message.key_hash else None
            if key_row and await self._get_by_key(engagement_id, key_row):
                return None
            appended = replace(message, sequence=await self.last_message(engagement_id) + 1)
            try:
                await self._tables.write(keys.ENGAGEMENTS, engagement_id, _insertions(appended, key_row))
            except StoreConflict:
                continue
            return appended
        raise Contended("Other messages were posted at the same time: repeat the request in a second.")

    async def _get_key(self, engagement_id: EngagementId, key_hash: str) -> StoredRow | None:
        """The row that maps an idempotency key to the sequence of its message."""
        return await self._tables.get(keys.ENGAGEMENTS, engagement_id, f"{_KEY}{key_hash}")

    async def _get_by_key(self, engagement_id: EngagementId, key_row: StoredRow) -> Message | None:
        """The message of an idempotency key; None if one of the two rows is missing or cannot be parsed."""
        sequence = _SEQUENCES.readable(key_row)
        if sequence is None:
            return None
        row = await self._tables.get(keys.ENGAGEMENTS, engagement_id, keys.message(sequence))
        return _MESSAGES.readable(row)


def _insertions(message: Message, key_row: StoredRow | None) -> list[Operation]:
    """The operations that store a message, count it for its party, and keep its idempotency key if it has one.

    The row that counts has only its key. It may be there from a message with this sequence that was lost.
    """
    counted = keys.message_of_party(message.organization_id, message.at, message.sequence)
    operations: list[Operation] = [
        Insert(_MESSAGES.row(keys.message(message.sequence), message)),
        Upsert(Row(counted, {})),
    ]
    if message.key_hash is not None:
        key = _SEQUENCES.row(f"{_KEY}{message.key_hash}", message.sequence)
        operations.append(Replace(key, key_row.etag) if key_row else Insert(key))
    return operations
