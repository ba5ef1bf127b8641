"""The activities that carry out a planned step. Their inputs have only ids, labels and times."""

from datetime import datetime

import azure.durable_functions as df

from activities.activity_input import ActivityInput, earlier_time
from shared.domain.change import Change, CommandContext
from shared.domain.due import reminder_work
from shared.domain.lifecycle import SYSTEM_ACTOR, expire, is_overdue
from shared.domain.referral import Referral, ReferralKey
from shared.errors import StoreConflict
from shared.wiring import Service, wiring
from shared.workflow.durable import DurableEngine
from shared.workflow.wake import record_of

blueprint = df.Blueprint()


@blueprint.activity_trigger(input_name="sent")
async def expire_referral(sent: ActivityInput) -> None:
    """Expire a referral whose deadline has passed (L4)."""
    await expire_if_overdue(await wiring.service(), record_of(sent), earlier_time(sent))


@blueprint.activity_trigger(input_name="sent")
async def remind(sent: ActivityInput) -> None:
    """Create the work of the reminder or escalation `label`, once (M3, G7)."""
    await open_reminder(await wiring.service(), record_of(sent), sent["label"])


@blueprint.activity_trigger(input_name="sent")
@blueprint.durable_client_input(client_name="client")
async def perform(sent: ActivityInput, client: df.DurableOrchestrationClient) -> None:
    """Try each due task of the work row `label` once."""
    service = await wiring.service()
    await service.work_runner.perform(
        DurableEngine(client), record_of(sent), sent["label"], earlier_time(sent)
    )


async def expire_if_overdue(service: Service, referral: ReferralKey, now: datetime) -> None:
    """Commit the expiry if it is due; a second run has no effect."""

    async def decide(read: Referral, context: CommandContext) -> Change | None:
        return expire(read, context) if is_overdue(read, context.now) else None

    await service.commits.step(referral, CommandContext(actor=SYSTEM_ACTOR, now=now), decide)


async def open_reminder(service: Service, record: ReferralKey, label: str) -> None:
    """Insert a reminder's work row, unless it exists."""
    try:
        await service.referrals.insert_work(record, reminder_work(record.referral_id, label))
    except StoreConflict:
        return
