"""Intents: the announcement of a commit, made before it, so that whoever dies in between is found out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from shared.domain.ids import OperationId
from shared.domain.referral import Party
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Insert, Tables, Upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One attempt to commit: the work it would open, and when to wake for it again.

    `at` is the wall clock's, since it tells whether the handler can still be alive; `next_wake_at` the domain
    clock's. `wakes` counts how often the sweep woke the orchestration for it.
    """

    operation_id: OperationId
    party: Party
    label: str
    at: datetime
    wakes: int = 0
    next_wake_at: datetime | None = None


_INTENTS = Codec[Intent](Intent)


class Intents:
    """The repository of intents. Its methods raise as `Tables` does."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def announce(self, intent: Intent) -> None:
        """Write an intent before its commit is tried."""
        operation = Insert(_INTENTS.row(intent.operation_id, intent))
        await self._tables.write(keys.INTENTS, _partition(intent.operation_id), [operation])

    async def postpone(self, intent: Intent) -> None:
        """Keep when to wake for an intent next."""
        operation = Upsert(_INTENTS.row(intent.operation_id, intent))
        await self._tables.write(keys.INTENTS, _partition(intent.operation_id), [operation])

    async def forget(self, operation_id: OperationId) -> None:
        """Remove an intent that is no longer needed, or is not there any more."""
        await self._tables.discard(keys.INTENTS, _partition(operation_id), operation_id)

    async def all(self) -> AsyncIterator[Intent]:
        """Every intent. There are only as many as there are commits nobody has taken up yet."""
        async for row in self._tables.everything(keys.INTENTS):
            yield _INTENTS.read(row)


def _partition(operation_id: OperationId) -> str:
    """Sixteen partitions, so that announcing scales with the rest."""
    return operation_id[-1]
