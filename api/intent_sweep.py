"""The timer that sweeps the intents each minute (docs/architecture.md)."""

import azure.durable_functions as df
import azure.functions as func

from shared import clock
from shared.protocol.durable import DurableEngine
from shared.wiring import wiring

blueprint = df.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="0 * * * * *")
@blueprint.durable_client_input(client_name="client")
async def sweep_intents(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Wake the orchestrations of those who died between their commit and their wake-up."""
    del timer
    service = await wiring.service()
    await service.sweep.run(DurableEngine(client), clock.now())
