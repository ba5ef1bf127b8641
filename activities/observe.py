"""The activities that determine what an orchestration has to do. Inputs and outputs have only ids and times."""

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

SHORTEST_BACKUP_DELAY = timedelta(minutes=5)
BACKUP_SPREAD_SECONDS = 600
RECHECK_AFTER = timedelta(seconds=30)
"""How long to wait if something is due by the orchestration's clock, but not yet by the worker's."""
ACTIVITY_OF = {"expire": "expire_referral", "remind": "remind", "perform": "perform"}


@blueprint.activity_trigger(input_name="sent")
async def observe(sent: ActivityInput) -> dict[str, Any]:
    """{organizationId, referralId, now} → {steps: [{activity, label}], nextAt, finished}."""
    return await _observe(sent)


@blueprint.activity_trigger(input_name="sent")
async def observe_registration(sent: ActivityInput) -> dict[str, Any]:
    """As `observe`, for a review: with a registrationId. Waiting instances have this name in their history."""
    return await _observe(sent)


async def _observe(sent: ActivityInput) -> dict[str, Any]:
    service = await wiring.service()
    await service.heartbeats.record_engine_activity(clock.wall_clock())
    registration = registration_of(sent)
    plan = await observe_record(
        service.referrals, service.registrations, record_of(sent), registration, earlier_time(sent)
    )
    return plan_to_json(plan, registration or sent["referralId"], orchestration_time(sent))


def plan_to_json(plan: Plan, instance_id: str, orchestration_now: datetime) -> dict[str, Any]:
    """A plan as JSON for the orchestration; `nextAt` is the time for its timer, which is later than the due time.

    The orchestration's clock may be ahead of the one used for the plan. A timer for a time that its clock has passed
    would fire at once, again and again; so `nextAt` is always later than the orchestration's time.
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
    """How long after a due time the orchestration's own timer fires: 5 to 15 minutes, different for each instance.

    Usually the sweep wakes the orchestration when something is due; the timer is only a backup. Deadlines do not
    depend on it, so where thousands of records are due at once, their timers can fire spread out.
    """
    spread = timedelta(seconds=int(digest(instance_id)[:8], 16) % BACKUP_SPREAD_SECONDS)
    return SHORTEST_BACKUP_DELAY + spread
