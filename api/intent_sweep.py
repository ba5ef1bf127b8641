"""The timer that sweeps the intents, each minute unless SWEEP_SCHEDULE says otherwise (docs/architecture.md)."""

import os

import azure.durable_functions as df
import azure.functions as func

from shared import clock
from shared.errors import ConfigurationError
from shared.protocol.durable import DurableEngine
from shared.settings import EVERY_MINUTE, read_sweep_schedule
from shared.wiring import wiring

blueprint = df.Blueprint()


def schedule() -> str:
    """When to sweep. It is written out here: the host drops a function whose `%SETTING%` is not set.

    A malformed setting is told by `wiring.service()`, in words and wherever it is used; an error here would leave the
    host without functions.
    """
    try:
        return read_sweep_schedule(os.environ)
    except ConfigurationError:
        return EVERY_MINUTE


@blueprint.timer_trigger(arg_name="timer", schedule=schedule())
@blueprint.durable_client_input(client_name="client")
async def sweep_intents(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Wake the orchestrations of those who died between their commit and their wake-up."""
    del timer
    service = await wiring.service()
    await service.sweep.run(DurableEngine(client), clock.now())
