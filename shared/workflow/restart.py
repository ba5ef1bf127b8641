"""Restart orchestrations: terminate an instance, and start it again from the tables.

Nothing is lost, because an instance has no data that is not in the tables. An operator requests it after a deployment
that changed a turn (docs/operations.md): the history of a waiting instance belongs to the version that started it,
and another version cannot continue it.

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
from shared.workflow.wake import Orchestrations

logger = logging.getLogger(__name__)

PATIENCE, LONGEST_PATIENCE = timedelta(seconds=90), timedelta(minutes=16)
"""How long to wait for a termination before requesting it again; doubles each time."""
PAUSE = timedelta(minutes=1)
"""Between two looks, once a termination takes long."""
REASON = "Restarted: an operator requested it."


async def instances_of(referrals: Referrals, record: ReferralKey) -> list[RegistrationId | None]:
    """A record's orchestrations: its own (None), and those of its registrations in review (G7)."""
    stored = await referrals.get(record)
    registrations = stored.value.registrations if stored else ()
    return [None, *(each.id for each in registrations if each.in_review)]


async def restart_round(engine: Orchestrations, intent: Intent, now: datetime) -> Intent | None:
    """One round: request the termination, or wait for it. Returns the intent for the next round.

    None once the instance may be started: it has terminated, or none was running. An instance whose turn started
    after the request is a successor, started by a handler or another intent. Raises `EngineUnavailable`: the next
    round tries again.
    """
    last_turn_at = await engine.last_turn_at(intent.instance_id)
    if last_turn_at is None:
        return None
    if intent.ended_at and last_turn_at >= intent.ended_at.replace(microsecond=0):
        return None
    if intent.ended_at is None or now - intent.ended_at >= _patience(intent.requests):
        await engine.terminate(intent.instance_id, REASON)
        if intent.requests:
            logger.warning("restart_waits requests=%d instance=%s", intent.requests, intent.instance_id)
        intent = replace(intent, ended_at=now, requests=intent.requests + 1)
    return next_round(intent, now)


def next_round(intent: Intent, now: datetime) -> Intent:
    """Due at the next sweep; once it takes long, each minute."""
    requested = intent.ended_at or now
    soon = intent.requests < 2 and now - requested < PATIENCE
    return replace(intent, due=now + (timedelta(milliseconds=1) if soon else PAUSE), tries=0)


def _patience(requests: int) -> timedelta:
    doublings = max(0, min(requests - 1, 10))
    return min(PATIENCE * (1 << doublings), LONGEST_PATIENCE)
