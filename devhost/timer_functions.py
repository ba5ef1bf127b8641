"""Timer functions: when each is due by the domain clock, and its runs, which never overlap."""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from azure.functions.timer import TimerRequest

from devhost.clock import DomainClock
from devhost.errors import StartError
from devhost.functions import Function, TimerTrigger
from devhost.invocation import Invoker
from devhost.meter import WorkMeter
from devhost.schedule import Schedule, parse_schedule
from devhost.store import Store, TimerStatus, reads, writes
from devhost.timestamps import SECOND, Micros, to_text

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Recurring:
    """A timer function and its next occurrence; `last` is when it last ran."""

    function: Function
    expression: str
    schedule: Schedule
    next: Micros
    last: Micros | None = None
    running: bool = False

    @property
    def is_recorded(self) -> bool:
        """Whether runs are recorded; the platform does not record functions that run more than once a minute."""
        return self.schedule.after(self.next) - self.next >= 60 * SECOND


class TimerFunctions:
    """The timer functions of the app."""

    def __init__(
        self,
        functions: Sequence[Function],
        *,
        invoker: Invoker,
        store: Store,
        clock: DomainClock,
        meter: WorkMeter,
    ) -> None:
        """Parse the schedules. Raises StartError."""
        self._invoker = invoker
        self._store = store
        self._clock = clock
        self._meter = meter
        self._tasks: set[asyncio.Task[None]] = set()
        now = clock.now()
        self.all = [_recurring(function, now) for function in functions]

    def start(self) -> None:
        """Run functions that were due while the host was down, and those with run_on_startup."""
        now = self._clock.now()
        for recurring in self.all:
            trigger = recurring.function.trigger
            assert isinstance(trigger, TimerTrigger)
            known = self._store.read(reads.timer_status, recurring.function.name)
            if known is not None and known.schedule == recurring.expression:
                recurring.last = known.last
            missed = recurring.last is not None and known is not None and known.next < now
            if missed or trigger.run_on_startup:
                self.run(recurring, now, past_due=missed)

    def next_due(self) -> Micros | None:
        """Return the next occurrence of any function; None without timer functions."""
        return min((recurring.next for recurring in self.all), default=None)

    def run_due(self, now: Micros) -> None:
        """Run each function that is due, once; further missed occurrences are skipped."""
        for recurring in self.all:
            if recurring.next <= now:
                self.run(recurring, now)

    def run_frequent(self, now: Micros) -> None:
        """Run each function that runs more often than once a minute."""
        for recurring in self.all:
            if not recurring.is_recorded:
                self.run(recurring, now)

    def run(self, recurring: Recurring, occurrence: Micros, *, past_due: bool = False) -> None:
        """Start a run unless one is in progress; the next occurrence is after `occurrence`."""
        recurring.next = recurring.schedule.after(occurrence)
        if recurring.running:
            _log.warning("timer.still_running name=%s; this occurrence is skipped", recurring.function.name)
            return
        recurring.running = True
        self._meter.begin()
        task = asyncio.create_task(self._run(recurring, occurrence, past_due=past_due))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel the runs in progress."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, recurring: Recurring, occurrence: Micros, *, past_due: bool) -> None:
        name = recurring.function.name
        try:
            request = TimerRequest(
                past_due=past_due, schedule_status=_status(recurring), schedule={"AdjustForDST": True}
            )
            recurring.last = occurrence
            returned = await self._invoker.call(recurring.function, request)
            if returned is not None:
                _log.error("timer.returned_a_value name=%s; it has no $return binding", name)
        except Exception:  # noqa: BLE001 - any error of the app is logged; the timer goes on
            _log.exception("timer.failed name=%s", name)
        finally:
            recurring.running = False
            try:
                await self._record(recurring)
            finally:
                self._meter.end()

    async def _record(self, recurring: Recurring) -> None:
        """Record the run. If the record is lost, the function runs once too often after the next start."""
        if not recurring.is_recorded:
            return
        status = TimerStatus(recurring.expression, recurring.last, recurring.next, self._clock.now())
        try:
            await self._store.write(writes.save_timer_status, recurring.function.name, status)
        except sqlite3.Error as failure:
            _log.error("timer.not_recorded name=%s error=%r", recurring.function.name, failure)


def _recurring(function: Function, now: Micros) -> Recurring:
    assert isinstance(function.trigger, TimerTrigger)
    try:
        schedule = parse_schedule(function.trigger.schedule)
    except StartError as failure:
        raise StartError(f"Timer function '{function.name}' cannot run. {failure}") from failure
    return Recurring(function, function.trigger.schedule, schedule, schedule.after(now))


def _status(recurring: Recurring) -> dict[str, str] | None:
    if recurring.last is None:
        return None
    last = to_text(recurring.last)
    return {"Last": last, "Next": to_text(recurring.next), "LastUpdated": last}
