"""Restart orchestrations: terminate an instance, and start it again from the tables.

Nothing is lost, because an instance has no data that is not in the tables. An operator requests it after a deployment
that changed a turn (docs/operations.md): the history of a waiting instance belongs to the version that started it,
and another version cannot continue it. The sweep restarts orchestrations that accept events but do nothing.

The engine takes up to half a minute to terminate an instance, and refuses to start it before. So a restart takes
several rounds, one per sweep: the first requests the termination, and the first that finds the instance terminated
starts it. Each instance has its own intent, so that one that does not terminate does not block others.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.ids import RegistrationId
from shared.domain.referral import ReferralKey
from shared.storage.intents import Intent
from shared.storage.referrals import Referrals
from shared.workflow.wake import Orchestrations, begin

logger = logging.getLogger(__name__)

PATIENCE, LONGEST_PATIENCE = timedelta(seconds=90), timedelta(minutes=16)
"""How long to wait for a termination before requesting it again; doubles each time."""
PAUSE_AFTER_FAILURE = timedelta(minutes=1)
REASON = "Restarted: an operator requested it, or the orchestration did nothing."


async def instances_of(referrals: Referrals, record: ReferralKey) -> list[RegistrationId | None]:
    """A record's orchestrations: its own (None), and those of its registrations in review (G7)."""
    stored = await referrals.get(record)
    registrations = stored.value.registrations if stored else ()
    return [None, *(each.id for each in registrations if each.in_review)]


async def restart_round(engine: Orchestrations, intent: Intent, now: datetime) -> Intent | None:
    """One round: start the instance if it has terminated; otherwise request the termination, or wait.

    Returns the intent for the next round, or None once the instance is restarted. An instance whose turn started
    after the request is a successor, started by a handler or another intent; if it is the old one nevertheless, it
    will terminate, and the sweep that watches it starts it. Raises `EngineUnavailable`: the next round tries again.
    """
    watch = intent.watch
    last_turn_at = await engine.last_turn_at(intent.instance_id)
    if last_turn_at is None:
        await begin(engine, intent.party, intent.registration)
        return None
    if watch.ended_at and last_turn_at >= watch.ended_at.replace(microsecond=0):
        return None
    if watch.ended_at is None or now - watch.ended_at >= _patience(watch.tells):
        await engine.terminate(intent.instance_id, REASON)
        if watch.tells:
            logger.warning("restart_waits tells=%d instance=%s", watch.tells, intent.instance_id)
        watch = replace(watch, ended_at=now, tells=watch.tells + 1)
    return _next_round(replace(intent, watch=watch), now)


def retry_later(intent: Intent, now: datetime) -> Intent:
    """The intent after a failure of the engine or storage: looked at again later, to give precedence to others.

    During a restart it is looked at by the next sweep: the engine may refuse to start right after a termination.
    """
    if intent.watch.ended_at:
        return _next_round(intent, now)
    return replace(intent, due=now + PAUSE_AFTER_FAILURE)


def _next_round(intent: Intent, now: datetime) -> Intent:
    """Due at the next sweep; once it takes long, each minute."""
    requested = intent.watch.ended_at or now
    soon = intent.watch.tells < 2 and now - requested < PATIENCE
    return replace(intent, due=now + (timedelta(milliseconds=1) if soon else PAUSE_AFTER_FAILURE))


def _patience(tells: int) -> timedelta:
    doublings = max(0, min(tells - 1, 10))
    return min(PATIENCE * (1 << doublings), LONGEST_PATIENCE)
