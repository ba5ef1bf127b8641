"""The activities that look what an orchestration has to do. Inputs and outputs carry ids, numbers and times only."""

from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from activities.activity_input import ActivityInput, earlier_time, orchestration_time
from shared import clock
from shared.domain.ids import digest
from shared.wiring import wiring
from shared.workflow.observe import Plan
from shared.workflow.observe import observe as observe_record
from shared.workflow.wake import record_of, registration_of

blueprint = df.Blueprint()

EARLIEST_NET = timedelta(minutes=5)
NET_SPREAD_SECONDS = 600
RECHECK_AFTER = timedelta(seconds=30)
"""How long to wait for a moment that has come by the orchestration's clock, and not yet by the worker's."""
ACTIVITY_OF = {"expire": "expire_referral", "remind": "remind", "perform": "perform"}


@blueprint.activity_trigger(input_name="sent")
async def observe(sent: ActivityInput) -> dict[str, Any]:
    """{organizationId, referralId, now} → {steps: [{activity, label}], nextAt, finished}."""
    return await _observe(sent)


@blueprint.activity_trigger(input_name="sent")
async def observe_registration(sent: ActivityInput) -> dict[str, Any]:
    """As `observe`, with a registrationId: of its review. Instances that wait have this name in their history."""
    return await _observe(sent)


async def _observe(sent: ActivityInput) -> dict[str, Any]:
    service = await wiring.service()
    await service.heartbeats.engine_acted(clock.wall_clock())
    registration = registration_of(sent)
    plan = await observe_record(
        service.referrals, service.registrations, record_of(sent), registration, earlier_time(sent)
    )
    return plan_to_json(plan, registration or sent["referralId"], orchestration_time(sent))


def plan_to_json(plan: Plan, instance_id: str, orchestration_now: datetime) -> dict[str, Any]:
    """A plan as it travels to the orchestration, with the time of its own timer instead of the record's moment.

    The orchestration's clock may be ahead of the one that the plan was made by. A timer for a time that it shows
    already would fire at once, and again, until this worker's clock comes there too; so it looks again later.
    """
    next_at = None
    if plan.next_at:
        next_at = max(plan.next_at + backup_timer_delay(instance_id), orchestration_now + RECHECK_AFTER)
    return {
        "steps": [{"activity": ACTIVITY_OF[step.kind], "label": step.label} for step in plan.steps],
        "nextAt": next_at.isoformat() if next_at else None,
        "finished": plan.finished,
    }


def backup_timer_delay(instance_id: str) -> timedelta:
    """How long after a moment of its record an orchestration's own timer fires: 5 to 15 minutes, each its own.

    The sweep hands out what is due; the timer is the net behind it. The deadline is the record's, not the timer's, so
    thousands of timers need not fall at once where thousands of deadlines do.
    """
    return EARLIEST_NET + int(digest(instance_id)[:8], 16) % NET_SPREAD_SECONDS * timedelta(seconds=1)
