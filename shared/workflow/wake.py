"""Start, wake and end the orchestrations of records.

The tables say what is due, and the sweep does it. An orchestration waits for the answer and for the deadline beside
it, so that neither depends on the other. Starting or waking one too often is harmless: it finds nothing to do.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, Protocol

from shared.domain.ids import OrganizationId, ReferralId, RegistrationId, digest
from shared.domain.referral import Referral, ReferralKey
from shared.errors import EngineUnavailable

logger = logging.getLogger(__name__)

LIFECYCLE, REVIEW = "referral_lifecycle", "registration_review"
EndingEvent = Literal["accepted", "declined", "expired"]
Event = Literal[EndingEvent, "changed"]
"""An answer, or the expiry or withdrawal: the orchestration of a referral ends. Or something to look at."""
_ENDING_EVENTS: Mapping[str, EndingEvent] = {"Declined": "declined", "Expired": "expired"}
WAIT_UNTIL = "waitUntil"
"""The name, in the input of an orchestration, of the time until which it waits before it looks (ISO 8601)."""
_SHORTEST_BACKUP_DELAY = timedelta(minutes=5)
_BACKUP_SPREAD_SECONDS = 600


class Orchestrations(Protocol):
    """The durable engine as this service uses it. All methods raise `EngineUnavailable` if it does not respond."""

    async def raise_event(self, instance_id: str, event: Event) -> bool:
        """Send an event; False if there is no such instance, or it has finished."""
        ...

    async def start(self, name: str, instance_id: str, argument: dict[str, str]) -> bool:
        """Start an instance; False if it is running already."""
        ...

    async def last_turn_at(self, instance_id: str) -> datetime | None:
        """When an instance last started a turn, by the engine's clock in whole seconds; None if it is not running.

        For one that is suspended or still pending it is long ago. Events alone do not change it: an instance whose
        activity was lost accepts events, but never starts another turn.
        """
        ...

    async def terminate(self, instance_id: str, reason: str) -> None:
        """Request the termination of an instance, which happens later; no effect if none is running."""
        ...


async def wake(
    engine: Orchestrations,
    record: ReferralKey,
    registration: RegistrationId | None = None,
) -> None:
    """Have a record's orchestration, or that of a review, do what is due now; start it if it is not running.

    If another process starts it between the two calls, it looks after our commit, so nothing is missed.
    """
    instance_id = registration or record.referral_id
    if not await engine.raise_event(instance_id, "changed"):
        await start(engine, record, registration)


async def begin_review(engine: Orchestrations, record: ReferralKey, registration: RegistrationId) -> None:
    """Start the orchestration of a registration's review; wake it if it is running."""
    if not await start(engine, record, registration):
        await engine.raise_event(registration, "changed")


async def start(
    engine: Orchestrations,
    record: ReferralKey,
    registration: RegistrationId | None = None,
    wait_until: datetime | None = None,
) -> bool:
    """Start an orchestration; False if it is running. With `wait_until` it waits at first, else it looks at once."""
    argument = input_of(record)
    if wait_until:
        argument[WAIT_UNTIL] = wait_until.isoformat()
    if registration is None:
        return await engine.start(LIFECYCLE, record.referral_id, argument)
    return await engine.start(REVIEW, registration, {**argument, "registrationId": registration})


async def start_waiting(engine: Orchestrations, referral: Referral) -> None:
    """Start the orchestration of a referral that waits for its answer, unless it is running."""
    if referral.status == "New" and referral.expires_at:
        await start(engine, referral.key, wait_until=backup_time(referral.id, referral.expires_at))


async def end(engine: Orchestrations, referral: Referral) -> None:
    """End the orchestration of a referral that is not New any more; no effect if none is running.

    If the engine does not respond or loses the event, the orchestration ends when its timer fires.
    """
    try:
        await engine.raise_event(referral.id, _ENDING_EVENTS.get(referral.substatus, "accepted"))
    except EngineUnavailable:
        logger.warning("end_failed referral=%s: its timer will end it", referral.id)


async def wake_or_leave_to_sweep(engine: Orchestrations, record: ReferralKey) -> None:
    """Wake after a commit; if the engine does not respond, the next sweep does the work."""
    try:
        await wake(engine, record)
    except EngineUnavailable:
        logger.warning("wake_failed referral=%s: left to the sweep", record.referral_id)


def backup_time(instance_id: str, due: datetime) -> datetime:
    """When an orchestration looks at what is due: 5 to 15 minutes later, different for each instance.

    Usually the sweep has done it by then. So where thousands of records are due at once, the timers of those that
    wait nevertheless fire spread out.
    """
    spread = timedelta(seconds=int(digest(instance_id)[:8], 16) % _BACKUP_SPREAD_SECONDS)
    return due + _SHORTEST_BACKUP_DELAY + spread


def input_of(record: ReferralKey) -> dict[str, str]:
    """The input of an orchestration: organization and id."""
    return {"organizationId": record.organization_id, "referralId": record.referral_id}


def record_of(orchestration_input: Mapping[str, str]) -> ReferralKey:
    """The key of the record in an orchestration's input."""
    return ReferralKey(
        organization_id=OrganizationId(orchestration_input["organizationId"]),
        referral_id=ReferralId(orchestration_input["referralId"]),
    )


def registration_of(orchestration_input: Mapping[str, str]) -> RegistrationId | None:
    """The registration id in the input of a review's orchestration; None for other orchestrations."""
    identifier = orchestration_input.get("registrationId")
    return RegistrationId(identifier) if identifier else None
