"""Follow up a committed step: first what its caller can read, then the rest of its work in the background.

So a response does not wait for mails, and they do not wait for the durable engine. A crash loses nothing: the intents
that announced the step stay until its work is done, and the sweep does what is left.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from shared.domain.change import Change
from shared.domain.due import due_on_referral
from shared.domain.referral import ReferralKey
from shared.domain.registration import Registration
from shared.domain.work import Publish, Work, label_of
from shared.errors import StoreUnavailable
from shared.storage.codec import Stored
from shared.storage.intents import Intents
from shared.storage.known_referrals import KnownReferrals
from shared.storage.tables import in_transactions
from shared.workflow.announce import place_of_done
from shared.workflow.commit import Committed
from shared.workflow.perform import TRANSIENT, Performer, Prepared
from shared.workflow.wake import Orchestrations, end, wake_or_leave_to_sweep
from shared.workflow.work_runs import WorkRuns

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 100
"""How many steps are followed up in the background at once, by one process; what is above that is left to the engine
and the sweep."""
LONGEST_FOLLOW_UP = 180.0
"""Seconds by the real clock: longer than a run and its last task may take, and well below functionTimeout."""
Effect = Callable[[], Awaitable[None]]


class Background:
    """The follow-ups that run in this process after their responses were sent."""

    def __init__(self, limit: int = MOST_AT_ONCE) -> None:
        self._limit = limit
        self._running: set[asyncio.Task[None]] = set()  # keeps them from being garbage-collected

    @property
    def is_full(self) -> bool:
        """Whether nothing more may be started now."""
        return len(self._running) >= self._limit

    def start(self, follow_up: Coroutine[Any, Any, None]) -> None:
        """Run a follow-up in the background."""
        task = asyncio.create_task(_limited(follow_up))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def wait(self, seconds: float) -> None:
        """Wait until those that run now are done, at most so long."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUps:
    """Follows up the steps that handlers commit."""

    performer: Performer
    intents: Intents
    background: Background

    async def begin(
        self,
        engine: Orchestrations,
        step: Committed,
        known: KnownReferrals,
        now: datetime,
    ) -> Prepared:
        """Apply what the caller can read of a step's effects, and start the rest; returns what is done.

        Raises nothing, since the step is committed.
        """
        since = known.moment
        prepared = await self._prepare(step.change, now)
        runs = self._runs(engine, known, now)
        follow_up = _FollowUp(self, runs, prepared, since)
        await self._start(engine, step.after.key, follow_up.after_step(step))
        return prepared

    def begin_other(self, follow_up: Coroutine[Any, Any, None]) -> None:
        """Run in the background what the sweep does as well, if it is not done; dropped if too much runs already."""
        if self.background.is_full:
            follow_up.close()
        else:
            self.background.start(follow_up)

    async def begin_delivery(
        self, engine: Orchestrations, request: ReferralKey, leads: Sequence[Committed] | None, now: datetime
    ) -> None:
        """Start what follows from a request for information. `leads` are those delivered, None if that failed."""
        known = KnownReferrals(self.performer.referrals)
        runs = self._runs(engine, known, now)
        follow_up = _FollowUp(self, runs, Prepared(arrivals=leads))
        await self._start(engine, request, follow_up.after_request(request))

    def _runs(self, engine: Orchestrations, known: KnownReferrals, now: datetime) -> WorkRuns:
        started = self.performer.wall_clock()
        return WorkRuns(performer=self.performer, engine=engine, known=known, now=now, started=started)

    async def _start(
        self, engine: Orchestrations, record: ReferralKey, run: Coroutine[Any, Any, None]
    ) -> None:
        if self.background.is_full:
            run.close()
            await wake_or_leave_to_sweep(engine, record)
            return
        self.background.start(run)

    async def _prepare(self, change: Change, now: datetime) -> Prepared:
        """Whatever fails here is done by the work of the step."""
        prepared, performer = Prepared(), self.performer

        async def deliver() -> None:
            prepared.arrivals = await performer.invitations.deliver_new(change, now)

        async def publish() -> None:
            await performer.visibility.follow(change.after)
            prepared.published = change.after.deal_type

        async def index(registration: Registration) -> None:
            await performer.registrations.index(registration)
            prepared.indexed[registration.id] = registration

        effects: list[Effect] = [partial(index, registration) for registration in change.registrations]
        if change.invitations:
            effects.append(deliver)
        if change.work and any(isinstance(state.task, Publish) for state in change.work.tasks):
            effects.append(publish)
        await asyncio.gather(*(_or_leave_to_work(effect, change) for effect in effects))
        return prepared


@dataclass(frozen=True, slots=True)
class _FollowUp:
    """The follow-up of one step, with the records that it has read, `since` those of the step itself."""

    owner: FollowUps
    runs: WorkRuns
    prepared: Prepared
    since: int | None = None

    async def after_step(self, step: Committed) -> None:
        """Do the work of a step and of those that it causes, remove their intents, and end the wait if it is over."""
        before, record = step.change.before, step.after.key
        done = await self._perform(record, step.change.work, step.work)
        answered = before is not None and before.status == "New" and step.after.status != "New"
        if before and answered and (due := due_on_referral(before, (), self.runs.now).next_at):
            self.runs.places.append((due, before.id))
        await self._remove_intents(record)
        if not done:
            await wake_or_leave_to_sweep(self.runs.engine, record)
        elif answered:
            await end(self.runs.engine, step.after)

    async def after_request(self, request: ReferralKey) -> None:
        """Do the work of a request for information, and that of its leads."""
        row = await self.runs.performer.referrals.get_work(request, label_of(1))
        done = row is None or await self._perform(request, row.value, row)
        await self._remove_intents(request)
        if not done:
            await wake_or_leave_to_sweep(self.runs.engine, request)

    async def _perform(self, record: ReferralKey, work: Work | None, row: Stored[Work] | None) -> bool:
        """Whether all work of a step is done."""
        if work is None:
            return True
        try:
            row = row or await self.runs.performer.referrals.get_work(record, work.label)
            after = row and await self.runs.perform(record, row, since=self.since, prepared=self.prepared)
        except TRANSIENT as failed:
            logger.warning("work_left referral=%s work=%s: %s", record.referral_id, work.label, failed)
            return False
        if after and (place := place_of_done(after.value)):
            self.runs.places.append(place)
        return after is not None and not after.value.open

    async def _remove_intents(self, record: ReferralKey) -> None:
        try:
            for group in in_transactions(self.runs.places):
                await self.owner.intents.remove(*group)
        except StoreUnavailable as failed:
            logger.info("intents_left referral=%s: the sweep removes them. %s", record.referral_id, failed)


async def _limited(follow_up: Coroutine[Any, Any, None]) -> None:
    """A defect or a lost connection ends a follow-up, and is logged; the sweep does what is left."""
    try:
        async with asyncio.timeout(LONGEST_FOLLOW_UP):
            await follow_up
    except TRANSIENT as failed:
        logger.warning("follow_up_left: %s", failed)
    except Exception:
        logger.exception("follow_up_failed")


async def _or_leave_to_work(effect: Effect, change: Change) -> None:
    try:
        await effect()
    except TRANSIENT as failed:
        logger.warning("effect_pending referral=%s: left to its work. %s", change.after.id, failed)
