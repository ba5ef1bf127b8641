"""Intents: records that the service must look at, and when, so that no crash can lose them.

They are sorted by due time across all organizations, so the cost of finding the due ones does not depend on their
total number.
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
"""Why a record must be looked at:

- `commit`: an attempt to commit a change
- `moment`: a reminder, an expiry or an escalation becomes due
- `wake`, `restart`: an operator wants its orchestration woken, or restarted
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The progress of an orchestration since it was woken. Times are those of the domain clock.

    - `steps`: what it had to do then; `unmoved`: how many checks in a row have found the same steps.
    - `restarts`: how often it was restarted without any progress since.
    - `ended_at`, `tells`: while it is being terminated, when the request was last sent, and how often.
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
    """A record to look at when it is `due` (domain clock).

    - `id`: the operation id of a commit; the id of the record for `moment`; a new id for an operator's intent.
    - `label`: the label of the work row that the commit opens.
    - `registration`: set if the intent is about the orchestration of a review instead of the referral's.
    - `at`: when it was written (wall clock), which shows whether the handler of a commit can still be running.
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
        """The id of the orchestration that must make progress."""
        return self.registration or self.party.referral_id


_INTENTS = Codec[Intent](Intent)
_UNREADABLE = "unreadable:"
"""The key prefix of rows that could not be parsed: it sorts after all due times, so they are never due."""


class Intents:
    """The repository of intents. Its methods raise as `Tables` does."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def announce(self, *intents: Intent) -> None:
        """Store up to 100 intents before the attempt that they announce; idempotent."""
        await self._write([Upsert(_row(intent)) for intent in intents])

    async def due(self, now: datetime, limit: int) -> list[Intent]:
        """The due intents, the longest due first, at most `limit`. Rows that cannot be parsed are set aside.

        Empty only if no intent that can be parsed is due.
        """
        start, end = "", keys.intents_after(now)
        while rows := await self._tables.between(keys.INTENTS, keys.ALL_INTENTS, start, end, limit):
            intents: list[Intent] = []
            for row in rows:
                try:
                    intents.append(_INTENTS.read(row))
                except RecordUnreadable as unreadable:
                    await self._set_aside(row, unreadable)
            if intents:
                return intents
            start = keys.after(rows[-1].key)
        return []

    async def move(self, intent: Intent, moved: Intent) -> None:
        """Replace an intent by another one of the same record.

        If the work is done in the meantime, the record is looked at once more, and the intent is removed then.
        """
        old, row = keys.intent(intent.due, intent.id), _row(moved)
        await self._write([Upsert(row), *([Discard(old)] if old != row.key else [])])

    async def remove(self, intent: Intent) -> None:
        """Remove an intent, if it exists."""
        await self._discard(keys.intent(intent.due, intent.id))

    async def remove_commit(self, operation_id: OperationId, due: datetime) -> None:
        """Remove the intent of a commit whose work is done. If it was moved, the sweep removes it later."""
        await self._discard(keys.intent(due, operation_id))

    async def all(self) -> AsyncIterator[Intent]:
        """All intents that can be parsed, for operator tools."""
        async for row in self._tables.scan_table(keys.INTENTS):
            if not row.key.startswith(_UNREADABLE) and (intent := _INTENTS.readable(row)):
                yield intent

    async def unreadable(self) -> int:
        """The number of rows that were set aside."""
        start, end = keys.starting_with(_UNREADABLE)
        return len(await self._tables.between(keys.INTENTS, keys.ALL_INTENTS, start, end, keys_only=True))

    async def _set_aside(self, row: StoredRow, unreadable: RecordUnreadable) -> None:
        logger.error(
            "intent_unreadable: set aside; run `check --wake` to have its record looked at. %s", unreadable
        )
        try:
            await self._write([Upsert(Row(f"{_UNREADABLE}{row.key}", row.values)), Discard(row.key)])
        except StoreUnavailable as error:  # the next sweep finds it again
            logger.warning("intent_not_set_aside key=%s: %s", row.key, error)

    async def _write(self, operations: Sequence[Operation]) -> None:
        await self._tables.write(keys.INTENTS, keys.ALL_INTENTS, operations)

    async def _discard(self, key: str) -> None:
        await self._tables.discard(keys.INTENTS, keys.ALL_INTENTS, key)


def _row(intent: Intent) -> Row:
    return _INTENTS.row(keys.intent(intent.due, intent.id), intent)


def reschedule(intent: Intent, due: datetime) -> Intent:
    """The intent at another due time, with its watch reset."""
    return replace(intent, due=due, watch=NOT_WOKEN)
