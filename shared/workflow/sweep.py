"""The sweep: process the intents that are due, oldest first, and wake the orchestrations of their records.

Intents are due for commits whose handler may have died, for due times of records (reminders, expiries, escalations),
and for requests of an operator. Orchestrations are woken no faster than the durable engine processes them: its queues
have no priorities, so everything else would wait behind them.

That the engine accepts an event proves nothing. So each orchestration that was woken is looked at again, and one that
has not done a single step after two looks is terminated and restarted from the tables.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.errors import EngineUnavailable, RecordUnreadable, StoreConflict, StoreUnavailable
from shared.storage.heartbeats import Heartbeats
from shared.storage.intents import NOT_WOKEN, Intent, Intents, Watch, reschedule
from shared.storage.mail import MailRecords
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations
from shared.workflow.observe import Plan, PlannedStep, observe, steps_of
from shared.workflow.restart import restart_round, retry_later
from shared.workflow.wake import Orchestrations, wake

logger = logging.getLogger(__name__)

LONGEST_HANDLER = timedelta(minutes=15)
"""No handler runs that long by the wall clock: the function time-out is 5 minutes, storage calls are shorter.

The domain clock may be moved while a handler runs, so it cannot tell whether one still does.
"""
LONGEST_RUN = timedelta(seconds=40)
"""Time limit of a sweep: well below functionTimeout, which would end everything that the worker does."""
BATCH = 20
"""How many orchestrations are woken at once. The next batch waits until the engine has reached the last of them: its
queues keep their order."""
LAST_WOKEN, POLL_SECONDS, LONGEST_WAIT = 3, 0.5, 15.0
"""How many of a batch are checked for that, how often, and for how long at most (seconds): they may be dead."""
ENDS_PER_SECOND = 5
"""How many orchestrations are terminated per second."""
_AT_ONCE = 10
LOOKS_UNTIL_DEAD = 2
"""After how many consecutive looks without a change an orchestration counts as dead."""
FIRST_RECHECK = timedelta(seconds=10)
"""When to check whether an orchestration without steps has started a turn: an operator is waiting for it."""
BETWEEN_LOOKS, LONGEST_BETWEEN_LOOKS = timedelta(minutes=1), timedelta(minutes=16)
"""How long after waking an orchestration to look again; doubles while restarts do not help. A minute is longer than
the messages of a killed host stay invisible (host.json)."""
UNTIL_REPAIRED = timedelta(hours=1)
"""How often to retry a record that is damaged or causes an unexpected error: someone has to repair it."""
_TRANSIENT = (EngineUnavailable, StoreConflict, StoreUnavailable)


@dataclass(slots=True)
class _Tally:
    """The counts of one run: woken or started, terminated; and of those woken before, with and without progress."""

    woken: int = 0
    ended: int = 0
    moved: int = 0
    unmoved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Processes the intents that are due. `pause` waits for a number of seconds of real time."""

    referrals: Referrals
    registrations: Registrations
    intents: Intents
    mails: MailRecords
    heartbeats: Heartbeats
    wall_clock: Callable[[], datetime]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self, engine: Orchestrations, now: datetime) -> int:
        """Process the intents that are due at `now`, within the time limit; returns how many orchestrations it woke.

        Raises `StoreUnavailable` if the intents cannot be read; the next run tries again.
        """
        tally, seen = _Tally(), set[tuple[datetime, str]]()
        end = self.wall_clock() + LONGEST_RUN
        while self.wall_clock() < end:
            ended = tally.ended
            found = await self.intents.due(now, BATCH)
            batch = [intent for intent in found if (intent.due, intent.id) not in seen]
            seen.update((intent.due, intent.id) for intent in batch)
            if not batch:
                break
            run = _Run(self, engine, now, tally, end)
            await run.look_at(batch)
            if len(found) == BATCH:
                await self.pause((tally.ended - ended) / ENDS_PER_SECOND)
                await run.wait_for_engine()
        await self.heartbeats.record_sweep(self.wall_clock(), moved=tally.moved, unmoved=tally.unmoved)
        return tally.woken


@dataclass(frozen=True, slots=True)
class _Run:
    """Processes one batch. `woken` are the orchestrations that it woke, with the marks of their steps."""

    sweep: Sweep
    engine: Orchestrations
    now: datetime
    tally: _Tally
    end: datetime
    woken: list[tuple[Intent, tuple[str, ...]]] = field(default_factory=list[tuple[Intent, tuple[str, ...]]])

    async def look_at(self, batch: Sequence[Intent]) -> None:
        """Process intents, several at a time; one failure must not stop the others."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def look(intent: Intent) -> None:
            async with slots:
                if self.sweep.wall_clock() < self.end:
                    await self._try(intent)

        await asyncio.gather(*(look(intent) for intent in batch))

    async def wait_for_engine(self) -> None:
        """Wait until the engine has processed one of the orchestrations that were woken last."""
        last = self.woken[-LAST_WOKEN:]
        end = min(self.end, self.sweep.wall_clock() + timedelta(seconds=LONGEST_WAIT))
        for _ in range(int(LONGEST_WAIT / POLL_SECONDS)):
            if not last or self.sweep.wall_clock() >= end:
                return
            await self.sweep.pause(POLL_SECONDS)
            try:
                if any([await self._has_moved(intent, marks) for intent, marks in last]):
                    return
            except (*_TRANSIENT, RecordUnreadable) as failed:
                logger.info("sweep_poll_failed: %s", failed)

    async def _has_moved(self, intent: Intent, marks: tuple[str, ...]) -> bool:
        plan = await self._observe(intent)
        return not set(marks) <= {step.mark for step in plan.steps}

    async def _try(self, intent: Intent) -> None:
        try:
            await self._look(intent)
        except RecordUnreadable as unreadable:
            logger.warning("sweep_unreadable instance=%s: %s", intent.instance_id, unreadable)
            await self._try_later(intent, replace(intent, due=self.now + UNTIL_REPAIRED))
        except _TRANSIENT as failed:
            logger.warning("sweep_failed instance=%s: %s", intent.instance_id, failed)
            self.tally.unmoved += isinstance(failed, EngineUnavailable)
            await self._try_later(intent, retry_later(intent, self.now))
        except Exception:
            logger.exception("sweep_unexpected_error instance=%s", intent.instance_id)
            await self._try_later(intent, replace(intent, due=self.now + UNTIL_REPAIRED))

    async def _try_later(self, intent: Intent, later: Intent) -> None:
        try:
            await self.sweep.intents.move(intent, later)
        except StoreUnavailable:
            logger.warning("intent_not_moved instance=%s: it stays due", intent.instance_id)

    async def _look(self, intent: Intent) -> None:
        if intent.reason == "restart" or intent.watch.ended_at:
            await self._restart(intent)
        elif intent.reason == "commit":
            await self._look_at_commit(intent)
        else:
            await self._look_at_record(intent)

    async def _look_at_commit(self, intent: Intent) -> None:
        """Watch the record if its work is due, with all steps that it has to do, since rows are done in order.

        The intent of a step that was never committed is removed once its handler cannot be running any more.
        """
        rows = {row.value.label: row for row in await self.sweep.referrals.work(intent.party)}
        row = rows.get(intent.label)
        if row is None or row.value.operation_id != intent.id:
            await self._forget_or_wait(intent)
        elif not row.value.open:
            await self.sweep.intents.remove(intent)
            self._count_moved(intent)
        elif row.value.is_due(self.now):
            await self._watch(intent, steps_of(rows.values(), self.now))
        else:
            await self._move(intent, row.value.next_at)

    async def _look_at_record(self, intent: Intent) -> None:
        """Watch the record if something is due; otherwise look again at its next due time."""
        plan = await self._observe(intent)
        if plan.missing:
            await self._forget_or_wait(intent)
        elif plan.steps:
            await self._watch(intent, plan.steps)
        elif intent.reason == "wake" and not await self._has_run_since_woken(intent, plan):
            await self._watch(intent, ())
        else:
            await self._move(intent, plan.next_at)

    async def _forget_or_wait(self, intent: Intent) -> None:
        age = self.sweep.wall_clock() - intent.at
        if age > LONGEST_HANDLER:
            await self.sweep.intents.remove(intent)
        else:
            later = self.now + LONGEST_HANDLER - age + timedelta(seconds=1)
            await self.sweep.intents.move(intent, replace(intent, due=later))

    async def _observe(self, intent: Intent) -> Plan:
        return await observe(
            self.sweep.referrals, self.sweep.registrations, intent.party, intent.registration, self.now
        )

    async def _has_run_since_woken(self, intent: Intent, plan: Plan) -> bool:
        """Whether an orchestration without steps has started a turn since it was woken, or need not run."""
        woken_at = intent.watch.woken_at
        if woken_at is None:
            return False
        last_turn_at = await self.engine.last_turn_at(intent.instance_id)
        return plan.finished if last_turn_at is None else last_turn_at >= woken_at.replace(microsecond=0)

    async def _move(self, intent: Intent, due: datetime | None) -> None:
        """Look again at the next due time, if there is one. A request of an operator becomes an ordinary intent."""
        self._count_moved(intent)
        if due is None:
            await self.sweep.intents.remove(intent)
            return
        moved = reschedule(intent, due)
        if intent.reason == "wake":
            moved = replace(moved, reason="moment", id=intent.instance_id)
        await self.sweep.intents.move(intent, moved)

    async def _watch(self, intent: Intent, steps: Sequence[PlannedStep]) -> None:
        """Wake an orchestration that has steps to do; restart it if it has made no progress for too long."""
        marks = tuple(step.mark for step in steps)
        watch = intent.watch
        unmoved = watch.woken_at is not None and _is_unmoved(watch.steps, marks)
        if not unmoved:
            self._count_moved(intent)
            watch = NOT_WOKEN
        else:
            self.tally.unmoved += 1
            watch = replace(watch, unmoved=watch.unmoved + 1)
        if watch.unmoved >= LOOKS_UNTIL_DEAD and not await self._is_active(intent):
            await self._restart_dead(intent, watch)
            return
        if intent.reason == "wake" and not unmoved and intent.registration is None:
            await self._reindex(intent)
        await wake(self.engine, intent.party, intent.registration)
        self.tally.woken += 1
        if marks:
            self.woken.append((intent, marks))
        expected = watch.steps if unmoved else marks
        woken = replace(watch, woken_at=watch.woken_at or self.now, steps=expected)
        wait = FIRST_RECHECK if not marks and not unmoved else _between_looks(watch)
        await self.sweep.intents.move(intent, replace(intent, due=self.now + wait, watch=woken))

    async def _is_active(self, intent: Intent) -> bool:
        """Whether it may be alive: it started a turn recently, or a mail of its record is being sent."""
        last_turn_at = await self.engine.last_turn_at(intent.instance_id)
        if last_turn_at and self.now - last_turn_at < BETWEEN_LOOKS:
            return True
        return await self.sweep.mails.is_leased(intent.party.referral_id, self.sweep.wall_clock())

    async def _restart_dead(self, intent: Intent, watch: Watch) -> None:
        logger.error(
            "orchestration_dead instance=%s restarts=%d steps=%s: it accepted events and did nothing; "
            "it is restarted",
            *(intent.instance_id, watch.restarts, ",".join(watch.steps)),
        )
        await self._restart(replace(intent, watch=watch))

    async def _restart(self, intent: Intent) -> None:
        """One round of a restart. A restarted orchestration is watched again: that it was started proves nothing."""
        waiting = await restart_round(self.engine, intent, self.now)
        if waiting:
            self.tally.ended += 1
            if intent.watch.ended_at:
                self.tally.unmoved += 1
            await self.sweep.intents.move(intent, waiting)
            return
        self.tally.woken += 1
        self.tally.moved += 1
        watch = intent.watch
        restarted = Watch(woken_at=self.now, steps=watch.steps, restarts=watch.restarts + bool(watch.tells))
        if intent.reason == "restart":
            watched = replace(intent, reason="wake", due=self.now + FIRST_RECHECK, watch=restarted)
        else:
            watched = replace(intent, due=self.now + _between_looks(restarted), watch=restarted)
        await self.sweep.intents.move(intent, watched)

    async def _reindex(self, intent: Intent) -> None:
        """Index the registrations again: the table of the index may have been restored from another day's backup."""
        stored = await self.sweep.referrals.get(intent.party)
        for registration in stored.value.registrations if stored else ():
            await self.sweep.registrations.reindex(intent.party, registration.id)

    def _count_moved(self, intent: Intent) -> None:
        if intent.watch.woken_at is not None:
            self.tally.moved += 1


def _is_unmoved(before: tuple[str, ...], now: tuple[str, ...]) -> bool:
    """Whether all steps of the last look are still to be done; if there were none, whether there are none now."""
    return set(before) <= set(now) if before else not now


def _between_looks(watch: Watch) -> timedelta:
    doublings = max(0, min(watch.restarts - 1, 10))
    return min(BETWEEN_LOOKS * (1 << doublings), LONGEST_BETWEEN_LOOKS)
