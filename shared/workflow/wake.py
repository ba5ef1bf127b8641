"""Wake the orchestration of a record, so that it reads the tables again.

Waking is idempotent: an orchestration that is woken or started once too often finds nothing to do.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol

from shared.domain.ids import OrganizationId, ReferralId, RegistrationId
from shared.domain.referral import ReferralKey
from shared.errors import EngineUnavailable

logger = logging.getLogger(__name__)

LIFECYCLE, REVIEW = "referral_lifecycle", "registration_review"
Event = Literal["accepted", "declined", "changed"]


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
    event: Event = "changed",
) -> None:
    """Wake a record's orchestration, or that of a registration's review; start it if it is not running.

    If another process starts it between the two calls, it observes after our commit, so nothing is missed.
    """
    instance_id = registration or record.referral_id
    if not await engine.raise_event(instance_id, event):
        await _start(engine, record, registration)


async def begin(
    engine: Orchestrations, record: ReferralKey, registration: RegistrationId | None = None
) -> None:
    """Start a new record's orchestration, or that of a registration's review; wake it if it is running."""
    if not await _start(engine, record, registration):
        await engine.raise_event(registration or record.referral_id, "changed")


async def _start(engine: Orchestrations, record: ReferralKey, registration: RegistrationId | None) -> bool:
    if registration is None:
        return await engine.start(LIFECYCLE, record.referral_id, input_of(record))
    return await engine.start(REVIEW, registration, {**input_of(record), "registrationId": registration})


async def wake_or_leave_to_sweep(engine: Orchestrations, record: ReferralKey, event: Event) -> None:
    """Wake after a commit; if the engine does not respond, the intent stays and the next sweep wakes it."""
    try:
        await wake(engine, record, event=event)
    except EngineUnavailable:
        logger.warning("wake_failed referral=%s event=%s: the sweep will wake it", record.referral_id, event)


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
