"""Restarting orchestrations: end what the engine has of a record, and start it again from the tables.

A deployment that changes the shape of a turn needs it (docs/operations.md): an instance that waits has a history of
the version that started it, and another version can do nothing with that. Nothing is lost, because an instance holds
nothing that the tables do not have.

Ending takes the engine up to half a minute, and a start that comes sooner is refused. So a restart takes rounds, one
a sweep: the first asks for the end, and the first that finds the instance ended starts it again. Each instance has an
intent of its own, so that one that does not end keeps no other down.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.ids import RegistrationId
from shared.domain.referral import Party
from shared.protocol.wake import Orchestrations, begin_review, wake
from shared.storage.intents import Intent
from shared.storage.referrals import Referrals

logger = logging.getLogger(__name__)

_RESTART = "restart:"
MOST_AT_ONCE = 200
"""Of instances, in one sweep."""
LONGEST_RUN = timedelta(minutes=2)
"""After which a sweep takes up no further one: well below functionTimeout, which ends all that the worker does."""
PATIENT_ROUNDS = 3
"""After which an instance that has not ended is told again, at intervals that grow to `LONGEST_INTERVAL`."""
LONGEST_INTERVAL = timedelta(minutes=16)
REASON = "Restarted by an operator."


async def instances_of(referrals: Referrals, party: Party) -> list[str]:
    """The ids of a record's own instance and of those of the reviews of its registrations (G7)."""
    stored = await referrals.get(party)
    registered = stored.value.registrations if stored else ()
    return [party.referral_id, *(each.id for each in registered if each.in_review)]


def label_of_restart(instance_id: str) -> str:
    """The label of an intent by which an operator wants an instance of a record restarted."""
    return _RESTART + instance_id


def is_restart(intent: Intent) -> bool:
    """Whether an intent is an operator's, to restart an instance."""
    return intent.label.startswith(_RESTART)


async def restarted(engine: Orchestrations, intent: Intent) -> bool:
    """Start an instance again if it has ended, else tell it to end; whether it was started.

    Raises `EngineUnavailable`: the next round tries again.
    """
    instance_id = intent.label.removeprefix(_RESTART)
    if await engine.is_running(instance_id):
        if intent.wakes % PATIENT_ROUNDS == 0:
            await engine.terminate(instance_id, REASON)
        if intent.wakes >= PATIENT_ROUNDS:
            logger.warning("restart_waits rounds=%d instance=%s", intent.wakes, instance_id)
        return False
    if instance_id == intent.party.referral_id:
        await wake(engine, intent.party)
    else:
        await begin_review(engine, intent.party, RegistrationId(instance_id))
    return True


def next_round(intent: Intent, now: datetime) -> Intent:
    """The intent as it waits for its next look: the next sweep, or later after many."""
    late = intent.wakes + 1 - PATIENT_ROUNDS
    pause = min(timedelta(minutes=2 ** min(late, 10)), LONGEST_INTERVAL)
    return replace(intent, wakes=intent.wakes + 1, next_wake_at=now + pause if late > 0 else None)


def after_a_failure(intent: Intent, now: datetime) -> Intent:
    """The intent as it waits after the engine did not do as it was asked.

    The first round is taken again, but not by the next sweep, which belongs to others: there may be many of both.
    Later ones count, since a start that is refused right after the end should be tried by the next sweep.
    """
    return (
        next_round(intent, now) if intent.wakes else replace(intent, next_wake_at=now + timedelta(seconds=90))
    )
