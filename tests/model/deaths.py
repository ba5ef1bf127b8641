"""Tables, engine and mail service under which whoever uses them may die, before or after anything took effect."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from shared.errors import EngineUnavailable, MailUnavailable, StoreConflict, StoreUnavailable
from shared.storage.keys import DIRECTORY, REFERRALS
from shared.storage.mail import MailRecord
from shared.storage.tables import Insert, Operation, StoredRow, Tables
from shared.workflow.wake import Event, Orchestrations
from tests.doubles.mail_service import MemoryMailService

_ETAGS_KNOWN = 0.9
"""How often the answer to a write names the ETags: the client does not learn them when it finds its own write."""


class Died(BaseException):
    """The process died here. No handler catches it, as none survives its process."""


@dataclass
class Fate:
    """Decides by chance who dies where. `deadly` is the chance of a death, `flaky` that of an error, per step.

    `late` is the chance that a write whose caller gets no answer takes effect long after.
    """

    random: Random
    deadly: float
    flaky: float
    late: float = 0.0

    async def before(self, error: Exception) -> None:
        for _ in range(self.random.randrange(3)):  # lets the others in between
            await asyncio.sleep(0)
        if self.random.random() < self.deadly:
            raise Died
        if self.random.random() < self.flaky:
            raise error

    after = before

    def delays(self) -> bool:
        """Whether this write is one that comes late."""
        return self.late > 0 and self.random.random() < self.late

    def relent(self) -> None:
        """From now on nobody dies, and nothing comes late any more."""
        self.deadly = self.flaky = self.late = 0.0


class DeadlyTables:
    """Tables whose caller may die, or be told nothing, before or after each request."""

    def __init__(self, tables: Tables, fate: Fate) -> None:
        self._tables = tables
        self._fate = fate
        self._late: list[asyncio.Task[None]] = []

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        if table != DIRECTORY:  # what this model is not about
            await self._fate.before(StoreUnavailable("before"))
        return await self._tables.get(table, partition, key)

    async def create_tables(self, names: Sequence[str]) -> None:
        await self._tables.create_tables(names)

    async def between(
        self,
        table: str,
        partition: str,
        start: str,
        end: str,
        limit: int | None = None,
        *,
        keys_only: bool = False,
    ) -> list[StoredRow]:
        if table != DIRECTORY:
            await self._fate.before(StoreUnavailable("before"))
        return await self._tables.between(table, partition, start, end, limit, keys_only=keys_only)

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        await self._fate.before(StoreUnavailable("before"))
        if _is_step(table, operations) and self._fate.delays():
            self._late.append(asyncio.create_task(self._arrive(table, partition, operations)))
            raise StoreUnavailable("late")
        written = await self._tables.write(table, partition, operations)
        await self._fate.after(StoreUnavailable("after"))
        return written if self._fate.random.random() < _ETAGS_KNOWN else (None,) * len(written)

    async def all_arrived(self) -> None:
        """Wait for the writes that are under way."""
        await asyncio.gather(*self._late)

    async def _arrive(self, table: str, partition: str, operations: Sequence[Operation]) -> None:
        """A write that nobody waits for any more; what is there by now refuses it unheard."""
        for _ in range(self._fate.random.randrange(600)):
            await asyncio.sleep(0)
        with suppress(StoreConflict):
            await self._tables.write(table, partition, operations)

    async def discard(self, table: str, partition: str, key: str) -> None:
        await self._fate.before(StoreUnavailable("before"))
        await self._tables.discard(table, partition, key)
        await self._fate.after(StoreUnavailable("after"))

    def clock_ahead(self) -> timedelta:
        return self._tables.clock_ahead()

    async def scan_table(self, table: str) -> AsyncIterator[StoredRow]:
        await self._fate.before(StoreUnavailable("before"))
        async for row in self._tables.scan_table(table):
            yield row


def _is_step(table: str, operations: Sequence[Operation]) -> bool:
    """Whether a write is a step of a referral, whose entry is inserted with it.

    A reminder's work alone, if late, has lost its point, and lies there until its referral is looked at again.
    """
    return table == REFERRALS and len(operations) > 1 and any(isinstance(each, Insert) for each in operations)


class DeadlyEngine:
    """The engine, whose caller may die before or after each call."""

    def __init__(self, engine: Orchestrations, fate: Fate) -> None:
        self._engine = engine
        self._fate = fate

    async def raise_event(self, instance_id: str, event: Event) -> bool:
        await self._fate.before(EngineUnavailable("before"))
        taken = await self._engine.raise_event(instance_id, event)
        await self._fate.after(EngineUnavailable("after"))
        return taken

    async def start(self, name: str, instance_id: str, argument: dict[str, str]) -> bool:
        await self._fate.before(EngineUnavailable("before"))
        started = await self._engine.start(name, instance_id, argument)
        await self._fate.after(EngineUnavailable("after"))
        return started

    async def last_turn_at(self, instance_id: str) -> datetime | None:
        await self._fate.before(EngineUnavailable("before"))
        return await self._engine.last_turn_at(instance_id)

    async def terminate(self, instance_id: str, reason: str) -> None:
        await self._fate.before(EngineUnavailable("before"))
        await self._engine.terminate(instance_id, reason)
        await self._fate.after(EngineUnavailable("after"))


class DeadlyMailService(MemoryMailService):
    """The mail service, whose caller may die before or after it takes a mail."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self._fate = fate

    async def send(self, record: MailRecord, now: datetime) -> None:
        await self._fate.before(MailUnavailable("before"))
        await super().send(record, now)
        await self._fate.after(MailUnavailable("after"))
