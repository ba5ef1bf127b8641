"""The orchestration of a review's escalations and reminders (G7). One instance per registration in review."""

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from orchestrators.one_turn import one_turn

blueprint = df.Blueprint()


@blueprint.orchestration_trigger(context_name="context")
def registration_review(context: df.DurableOrchestrationContext) -> Generator[Any, Any, None]:
    """Instance id = registration id; input = {organizationId, referralId, registrationId}. See `one_turn`."""
    yield from one_turn(context, "observe_registration")
