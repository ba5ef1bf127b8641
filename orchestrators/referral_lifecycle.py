"""The orchestration of a referral's reminders, expiry and work. One instance per referral."""

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from orchestrators.one_turn import one_turn

blueprint = df.Blueprint()


@blueprint.orchestration_trigger(context_name="context")
def referral_lifecycle(context: df.DurableOrchestrationContext) -> Generator[Any, Any, None]:
    """Instance id = referral id; input = {organizationId, referralId}. See `one_turn`."""
    yield from one_turn(context)
