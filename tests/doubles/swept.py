"""A sweep on tables in memory, in virtual time, and an engine whose instances can be dead in every way."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.domain.change import Change, CommandContext
from shared.domain.ids import OperationId, ReferralId
from shared.domain.lifecycle import BY_THE_CLOCK, expire
from shared.domain.referral import Referral, ReferralKey
from shared.errors import EngineUnavailable
from shared.storage.heartbeats import Heartbeats
from shared.storage.intents import Intent, Intents
from shared.storage.mail import MailRecords
from shared.storage.memory_tables import MemoryTables
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations
from shared.storage.tables import Tables
from shared.workflow.announce import Announcements
from shared.workflow.restart import REASON
from shared.workflow.sweep import Sweep
from tests.examples.referrals import NOW, begun, referral

MINUTE = timedelta(minutes=1)


@dataclass
class FakeEngine:
    """An engine whose instances end some looks after they are told to, and refuse starts for a while after that.

    `dead` instances take events and never move; `deaf` ones do not end either; `unknown` ones have no status; and
    for those it is `away_for`, or if it is `away`, it does not answer at all. `acts` is what the others do when they
    are woken; they begin a turn at `now`.
    """

    running: set[str] = field(default_factory=set)
    takes: int = 1
    refuses_starts: int = 0
    dead: set[str] = field(default_factory=set)
    deaf: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    away: bool = False
    away_for: set[str] = field(default_factory=set)
    now: datetime = NOW
    acts: Callable[[str], Awaitable[None]] | None = None
    woken: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    started: list[tuple[str, str]] = field(default_factory=list)
    _ending: dict[str, int] = field(default_factory=dict)
    _begun: dict[str, datetime] = field(default_factory=dict)

    def _answer(self, instance_id: str = "") -> None:
        if self.away or instance_id in self.away_for:
            raise EngineUnavailable("away")

    async def raise_event(self, instance_id: str, event: str) -> bool:
        self._answer(instance_id)
        if instance_id not in self.running:
            return False
        self.woken.append(instance_id)
        if instance_id not in self.dead:
            self._begun[instance_id] = self.now
            if self.acts:
                await self.acts(instance_id)
        return True

    async def start(self, name: str, instance_id: str, argument: dict[str, str]) -> bool:
        self._answer(instance_id)
        if self.refuses_starts:
            self.refuses_starts -= 1
            raise EngineUnavailable("not yet")
        if instance_id in self.running:
            return False
        self.running.add(instance_id)
        self.dead.discard(instance_id)
        self._ending.pop(instance_id, None)
        self.started.append((name, instance_id))
        self._begun[instance_id] = self.now
        return True

    async def begun_at(self, instance_id: str) -> datetime | None:
        self._answer(instance_id)
        if instance_id in self.unknown:
            raise EngineUnavailable("?")
        if instance_id in self._ending:
            self._ending[instance_id] -= 1
            if self._ending[instance_id] <= 0:
                del self._ending[instance_id]
                self.running.discard(instance_id)
        return self._begun.get(instance_id, NOW - MINUTE) if instance_id in self.running else None

    async def terminate(self, instance_id: str, reason: str) -> None:
        self._answer(instance_id)
        assert reason == REASON
        self.told.append(instance_id)
        if instance_id in self.running and instance_id not in self.deaf:
            self._ending[instance_id] = self.takes


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
        return [record.party for record in records]

    async def committed(self, change: Change, now: datetime = NOW) -> Change:
        """A step that is announced and stored."""
        announced = await self.announcements.announce(change, now)
        await self.referrals.commit(announced, None)
        return announced

    async def expires(self, referral_id: str) -> None:
        """What an orchestration does to a referral of Fabrikam's whose time is over."""
        party = replace(referral().party, referral_id=ReferralId(referral_id))
        stored = await self.referrals.get(party)
        assert stored
        context = CommandContext(actor=BY_THE_CLOCK, now=self.engine.now, operation_id=OperationId(f"expire-{referral_id}"))
        await self.referrals.commit(expire(stored.value, context), stored)

    async def left(self) -> list[Intent]:
        """What is still to be looked at."""
        return [each async for each in self.intents.all()]
