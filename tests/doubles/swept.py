"""A sweep on tables in memory, in virtual time."""

from datetime import datetime, timedelta
from typing import Any

from shared.domain.change import Change, EntryDraft, created
from shared.domain.ids import ReferralId
from shared.domain.referral import Referral, ReferralKey
from shared.domain.work import Task
from shared.storage.intents import Intent, Intents
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Tables
from shared.wiring import assemble
from shared.workflow.announce import Announcements
from tests.doubles.engine import FakeEngine
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.service import SETTINGS
from tests.doubles.small_world import import_small_world
from tests.examples.referrals import NOW, begun, context

MINUTE = timedelta(minutes=1)


def numbered(number: int) -> ReferralId:
    """The id of one of Fabrikam's referrals; they sort like the numbers."""
    return ReferralId(f"00000000-0000-7000-8000-{number:012d}")


class Swept:
    """The sweep and what it works on. `wall` is the wall clock, which only pauses and tests move."""

    def __init__(self, tables: Tables | None = None, mail: MemoryMailService | None = None) -> None:
        self.tables: Any = tables or MemoryTables()
        self.wall = NOW
        self.pauses: list[float] = []
        self.engine = FakeEngine()
        self.mail = mail or MemoryMailService()
        self.service = assemble(SETTINGS, self.tables, self.mail, lambda: self.wall, self._pause)
        self.referrals, self.registrations = self.service.referrals, self.service.registrations
        self.intents, self.heartbeats = self.service.intents, self.service.heartbeats
        self.sweep = self.service.sweep
        self.announcements = Announcements(intents=Intents(self.tables), wall_clock=lambda: self.wall)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.wall += timedelta(seconds=seconds)

    async def begin(self) -> "Swept":
        """With people to whom mails go."""
        await import_small_world(self.tables)
        return self

    async def at(self, minutes: float) -> int:
        """Sweep so many minutes after the beginning, by both clocks; says at how many intents it looked."""
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

    async def committed(self, record: Referral, *tasks: Task) -> Change:
        """A new record that is announced and stored, with work of these tasks; its handler then died."""
        change = created(record, (EntryDraft(kind="received"),), context(), tasks)
        announced = await self.announcements.announce(change, NOW)
        await self.referrals.commit(announced, None)
        return announced

    async def state(self, record: ReferralKey) -> str:
        """The state of a record."""
        stored = await self.referrals.get(record)
        assert stored
        return stored.value.state

    def mailed(self, message: str) -> list[str]:
        """The referrals of which this message was mailed, in order."""
        return [mail.referral_id for mail in self.mail.taken.values() if mail.message == message]

    async def left(self) -> list[Intent]:
        """What is still to be looked at."""
        return [each async for each in self.intents.all()]

    async def due(self) -> dict[str, datetime]:
        """When each of what is left is due, by its id."""
        return {each.id: each.due for each in await self.left()}
