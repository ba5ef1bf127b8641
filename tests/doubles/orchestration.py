"""What the orchestration of a referral does, as far as a test lets it: observe, act, and observe again."""

from datetime import datetime

from activities.steps import expire_if_overdue, open_reminder
from shared.domain.referral import ReferralKey
from shared.wiring import Service
from shared.workflow.observe import PlannedStep, observe
from shared.workflow.wake import Orchestrations


async def follow(service: Service, engine: Orchestrations, referral: ReferralKey, now: datetime) -> None:
    """All that there is to do now, until the orchestration waits."""
    while steps := (await observe(service.referrals, service.registrations, referral, None, now)).steps:
        for step in steps:
            await run_activity(service, engine, referral, step, now)


async def run_activity(
    service: Service, engine: Orchestrations, referral: ReferralKey, step: PlannedStep, now: datetime
) -> None:
    """The activity that one step asks for."""
    match step.kind:
        case "expire":
            await expire_if_overdue(service, referral, now)
        case "remind":
            await open_reminder(service, referral, step.label)
        case _:
            await service.work_runner.perform(engine, referral, step.label, now)
