"""The life of a referral in time: reminders, expiry, mail and effects elsewhere. One instance per referral."""

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from orchestrators.one_turn import one_turn

blueprint = df.Blueprint()


@blueprint.orchestration_trigger(context_name="context")
def referral_lifecycle(context: df.DurableOrchestrationContext) -> Generator[Any, Any, None]:
    """Instance id = referral id; input = {organizationId, referralId}. See `one_turn`."""
    yield from one_turn(context)
