"""A sweep on tables in memory, in virtual time."""

from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.change import Change, CommandContext
from shared.domain.ids import OperationId, ReferralId
from shared.domain.lifecycle import SYSTEM_ACTOR, expire
from shared.domain.referral import Referral, ReferralKey
from shared.storage.heartbeats import Heartbeats
from shared.storage.intents import Intent, Intents
from shared.storage.mail import MailRecords
from shared.storage.memory_tables import MemoryTables
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations
from shared.storage.tables import Tables
from shared.workflow.announce import Announcements
from shared.workflow.sweep import Sweep
from tests.doubles.engine import FakeEngine
from tests.examples.referrals import NOW, begun, referral

MINUTE = timedelta(minutes=1)


class Swept:
    """The sweep and what it works on. `wall` is the wall clock, which only pauses and tests move."""

    def __init__(self, tables: Tables | None = None) -> None:
        self.tables = tables or MemoryTables()
        self.wall = NOW
        self.pauses: list[float] = []
        self.engine = FakeEngine()
        self.referrals, self.intents = Referrals(self.tables), Intents(self.tables)
        self.mails, self.heartbeats = MailRecords(self.tables), Heartbeats(self.tables)
        self.announcements = Announcements(intents=self.intents, wall_clock=lambda: self.wall)
        self.sweep = Sweep(
            referrals=self.referrals,
            registrations=Registrations(self.tables),
            intents=self.intents,
            mails=self.mails,
            heartbeats=self.heartbeats,
            wall_clock=lambda: self.wall,
            pause=self._pause,
        )

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.wall += timedelta(seconds=seconds)

    async def at(self, minutes: float) -> int:
        """Sweep so many minutes after the beginning, by both clocks; says how many were woken or started."""
        self.wall = max(self.wall, NOW + minutes * MINUTE)
        self.engine.now = NOW + minutes * MINUTE
        return await self.sweep.run(self.engine, self.engine.now)

    async def rounds(self, count: int, first: int = 0) -> None:
        """Sweep each minute."""
        for minute in range(first, first + count):
            await self.at(minute)

    async def stored(self, *records: Referral) -> list[ReferralKey]:
        """These records, brought in without being announced."""
        for record in records:
            await self.referrals.commit(begun(record), None)
        return [record.key for record in records]

    async def committed(self, change: Change, now: datetime = NOW) -> Change:
        """A step that is announced and stored."""
        announced = await self.announcements.announce(change, now)
        await self.referrals.commit(announced, None)
        return announced

    async def expires(self, referral_id: str) -> None:
        """What an orchestration does to a referral of Fabrikam's whose time is over."""
        party = replace(referral().key, referral_id=ReferralId(referral_id))
        stored = await self.referrals.get(party)
        assert stored
        operation_id = OperationId(f"expire-{referral_id}")
        context = CommandContext(actor=SYSTEM_ACTOR, now=self.engine.now, operation_id=operation_id)
        await self.referrals.commit(expire(stored.value, context), stored)

    async def left(self) -> list[Intent]:
        """What is still to be looked at."""
        return [each async for each in self.intents.all()]
