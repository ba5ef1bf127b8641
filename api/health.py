"""`GET /healthz`: ready or not, and why. Needs no token and tells nothing about anybody."""

import azure.durable_functions as df
import azure.functions as func

from api.exchange import Answer, to_response
from shared.disk import require_room
from shared.errors import ServiceError
from shared.wiring import wiring

blueprint = df.Blueprint()


@blueprint.route("healthz", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def healthz(req: func.HttpRequest) -> func.HttpResponse:
    """200 when requests can be served; 503 with the reason when not."""
    return to_response(await health(), req.headers.get("client-request-id"))


async def health() -> Answer:
    """Settings can be read, storage answers, and there is room on the disk for commands."""
    try:
        service = await wiring.service()
        require_room(service.settings.watched_disk)
        await service.directory.is_empty()
    except ServiceError as failed:
        return Answer(status=503, body={"status": "notReady", "reason": str(failed)})
    return Answer(body={"status": "ready", "reason": None})
