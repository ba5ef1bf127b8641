"""The activities of the orchestrations: do what is due on a record. Inputs and outputs have only ids and times."""

from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from activities.activity_input import ActivityInput, earlier_time, orchestration_time
from shared.domain.referral import Referral
from shared.wiring import wiring
from shared.workflow.durable import DurableEngine
from shared.workflow.observe import Observed
from shared.workflow.wake import backup_time, record_of, registration_of

blueprint = df.Blueprint()

RECHECK_AFTER = timedelta(seconds=30)
"""How long to wait if something is due by the orchestration's clock, but not yet by the worker's."""


@blueprint.activity_trigger(input_name="sent")
@blueprint.durable_client_input(client_name="client")
async def observe(sent: ActivityInput, client: df.DurableOrchestrationClient) -> dict[str, Any]:
    """{organizationId, referralId, now} → {nextAt, finished}. Waiting instances have this name in their history."""
    return await _do_due_work(sent, client)


@blueprint.activity_trigger(input_name="sent")
@blueprint.durable_client_input(client_name="client")
async def observe_registration(sent: ActivityInput, client: df.DurableOrchestrationClient) -> dict[str, Any]:
    """As `observe`, for a review: with a registrationId."""
    return await _do_due_work(sent, client)


async def _do_due_work(sent: ActivityInput, client: df.DurableOrchestrationClient) -> dict[str, Any]:
    service = await wiring.service()
    registration, now = registration_of(sent), earlier_time(sent)
    observed = await service.due_work.do(DurableEngine(client), record_of(sent), registration, now)
    return outcome(observed, registration or sent["referralId"], now, orchestration_time(sent))


def outcome(
    observed: Observed, instance_id: str, now: datetime, orchestration_now: datetime
) -> dict[str, Any]:
    """What an orchestration has to know of its record: whether it is finished, and when to look again.

    It looks again some time after something is due, since the sweep does that (`backup_time`). Its clock may be ahead
    of the one used here, and a timer for a time that its clock has passed would fire at once, again and again; so
    `nextAt` is always later than its time.
    """
    plan = observed.plan(now)
    due = now if plan.steps else _waits_for(observed, plan.next_at)
    next_at = due and max(backup_time(instance_id, due), orchestration_now + RECHECK_AFTER)
    return {"nextAt": next_at.isoformat() if next_at else None, "finished": not observed.awaits_engine(now)}


def _waits_for(observed: Observed, next_at: datetime | None) -> datetime | None:
    """A referral's orchestration waits for the deadline and deferred work; its reminders are the sweep's alone."""
    record = observed.record
    if not isinstance(record, Referral):
        return next_at
    deferred = [at for row in observed.rows.values() if row.value.open and (at := row.value.next_at)]
    deadline = [record.expires_at] if record.status == "New" and record.expires_at else []
    return min([*deadline, *deferred], default=None)
