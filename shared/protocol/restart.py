"""Restarting orchestrations: end what the engine has of a record, and start it again from the tables.

Nothing is lost by it, because an instance holds nothing that the tables do not have. An operator asks for it after a
deployment that changed the shape of a turn (docs/operations.md): an instance that waits has a history of the version
that started it, and another version can do nothing with that. The sweep does it by itself where an orchestration
takes events and does nothing.

Ending takes the engine up to half a minute, and a start that comes sooner is refused. So a restart takes rounds, one
a sweep: the first asks for the end, and the first that finds the instance ended starts it again. Each instance has an
intent of its own, so that one that does not end keeps no other down.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.ids import RegistrationId
from shared.domain.referral import Party
from shared.protocol.wake import REVIEW, Orchestrations, argument_of, begin, begin_review, wake
from shared.storage.intents import Intent
from shared.storage.referrals import Referrals

logger = logging.getLogger(__name__)

PATIENT_ROUNDS = 3
"""After which an instance that has not ended is told again, at intervals that grow to `LONGEST_INTERVAL`."""
LONGEST_INTERVAL = timedelta(minutes=16)
PAUSE_AFTER_FAILURE = timedelta(minutes=1)
REASON = "Started anew: an operator asked for it, or it had stopped moving."


async def instances_of(referrals: Referrals, party: Party) -> list[RegistrationId | None]:
    """A record's orchestrations: its own (None), and those of the reviews of its registrations (G7)."""
    stored = await referrals.get(party)
    registered = stored.value.registrations if stored else ()
    return [None, *(each.id for each in registered if each.in_review)]


async def wake_instance(engine: Orchestrations, intent: Intent) -> None:
    """Wake the orchestration that an intent is about, or start it if it does not run. Raises `EngineUnavailable`."""
    if intent.registration is None:
        await wake(engine, intent.party)
    elif not await engine.raise_event(intent.registration, "changed"):
        argument = {**argument_of(intent.party), "registrationId": intent.registration}
        await engine.start(REVIEW, intent.registration, argument)


async def restarted(engine: Orchestrations, intent: Intent) -> bool:
    """Start an instance again if it has ended, else tell it to end; whether it was started.

    Raises `EngineUnavailable`: the next round tries again.
    """
    rounds = intent.watch.ending or 0
    if await engine.is_running(intent.instance_id):
        if rounds % PATIENT_ROUNDS == 0:
            await engine.terminate(intent.instance_id, REASON)
        if rounds >= PATIENT_ROUNDS:
            logger.warning("restart_waits rounds=%d instance=%s", rounds, intent.instance_id)
        return False
    if intent.registration is None:
        await begin(engine, intent.party)
    else:
        await begin_review(engine, intent.party, intent.registration)
    return True


def next_round(intent: Intent, now: datetime) -> Intent:
    """The intent as it waits for its next look: the next sweep, or later after many."""
    rounds = (intent.watch.ending or 0) + 1
    late = rounds - PATIENT_ROUNDS
    pause = min(timedelta(minutes=2 ** min(late, 10)), LONGEST_INTERVAL) if late > 0 else timedelta()
    due = max(now + pause, now + timedelta(milliseconds=1))
    return replace(intent, due=due, watch=replace(intent.watch, ending=rounds))


def after_a_failure(intent: Intent, now: datetime) -> Intent:
    """The intent as it waits after the engine or storage did not do as it was asked.

    It is looked at again as it was, but not by the next sweep, which belongs to others. A round of a restart counts,
    since a start that is refused right after the end should be tried by the next sweep.
    """
    return next_round(intent, now) if intent.watch.ending else replace(intent, due=now + PAUSE_AFTER_FAILURE)
