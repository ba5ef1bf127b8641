"""The hourly timer that purges finished orchestrations (docs/operations.md)."""

import azure.durable_functions as df
import azure.functions as func

from shared import clock
from shared.wiring import wiring
from shared.workflow.durable import DurableEngine

blueprint = df.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="0 17 * * * *")
@blueprint.durable_client_input(client_name="client")
async def purge_finished(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:
    """Purge the history of finished orchestrations."""
    del timer
    service = await wiring.service()
    await service.purge.run(DurableEngine(client), clock.now())
