"""Restarting a record's orchestrations: end what the engine has of them, and begin anew from the tables.

A deployment that changes the shape of a turn needs it (docs/operations.md): an instance that waits has a history of
the version that began it, and another version can do nothing with that. Nothing is lost, because an instance holds
nothing that the tables do not have.

Ending takes the engine up to half a minute, and a start that comes sooner is refused. So a restart takes rounds, one
a sweep: the first asks for the end, and the first that finds everything ended begins anew.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.referral import Party
from shared.protocol.wake import Orchestrations
from shared.storage.intents import Intent
from shared.storage.referrals import Referrals

logger = logging.getLogger(__name__)

RESTART = "restart"
"""The label of an intent by which an operator wants a record's orchestrations restarted, whatever its work."""
MOST_AT_ONCE = 200
"""Of records, in one sweep: at a sixth of a second each, a run stays far below functionTimeout."""
PATIENT_ROUNDS = 3
"""After which an instance that has not ended is told again, at intervals that grow to `LONGEST_INTERVAL`."""
LONGEST_INTERVAL = timedelta(minutes=16)
REASON = "Restarted by an operator."


async def ended(engine: Orchestrations, referrals: Referrals, intent: Intent) -> bool:
    """Whether none of a record's instances runs any more; those that do are told to end.

    Raises `EngineUnavailable`, `StoreUnavailable`: the next round tries again.
    """
    running = [each for each in await _instances(referrals, intent.party) if await engine.is_running(each)]
    if intent.wakes % PATIENT_ROUNDS == 0:
        for instance_id in running:
            await engine.terminate(instance_id, REASON)
    if running and intent.wakes >= PATIENT_ROUNDS:
        logger.warning("restart_waits rounds=%d instances=%s", intent.wakes, ",".join(running))
    return not running


async def _instances(referrals: Referrals, party: Party) -> list[str]:
    """A record's own instance, and those of the reviews of its registrations (G7)."""
    stored = await referrals.get(party)
    registered = stored.value.registrations if stored else ()
    return [party.referral_id, *(each.id for each in registered if each.in_review)]


def next_round(intent: Intent, now: datetime) -> Intent:
    """The intent as it waits for its next look: the next sweep, or later after many."""
    late = intent.wakes + 1 - PATIENT_ROUNDS
    pause = min(timedelta(minutes=2 ** min(late, 10)), LONGEST_INTERVAL)
    return replace(intent, wakes=intent.wakes + 1, next_wake_at=now + pause if late > 0 else None)
