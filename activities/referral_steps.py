"""The activities of `referral_lifecycle`. Inputs and outputs carry ids, numbers and times only."""

from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from activities.step import Step
from shared import clock
from shared.domain.change import Change, CommandContext
from shared.domain.ids import derived_operation, digest
from shared.domain.lifecycle import BY_THE_CLOCK, expire, is_overdue
from shared.domain.referral import Referral, ReferralKey
from shared.domain.work import Notify, work_of
from shared.errors import StoreConflict
from shared.wiring import Service, wiring
from shared.workflow.durable import DurableEngine
from shared.workflow.observe import Plan
from shared.workflow.observe import observe as observe_record
from shared.workflow.wake import party_of

blueprint = df.Blueprint()

EARLIEST_NET = timedelta(minutes=5)
NET_SPREAD_SECONDS = 600


@blueprint.activity_trigger(input_name="step")
async def observe(step: Step) -> dict[str, Any]:
    """{organizationId, referralId, now} → {steps: [{activity, label}], nextAt, finished}."""
    service = await wiring.service()
    await service.heartbeats.engine_acted(clock.wall_clock())
    plan = await observe_record(service.referrals, party_of(step), agreed_moment(step))
    return as_json(plan, step["referralId"], moment_of(step))


@blueprint.activity_trigger(input_name="step")
async def expire_referral(step: Step) -> None:
    """Close a referral whose time to answer is over (L4)."""
    await expire_if_overdue(await wiring.service(), party_of(step), agreed_moment(step))


@blueprint.activity_trigger(input_name="step")
async def remind(step: Step) -> None:
    """Open the work of the reminder `label`, once (M3)."""
    await open_reminder(await wiring.service(), party_of(step), step["label"])


@blueprint.activity_trigger(input_name="step")
@blueprint.durable_client_input(client_name="client")
async def perform(step: Step, client: df.DurableOrchestrationClient) -> None:
    """Try the due tasks of the work row `label` once each."""
    service = await wiring.service()
    engine, now = DurableEngine(client), agreed_moment(step)
    await service.work_runner.perform(engine, party_of(step), step["label"], now)


async def expire_if_overdue(service: Service, party: ReferralKey, now: datetime) -> None:
    """Take the expiry step if it is due; a second run finds it taken."""

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        return expire(referral, context) if is_overdue(referral, context.now) else None

    await service.commits.step(party, CommandContext(actor=BY_THE_CLOCK, now=now), decide)


async def open_reminder(service: Service, party: ReferralKey, label: str) -> None:
    """Insert a reminder's work row; it exists once, whoever asks how often."""
    operation_id = derived_operation(label, party.referral_id)
    task = Notify(message="reminder", audience="answerers")
    try:
        await service.referrals.insert_work(party, work_of(party.referral_id, label, operation_id, (task,)))
    except StoreConflict:
        return


LOOK_AGAIN = timedelta(seconds=30)
"""How long to wait for a moment that has come by the orchestration's clock, and not yet by the worker's."""
ACTIVITY_OF = {"expire": "expire_referral", "remind": "remind", "nudge": "nudge", "perform": "perform"}


def as_json(plan: Plan, instance_id: str, orchestration_now: datetime) -> dict[str, Any]:
    """A plan as it travels to the orchestration, with the time of its own timer instead of the record's moment.

    The orchestration's clock may be ahead of the one that the plan was made by. A timer for a time that it shows
    already would fire at once, and again, until this worker's clock comes there too; so it looks again later.
    """
    next_at = None
    if plan.next_at:
        next_at = max(plan.next_at + net_delay(instance_id), orchestration_now + LOOK_AGAIN)
    return {
        "steps": [{"activity": ACTIVITY_OF[step.kind], "label": step.label} for step in plan.steps],
        "nextAt": next_at.isoformat() if next_at else None,
        "finished": plan.finished,
    }


def net_delay(instance_id: str) -> timedelta:
    """How long after a moment of its record an orchestration's own timer fires: 5 to 15 minutes, each its own.

    The sweep hands out what is due; the timer is the net behind it. The deadline is the record's, not the timer's, so
    thousands of timers need not fall at once where thousands of deadlines do.
    """
    return EARLIEST_NET + int(digest(instance_id)[:8], 16) % NET_SPREAD_SECONDS * timedelta(seconds=1)


def moment_of(step: Step) -> datetime:
    """The orchestration's time, from an activity's input."""
    return datetime.fromisoformat(step["now"])


def agreed_moment(step: Step) -> datetime:
    """The earlier of the orchestration's time and this worker's own: what it shows has come by both clocks (L4).

    A host whose clock is fast makes nothing early; one whose clock is slow makes things late by as much.
    """
    return min(moment_of(step), clock.now())
