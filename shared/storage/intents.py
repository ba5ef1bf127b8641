"""Intents: records that the service must look at, and when, so that no crash can lose them.

They are sorted by due time across all organizations, so the cost of finding the due ones does not depend on their
total number.
"""

import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from shared.domain.ids import RegistrationId
from shared.domain.referral import ReferralKey
from shared.errors import RecordUnreadable, StoreUnavailable
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Discard, Operation, Row, StoredRow, Tables, Upsert

logger = logging.getLogger(__name__)

Reason = Literal["commit", "moment", "messages", "wake", "restart"]
"""Why a record must be looked at:

- `commit`: an attempt to commit a change
- `moment`: a reminder, an expiry or an escalation becomes due, or work that one of them caused
- `messages`: a party wrote in a deal's conversation, of which the others are told
- `wake`, `restart`: an operator wants its orchestration started if it is not running, or restarted
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A record to look at when it is `due` (domain clock).

    - `id`: the operation id of a commit; the id of the record for `moment`, with a prefix for `messages`; a new id
      for an operator's intent.
    - `label`: the label of the work row that the commit opens.
    - `registration`: set if the intent is about the orchestration of a review instead of the referral's.
    - `at`: when it was written (wall clock), which shows whether the handler of a commit can still be running.
    - `tries`: how many sweeps in a row have taken it and did not come to an end with it.
    - `ended_at`, `requests`: during a restart, when the termination was last requested, and how often.
    """

    id: str
    reason: Reason
    party: ReferralKey
    registration: RegistrationId | None = None
    label: str = ""
    at: datetime
    due: datetime
    tries: int = 0
    ended_at: datetime | None = None
    requests: int = 0

    @property
    def instance_id(self) -> str:
        """The id of the record's orchestration, or of that of its registration's review."""
        return self.registration or self.party.referral_id


IntentPlace = tuple[datetime, str]
"""Where an intent is: its due time and its id."""
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

    def clock_ahead(self) -> timedelta:
        """How far this host's clock was ahead of storage's when the due intents were last read."""
        return self._tables.clock_ahead()

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

    async def move(self, moves: Iterable[tuple[Intent, Intent | None]]) -> None:
        """Replace up to 50 intents by others of the same record, or remove them, in one transaction.

        One that was removed in the meantime, since its work is done, comes back; the sweep then removes it.
        """
        old = {keys.intent(intent.due, intent.id): moved for intent, moved in moves}
        rows = {row.key: row for moved in old.values() if moved and (row := _row(moved))}
        operations: list[Operation] = [Upsert(row) for row in rows.values()]
        operations += [Discard(key) for key in old if key not in rows]
        if operations:
            await self._write(operations)

    async def remove(self, *places: IntentPlace) -> None:
        """Remove intents, if they exist. One that was moved is removed by the sweep."""
        if places:
            await self._write(
                [Discard(keys.intent(due, identifier)) for due, identifier in sorted(set(places))]
            )

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


def _row(intent: Intent) -> Row:
    return _INTENTS.row(keys.intent(intent.due, intent.id), intent)
