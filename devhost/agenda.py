"""Releases timers when they become due, as time passes or as the clock is advanced."""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from devhost.clock import DomainClock
from devhost.engine import Engine
from devhost.errors import ClockError
from devhost.meter import WorkMeter
from devhost.store import Store, reads, writes
from devhost.timer_functions import Recurring, TimerFunctions
from devhost.timestamps import SECOND, Micros, to_text

# A suspended machine or a corrected wall clock is detected within this many seconds.
_LONGEST_NAP = 60.0
_MOST_STEPS = 100_000
_LONGEST_GAP = 12 * 3600 * SECOND
"""While the clock is advanced, timer functions run at least so often, as if time had passed."""


@dataclass(frozen=True, slots=True)
class _Step:
    """The next due time; `recurring` are the timer functions to run then."""

    at: Micros
    recurring: tuple[Recurring, ...]
    ends_gap: bool


class Agenda:
    """Schedules durable timers and timer functions."""

    def __init__(
        self, *, store: Store, clock: DomainClock, engine: Engine, timers: TimerFunctions, meter: WorkMeter
    ) -> None:
        self._store = store
        self._clock = clock
        self._engine = engine
        self._timers = timers
        self._meter = meter
        self._released = clock.now()
        self._armed: Micros | None = None
        self._poke = asyncio.Event()
        self._moving = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """Start to follow the clock, in a task that ends with stop()."""
        self._task = asyncio.create_task(self._follow())
        return self._task

    async def stop(self) -> None:
        """Stop releasing timers."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def notice(self, due: Micros) -> None:
        """Called when a durable timer is set; wakes up early if it is due before all others."""
        if self._armed is None or due < self._armed:
            self._poke.set()

    async def advance(self, to: Callable[[Micros], Micros], *, every: bool = False) -> Micros:
        """Run what is due, then move the clock to `to(now)` from due time to due time, and run what is due at each.

        A timer function runs at the first and the last of its occurrences between two durable due times, and in each
        twelve hours without one; or at all of them with `every`. One that runs more often than once a minute runs at
        the end as well, since its next occurrence is moments away. Returns the domain time at the end. Raises
        ClockError.
        """
        async with self._moving:
            self._meter.start_instant()
            try:
                await self._settle()
                begin, target = self._clock.now(), to(self._clock.now())
                await self._walk(target, every=every)
                await self._move(target)
                await self._settle()
                if target > begin:
                    self._timers.run_frequent(target)
                    await self._settle()
            finally:
                self._meter.end_instant()
                self._poke.set()
            return self._clock.now()

    async def _follow(self) -> None:
        while True:
            async with self._moving:
                self._poke.clear()
                self._release()
                self._timers.run_due(self._clock.now())
                self._armed = self._next_due()
            await self._nap()

    async def _nap(self) -> None:
        seconds = _LONGEST_NAP
        if self._armed is not None:
            seconds = min(seconds, max(0, self._armed - self._clock.now()) / SECOND)
        try:
            async with asyncio.timeout(seconds):
                await self._poke.wait()
        except TimeoutError:
            return

    def _next_due(self) -> Micros | None:
        due = (self._store.read(reads.next_due, self._released), self._timers.next_due())
        return min((moment for moment in due if moment is not None), default=None)

    def _release(self) -> None:
        """Wake the instances whose timers became due since the last call."""
        now = self._clock.now()
        for key in self._store.read(reads.keys_due_between, self._released, now):
            self._engine.wake(key)
        self._released = now

    async def _settle(self) -> None:
        self._release()
        while not self._meter.is_idle:
            await self._meter.idle()
            self._release()

    async def _walk(self, target: Micros, *, every: bool) -> None:
        ran: set[str] = set()
        gap_ends = _gap_from(self._clock.now())
        for _ in range(_MOST_STEPS):
            step = self._next_step(min(gap_ends, target), set() if every else ran)
            if step is None and gap_ends >= target:
                return
            if step is None:
                gap_ends = _gap_from(gap_ends)
                ran.clear()
                continue
            self._meter.start_instant()
            await self._move(step.at)
            for recurring in step.recurring:
                ran.add(recurring.function.name)
                self._timers.run(recurring, step.at)
            await self._settle()
            if step.ends_gap:
                gap_ends = _gap_from(step.at)
                ran.clear()
        raise ClockError(
            409,
            f"After {_MOST_STEPS} steps the clock is at {to_text(self._clock.now())} and more is due before the "
            "target; advance again, or by less.",
        )

    def _next_step(self, target: Micros, ran: set[str]) -> _Step | None:
        durable = self._store.read(reads.next_due, self._released)
        gap_ends = target if durable is None else min(durable, target)
        due = [(self._occurrence(recurring, gap_ends, ran), recurring) for recurring in self._timers.all]
        moments = [moment for moment, _ in due if moment is not None]
        if durable is not None and durable <= target:
            moments.append(durable)
        if not moments:
            return None
        at = min(moments)
        return _Step(
            at, tuple(recurring for moment, recurring in due if moment == at), ends_gap=at == durable
        )

    @staticmethod
    def _occurrence(recurring: Recurring, until: Micros, ran: set[str]) -> Micros | None:
        if recurring.function.name in ran:
            return recurring.schedule.last(recurring.next, until)
        return recurring.next if recurring.next <= until else None

    async def _move(self, to: Micros) -> None:
        """Set the clock: first in the store, then in the file; only then may due timers run."""
        if to <= self._clock.now():
            return
        offset = self._clock.offset_for(to)
        try:
            await self._store.write(writes.save_clock_offset, offset)
            self._clock.set_offset(offset)
        except (sqlite3.Error, OSError) as failure:
            raise ClockError(
                503,
                f"The clock stays at {to_text(self._clock.now())}: {to_text(to)} could not be stored ({failure}). "
                "Free space on the disk of the data directory, or make it writable, and ask again.",
            ) from failure


def _gap_from(begin: Micros) -> Micros:
    """The end of the longest gap that begins at a moment."""
    return Micros(begin + _LONGEST_GAP)
