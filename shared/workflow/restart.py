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
from shared.domain.referral import ReferralKey
from shared.storage.intents import Intent
from shared.storage.referrals import Referrals
from shared.workflow.wake import Orchestrations, begin

logger = logging.getLogger(__name__)

PATIENCE, LONGEST_PATIENCE = timedelta(seconds=90), timedelta(minutes=16)
"""How long to wait for an end until the instance is told again; twice as long each time."""
PAUSE_AFTER_FAILURE = timedelta(minutes=1)
REASON = "Started anew: an operator asked for it, or it had stopped moving."


async def instances_of(referrals: Referrals, record: ReferralKey) -> list[RegistrationId | None]:
    """A record's orchestrations: its own (None), and those of the reviews of its registrations (G7)."""
    stored = await referrals.get(record)
    registered = stored.value.registrations if stored else ()
    return [None, *(each.id for each in registered if each.in_review)]


async def restart_round(engine: Orchestrations, intent: Intent, now: datetime) -> Intent | None:
    """A round: start an instance again if it has ended, else tell it to end, or wait; None once it has begun anew.

    One that began after it was told to end is its successor, which a handler or another intent has started; were it
    the old one after all, it ends, and whoever watches it then starts it. Otherwise gives the intent as it waits for
    the next round. Raises `EngineUnavailable`: the next round tries again.
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
    """The intent as it waits after the engine or storage did not do as it was asked.

    It is looked at again as it was, but not by the next sweep, which belongs to others; unless it is being restarted:
    a start that is refused right after the end should be tried again soon.
    """
    if intent.watch.ended_at:
        return _next_round(intent, now)
    return replace(intent, due=now + PAUSE_AFTER_FAILURE)


def _next_round(intent: Intent, now: datetime) -> Intent:
    """The next sweep; each minute once it takes long."""
    told = intent.watch.ended_at or now
    soon = intent.watch.tells < 2 and now - told < PATIENCE
    return replace(intent, due=now + (timedelta(milliseconds=1) if soon else PAUSE_AFTER_FAILURE))


def _patience(tells: int) -> timedelta:
    doublings = max(0, min(tells - 1, 10))
    return min(PATIENCE * (1 << doublings), LONGEST_PATIENCE)
