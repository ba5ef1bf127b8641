"""The sweep: find the records whose intents are due, oldest first, and do what is due on them.

Intents are due for commits whose handler may have died, for due times of records (reminders, expiries, escalations),
and for requests of an operator. The sweep takes them in batches: it moves a batch to a later time before it looks at
its records. What a sweep has taken without coming to an end is taken alone and after the others, so that a record
that ends the process does not keep it from any of them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.referral import Referral
from shared.errors import Contended, EngineUnavailable, RecordUnreadable, StoreConflict, StoreUnavailable
from shared.storage.heartbeats import Heartbeats
from shared.storage.intents import Intent, Intents
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations
from shared.workflow.conversations import Conversations
from shared.workflow.due_work import DueWork
from shared.workflow.follow_up import Background
from shared.workflow.observe import Observed
from shared.workflow.restart import next_round, restart_round
from shared.workflow.wake import Orchestrations, backup_time, end, start, start_waiting

logger = logging.getLogger(__name__)

LONGEST_HANDLER = timedelta(minutes=15)
"""No handler runs that long by the wall clock: the function time-out is 5 minutes, storage calls are shorter.

The domain clock may be moved while a handler runs, so it cannot tell whether one still does.
"""
LONGEST_RUN = timedelta(seconds=90)
"""A sweep starts nothing more after this time: with what it has started it stays below functionTimeout, which would
end everything that the worker does."""
BATCH = 20
"""How many intents are taken at once: one request to storage moves them, and one removes them."""
AT_ONCE = 10
"""How many records are looked at at once."""
TAKEN, LONGEST_TAKEN = timedelta(minutes=2), timedelta(minutes=32)
"""When a taken intent is due again, should the sweep die. Doubles each time."""
LATER = timedelta(minutes=1)
"""When to try again what storage or the engine did not do."""
AT_NEXT_SWEEP = timedelta(milliseconds=1)
UNTIL_REPAIRED = timedelta(hours=1)
"""How often to retry a record that is damaged or causes an unexpected error: someone has to repair it."""
TERMINATIONS_PER_SECOND = 5
"""How many orchestrations are terminated per second: the engine's queues have no priorities, so all else waits."""
OWN_WORK_SECONDS = 5.0
"""How long a sweep waits for what handlers of its own process are doing, since it would do the same again."""
_TRANSIENT = (Contended, EngineUnavailable, StoreConflict, StoreUnavailable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Processes the intents that are due. `pause` waits for a number of seconds of real time."""

    referrals: Referrals
    registrations: Registrations
    intents: Intents
    due_work: DueWork
    background: Background
    conversations: Conversations
    heartbeats: Heartbeats
    wall_clock: Callable[[], datetime]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self, engine: Orchestrations, now: datetime) -> int:
        """Process the intents that are due at `now`, within the time limit; returns how many.

        What is due must be due by storage's clock as well (L4), so a host whose clock is ahead makes nothing happen
        early. Raises `StoreUnavailable` if the intents cannot be read or moved; the next run tries again.
        """
        await self.background.wait(OWN_WORK_SECONDS)
        looks, end_at, more = 0, self.wall_clock() + LONGEST_RUN, True
        while more and self.wall_clock() < end_at:
            due = await self.intents.due(now, BATCH)
            by_both = now - self.intents.clock_ahead()
            batch = _next_batch([intent for intent in due if intent.due <= by_both])
            more = bool(batch) and (len(due) == BATCH or len(batch) < len(due))
            looks += len(batch)
            await self._process(engine, batch, by_both, end_at)
        await self.heartbeats.record_sweep(self.wall_clock())
        return looks

    async def _process(
        self, engine: Orchestrations, batch: Sequence[Intent], now: datetime, end_at: datetime
    ) -> None:
        taken = [_taken(intent, now) for intent in batch]
        await self.intents.move(zip(batch, taken, strict=True))
        after = await _Batch(self, engine, now, end_at).look_at(taken)
        await self.intents.move(zip(taken, after, strict=True))
        terminated = sum(each is not None and each.ended_at == now for each in after)
        await self.pause(terminated / TERMINATIONS_PER_SECOND)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Looks at the records of one batch of intents."""

    sweep: Sweep
    engine: Orchestrations
    now: datetime
    end_at: datetime

    async def look_at(self, taken: Sequence[Intent]) -> list[Intent | None]:
        """Look at all records, several at a time; one failure must not stop the others.

        Returns for each intent the one that replaces it, None if it is not needed any more.
        """
        slots = asyncio.Semaphore(AT_ONCE)

        async def look(intent: Intent) -> Intent | None:
            async with slots:
                if self.sweep.wall_clock() >= self.end_at:
                    return replace(intent, due=self.now + AT_NEXT_SWEEP, tries=intent.tries - 1)
                return await self._try(intent)

        return list(await asyncio.gather(*map(look, taken)))

    async def _try(self, intent: Intent) -> Intent | None:
        try:
            return await self._look(intent)
        except _TRANSIENT as failed:
            logger.warning("sweep_failed instance=%s: %s", intent.instance_id, failed)
            return next_round(intent, self.now) if intent.ended_at else self._again(intent, LATER)
        except RecordUnreadable as damaged:
            logger.error("sweep_record_damaged instance=%s: %s", intent.instance_id, damaged)  # noqa: TRY400
        except Exception:
            logger.exception("sweep_unexpected_error instance=%s", intent.instance_id)
        return self._again(intent, UNTIL_REPAIRED)

    async def _look(self, intent: Intent) -> Intent | None:
        if intent.reason == "messages":
            due = await self.sweep.conversations.tell(intent.party, self.now)
            return replace(intent, due=due, tries=0) if due else None
        if intent.reason == "restart" and (waiting := await restart_round(self.engine, intent, self.now)):
            return waiting
        observed = await self.sweep.due_work.do(
            self.engine, intent.party, intent.registration, self.now, holds_intent=True
        )
        if intent.reason == "commit":
            return self._after_commit(intent, observed)
        if observed.record is None and not observed.rows:
            return self._unless_forgotten(intent)
        if intent.reason != "moment":
            await self._reindex(intent, observed)
        await self._tell_engine(intent, observed)
        plan = observed.plan(self.now)
        due = self.now + AT_NEXT_SWEEP if plan.steps else plan.next_at
        return _moment(intent, due) if due else None

    def _after_commit(self, intent: Intent, observed: Observed) -> Intent | None:
        """The intent of a step that was never committed is removed once its handler cannot be running any more."""
        row = observed.rows.get(intent.label)
        if row is None or row.value.operation_id != intent.id:
            return self._unless_forgotten(intent)
        if not row.value.open:
            return None
        due = None if row.value.is_due(self.now) else row.value.next_at
        return replace(intent, due=due or self.now + AT_NEXT_SWEEP, tries=0)

    def _unless_forgotten(self, intent: Intent) -> Intent | None:
        age = self.sweep.wall_clock() - intent.at
        return None if age > LONGEST_HANDLER else self._again(intent, LONGEST_HANDLER - age + LATER)

    async def _tell_engine(self, intent: Intent, observed: Observed) -> None:
        """End the orchestration of what is closed, and start that of what still waits if it is not running.

        It is only a backup, so it does not matter if the engine does not respond, unless an operator wants it.
        Raises `EngineUnavailable` then.
        """
        record, plan = observed.record, observed.plan(self.now)
        try:
            if intent.registration:
                if plan.next_at:
                    wait_until = backup_time(intent.instance_id, plan.next_at)
                    await start(self.engine, intent.party, intent.registration, wait_until)
            elif isinstance(record, Referral) and record.status == "New":
                await start_waiting(self.engine, record)
            elif isinstance(record, Referral) and not observed.awaits_engine(self.now):
                await end(self.engine, record)
        except EngineUnavailable as failed:
            if intent.reason != "moment":
                raise
            logger.warning("orchestration_not_started instance=%s: %s", intent.instance_id, failed)

    async def _reindex(self, intent: Intent, observed: Observed) -> None:
        """Index the registrations again: the table of the index may have been restored from another day's backup."""
        deal = observed.record
        for registration in deal.registrations if isinstance(deal, Referral) else ():
            await self.sweep.registrations.reindex(intent.party, registration.id)

    def _again(self, intent: Intent, after: timedelta = timedelta()) -> Intent:
        return replace(intent, due=self.now + after, tries=0)


def _moment(intent: Intent, due: datetime) -> Intent:
    """The intent for the next due time of a record; that of an operator becomes an ordinary one."""
    fresh = replace(intent, tries=0, ended_at=None, requests=0)
    return replace(fresh, reason="moment", id=intent.instance_id, due=due)


def _next_batch(due: Sequence[Intent]) -> Sequence[Intent]:
    """Those of the due intents that no sweep has taken before; else one, which may be what ended the sweep."""
    return [intent for intent in due if not intent.tries] or due[:1]


def _taken(intent: Intent, now: datetime) -> Intent:
    """The intent while a sweep looks at its record."""
    again = min(TAKEN * (1 << min(intent.tries, 10)), LONGEST_TAKEN)
    return replace(intent, due=now + again, tries=intent.tries + 1)
