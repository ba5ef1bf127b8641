"""The activities of `registration_review`. Inputs and outputs carry ids, numbers and times only."""

from typing import Any

import azure.durable_functions as df

from activities.referral_steps import agreed_moment, as_json, moment_of
from activities.step import Step
from shared import clock
from shared.domain.ids import derived_operation
from shared.domain.referral import ReferralKey
from shared.domain.review_due import nudge_task
from shared.domain.work import work_of
from shared.errors import StoreConflict
from shared.wiring import Service, wiring
from shared.workflow.observe_review import observe_review
from shared.workflow.wake import party_of, registration_of

blueprint = df.Blueprint()


@blueprint.activity_trigger(input_name="step")
async def observe_registration(step: Step) -> dict[str, Any]:
    """{organizationId, referralId, registrationId, now} → {steps: [{activity, label}], nextAt, finished}."""
    service = await wiring.service()
    await service.heartbeats.engine_acted(clock.wall_clock())
    registration = registration_of(step)
    plan = await observe_review(
        service.referrals, service.registrations, party_of(step), registration, agreed_moment(step)
    )
    return as_json(plan, registration, moment_of(step))


@blueprint.activity_trigger(input_name="step")
async def nudge(step: Step) -> None:
    """Open the work of the escalation or reminder `label`, once (G7)."""
    await open_nudge(await wiring.service(), party_of(step), step["label"])


async def open_nudge(service: Service, party: ReferralKey, label: str) -> None:
    """Insert a nudge's work row; it exists once, whoever asks how often."""
    work = work_of(party.referral_id, label, derived_operation(label), (nudge_task(label),))
    try:
        await service.referrals.insert_work(party, work)
    except StoreConflict:
        return
