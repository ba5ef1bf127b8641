"""Intents: what the service means to look at, and when, written down before so that nobody's death loses it.

They are kept in order of due time across all organizations, so that what is due is found at a cost that does not
depend on how many there are.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from shared.domain.ids import OperationId, RegistrationId
from shared.domain.referral import ReferralKey
from shared.errors import RecordUnreadable, StoreUnavailable
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Discard, Operation, Row, StoredRow, Tables, Upsert

logger = logging.getLogger(__name__)

Reason = Literal["commit", "moment", "wake", "restart"]
"""Why a record is looked at: an attempt to commit a step, a moment that comes by the clock (a reminder, an expiry,
an escalation), an operator who wants it woken, or one who wants its orchestration started anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What became of an orchestration since it was woken.

    `steps` name what it had to do then; `unmoved` counts the looks in a row that found the very same. `restarts`
    counts how often it was started anew without a step taken since. While it is being ended, `ended_at` is when it
    was told so last, and `tells` how often. Times are the domain clock's.
    """

    woken_at: datetime | None = None
    steps: tuple[str, ...] = ()
    unmoved: int = 0
    restarts: int = 0
    ended_at: datetime | None = None
    tells: int = 0


NOT_WOKEN = Watch()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A record to be looked at when it is `due` (domain clock).

    `id` is the operation id of a commit; else that of the record, or for an operator's an id of its own. `label` is
    that of the work row which the commit would open. `registration` is given where it is not the referral's own
    orchestration that is meant, but that of a review. `at` is when it was written by the wall clock, which tells
    whether the handler of a commit can still be alive.
    """

    id: str
    reason: Reason
    party: ReferralKey
    registration: RegistrationId | None = None
    label: str = ""
    at: datetime
    due: datetime
    watch: Watch = NOT_WOKEN

    @property
    def instance_id(self) -> str:
        """The orchestration that has to move."""
        return self.registration or self.party.referral_id


_INTENTS = Codec[Intent](Intent)
_UNREADABLE = "unreadable:"
"""What the keys start with of rows that could not be read: after all times, so that no look at what is due meets
them again."""


class Intents:
    """The repository of intents. Its methods raise as `Tables` does."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def announce(self, *intents: Intent) -> None:
        """Write up to 100 intents, before what they are about is tried; twice is the same as once."""
        await self._write([Upsert(_row(intent)) for intent in intents])

    async def due(self, now: datetime, limit: int) -> list[Intent]:
        """What is due, the longest due first, at most `limit`; what cannot be read is set aside.

        Empty only if nothing is due that can be read.
        """
        start, end = "", keys.intents_after(now)
        while rows := await self._tables.between(keys.INTENTS, keys.ALL_INTENTS, start, end, limit):
            found: list[Intent] = []
            for row in rows:
                try:
                    found.append(_INTENTS.read(row))
                except RecordUnreadable as unreadable:
                    await self._set_aside(row, unreadable)
            if found:
                return found
            start = keys.after(rows[-1].key)
        return []

    async def move(self, intent: Intent, moved: Intent) -> None:
        """Put an intent in the place of another one of the same record.

        Whose work is done meanwhile is looked at once more, and forgotten then.
        """
        old, row = keys.intent(intent.due, intent.id), _row(moved)
        await self._write([Upsert(row), *([Discard(old)] if old != row.key else [])])

    async def remove(self, intent: Intent) -> None:
        """Remove an intent that is no longer needed, or is not there any more."""
        await self._discard(keys.intent(intent.due, intent.id))

    async def remove_commit(self, operation_id: OperationId, due: datetime) -> None:
        """Remove the intent of a commit whose work is done, unless it has been moved: then it is looked at once."""
        await self._discard(keys.intent(due, operation_id))

    async def all(self) -> AsyncIterator[Intent]:
        """Every intent that can be read; for an operator's check."""
        async for row in self._tables.scan_table(keys.INTENTS):
            if not row.key.startswith(_UNREADABLE) and (intent := _INTENTS.readable(row)):
                yield intent

    async def unreadable(self) -> int:
        """How many rows were set aside."""
        start, end = keys.starting_with(_UNREADABLE)
        return len(await self._tables.between(keys.INTENTS, keys.ALL_INTENTS, start, end, keys_only=True))

    async def _set_aside(self, row: StoredRow, unreadable: RecordUnreadable) -> None:
        logger.error("intent_unreadable: set aside; `check --wake` has its record looked at. %s", unreadable)
        try:
            await self._write([Upsert(Row(f"{_UNREADABLE}{row.key}", row.values)), Discard(row.key)])
        except StoreUnavailable as failed:  # the next look meets it again
            logger.warning("intent_not_set_aside key=%s: %s", row.key, failed)

    async def _write(self, operations: Sequence[Operation]) -> None:
        await self._tables.write(keys.INTENTS, keys.ALL_INTENTS, operations)

    async def _discard(self, key: str) -> None:
        await self._tables.discard(keys.INTENTS, keys.ALL_INTENTS, key)


def _row(intent: Intent) -> Row:
    return _INTENTS.row(keys.intent(intent.due, intent.id), intent)


def reschedule(intent: Intent, due: datetime) -> Intent:
    """An intent for a later time, of which nothing was seen yet."""
    return replace(intent, due=due, watch=NOT_WOKEN)
