"""Waking the orchestration of a referral: it has to look at the tables again.

A wake-up too many finds no open work; a start too many finds it done. So waking may be repeated freely.
"""

import logging
from datetime import datetime
from typing import Literal, Protocol

from shared.domain.ids import OrganizationId, ReferralId, RegistrationId
from shared.domain.referral import ReferralKey
from shared.errors import EngineUnavailable

logger = logging.getLogger(__name__)

LIFECYCLE, REVIEW = "referral_lifecycle", "registration_review"
Event = Literal["accepted", "declined", "changed"]


class Orchestrations(Protocol):
    """The durable engine, as this service uses it. Each method raises `EngineUnavailable` when it does not answer."""

    async def raise_event(self, instance_id: str, event: Event) -> bool:
        """Deliver an event; False if there is no such instance, or it has finished."""
        ...

    async def start(self, name: str, instance_id: str, argument: dict[str, str]) -> bool:
        """Start an instance; False if it is running already."""
        ...

    async def begun_at(self, instance_id: str) -> datetime | None:
        """When an instance last began a turn, by the engine's clock in whole seconds; None if it does not run.

        Of one that is suspended or has not begun it is long ago. An event alone changes nothing of it: an instance
        whose activity was lost takes events, and never begins another turn.
        """
        ...

    async def terminate(self, instance_id: str, reason: str) -> None:
        """Ask for the end of an instance, which comes later; nothing happens where none runs."""
        ...


async def wake(engine: Orchestrations, party: ReferralKey, event: Event = "changed") -> None:
    """Wake a referral's orchestration, or start it if it is not running.

    An instance that another one starts between our two calls observes after our commit, so that is success.
    """
    if not await engine.raise_event(party.referral_id, event):
        await engine.start(LIFECYCLE, party.referral_id, argument_of(party))


async def begin(engine: Orchestrations, party: ReferralKey) -> None:
    """Start a new referral's orchestration, or wake it if it is running."""
    if not await engine.start(LIFECYCLE, party.referral_id, argument_of(party)):
        await engine.raise_event(party.referral_id, "changed")


async def begin_review(engine: Orchestrations, deal: ReferralKey, registration_id: RegistrationId) -> None:
    """Start a registration's orchestration, or wake it if it is running."""
    if not await engine.start(REVIEW, registration_id, _argument_of_review(deal, registration_id)):
        await engine.raise_event(registration_id, "changed")


async def wake_review(engine: Orchestrations, deal: ReferralKey, registration_id: RegistrationId) -> None:
    """Wake a registration's orchestration, or start it if it is not running."""
    if not await engine.raise_event(registration_id, "changed"):
        await engine.start(REVIEW, registration_id, _argument_of_review(deal, registration_id))


async def wake_or_leave_to_sweep(engine: Orchestrations, party: ReferralKey, event: Event) -> None:
    """Wake after a commit. If the engine does not answer, the intent stays, and the next sweep wakes."""
    try:
        await wake(engine, party, event)
    except EngineUnavailable:
        logger.warning("wake_failed referral=%s event=%s: the sweep will wake it", party.referral_id, event)


def argument_of(party: ReferralKey) -> dict[str, str]:
    """An orchestration's input: organization and id, nothing else."""
    return {"organizationId": party.organization_id, "referralId": party.referral_id}


def _argument_of_review(deal: ReferralKey, registration_id: RegistrationId) -> dict[str, str]:
    return {**argument_of(deal), "registrationId": registration_id}


def party_of(argument: dict[str, str]) -> ReferralKey:
    """The party that an orchestration's input names."""
    return ReferralKey(
        organization_id=OrganizationId(argument["organizationId"]),
        referral_id=ReferralId(argument["referralId"]),
    )


def registration_of(argument: dict[str, str]) -> RegistrationId:
    """The registration that an orchestration's input names."""
    return RegistrationId(argument["registrationId"])
