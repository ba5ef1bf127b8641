"""The timers of the sweep and of the hourly purge (docs/architecture.md, docs/operations.md)."""

import os

import azure.durable_functions as df
import azure.functions as func

from shared import clock
from shared.errors import ConfigurationError
from shared.settings import EVERY_TEN_SECONDS, read_sweep_schedule
from shared.wiring import wiring
from shared.workflow.durable import DurableEngine

blueprint = df.Blueprint()


def schedule() -> str:
    """The schedule of the sweep, read here because the host drops a function whose `%SETTING%` is not set.

    A malformed setting is reported by `wiring.service()`; an error here would leave the host without functions.
    """
    try:
        return read_sweep_schedule(os.environ)
    except ConfigurationError:
        return EVERY_TEN_SECONDS


@blueprint.timer_trigger(arg_name="timer", schedule=schedule())
@blueprint.durable_client_input(client_name="client")
async def sweep_intents(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Sweep: do what is due."""
    del timer
    service = await wiring.service()
    await service.sweep.run(DurableEngine(client), clock.now())


@blueprint.timer_trigger(arg_name="timer", schedule="0 17 * * * *")
@blueprint.durable_client_input(client_name="client")
async def purge_finished(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Purge the history of finished orchestrations."""
    del timer
    service = await wiring.service()
    await service.purge.run(DurableEngine(client), clock.now())
