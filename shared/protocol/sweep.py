"""The sweep: find the intents of those who died between their commit and their wake-up.

It reads every intent each minute, whatever its age. Whose work is open is woken, at doubling intervals; whose work
was never committed is forgotten once its handler cannot be alive any more. What an operator asks for comes last, and
of restarts a bounded number.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.referral import Party
from shared.errors import EngineUnavailable, StoreConflict, StoreUnavailable
from shared.protocol.restart import (
    LONGEST_RUN,
    MOST_AT_ONCE,
    after_a_failure,
    is_restart,
    next_round,
    restarted,
)
from shared.protocol.wake import Orchestrations, begin_review, wake
from shared.storage.intents import Intent, Intents
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations

logger = logging.getLogger(__name__)

LONGEST_HANDLER = timedelta(minutes=15)
"""No handler lives that long, by the wall clock: function time-out 5 minutes, storage calls bounded below it.

The domain clock can be moved while a handler is at work, so it does not tell whether one is.
"""
_PASSING = (EngineUnavailable, StoreConflict, StoreUnavailable)
FIRST_INTERVAL, LONGEST_INTERVAL = timedelta(minutes=1), timedelta(hours=12)

_Look = Callable[[Intent, Orchestrations, datetime], Awaitable[int]]

WAKE_ONLY = ""
"""The label of an intent that no commit made: an operator wants the record woken, whatever its work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Goes through the intents. Raises `StoreUnavailable` if they cannot be read; the next minute tries again."""

    referrals: Referrals
    registrations: Registrations
    intents: Intents
    wall_clock: Callable[[], datetime]

    async def run(self, engine: Orchestrations, now: datetime) -> int:
        """One round; says how many orchestrations it woke."""
        woken = 0
        restarts: list[Intent] = []
        async for intent in self.intents.all():
            if intent.next_wake_at and now < intent.next_wake_at:
                continue
            if not is_restart(intent):
                woken += await self._tried(self._look_at, intent, engine, now)
            elif len(restarts) < MOST_AT_ONCE:
                restarts.append(intent)
        end = self.wall_clock() + LONGEST_RUN
        for intent in restarts:
            if self.wall_clock() >= end:
                break
            woken += await self._tried(self._restart, intent, engine, now)
        return woken

    async def _tried(self, look: _Look, intent: Intent, engine: Orchestrations, now: datetime) -> int:
        """Look at an intent; one that fails must not keep us from the next."""
        try:
            return await look(intent, engine, now)
        except _PASSING as failed:
            logger.warning("sweep_failed referral=%s: %s", intent.party.referral_id, failed)
            return 0

    async def _look_at(self, intent: Intent, engine: Orchestrations, now: datetime) -> int:
        if intent.label == WAKE_ONLY:
            await self._wake_all(engine, intent.party)
            await self.intents.forget(intent.operation_id)
            return 1
        row = await self.referrals.work_row(intent.party, intent.label)
        committed = row is not None and row.value.operation_id == intent.operation_id
        if committed and row is not None and row.value.open:
            await wake(engine, intent.party)
            await self.intents.postpone(_postponed(intent, now))
            logger.info("sweep_woke referral=%s wakes=%d", intent.party.referral_id, intent.wakes + 1)
            return 1
        if committed or self.wall_clock() - intent.at > LONGEST_HANDLER:
            await self.intents.forget(intent.operation_id)
        return 0

    async def _restart(self, intent: Intent, engine: Orchestrations, now: datetime) -> int:
        """A round of a restart."""
        try:
            done = await restarted(engine, intent)
        except EngineUnavailable:
            await self.intents.postpone(after_a_failure(intent, now))
            raise
        if done:
            await self.intents.forget(intent.operation_id)
        else:
            await self.intents.postpone(next_round(intent, now))
        return int(done)

    async def _wake_all(self, engine: Orchestrations, party: Party) -> None:
        """Wake a record and the reviews of its registrations, which have orchestrations of their own (G7).

        Reviewers find the registrations by another table, which may have been restored from another day.
        """
        await wake(engine, party)
        stored = await self.referrals.get(party)
        for registered in stored.value.registrations if stored else ():
            await self.registrations.file_anew(party, registered.id)
            if registered.in_review:
                await begin_review(engine, party, registered.id)


def _postponed(intent: Intent, now: datetime) -> Intent:
    interval = min(FIRST_INTERVAL * 2 ** min(intent.wakes, 10), LONGEST_INTERVAL)
    return replace(intent, wakes=intent.wakes + 1, next_wake_at=now + interval)
