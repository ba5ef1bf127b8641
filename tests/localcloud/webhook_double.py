"""A double of the webhook of an app: answers the handshake, keeps the events, responds as the test says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

PATH = "/events"


@dataclass
class Webhook:
    """The received events, in order. A test sets the statuses and `validation` to change the responses."""

    url: str = ""
    status: int = 200
    handshake_status: int = 200
    validation: web.Response | None = None
    handshakes: list[web.Request] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        (event,) = await request.json()
        if request.headers["aeg-event-type"] == "SubscriptionValidation":
            assert event["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent"
            assert event["data"]["validationUrl"].startswith("https://")
            self.handshakes.append(request)
            shaken = {"validationResponse": event["data"]["validationCode"]}
            return self.validation or web.json_response(shaken, status=self.handshake_status)
        self.requests.append(request)
        if self.status < 300:
            self.events.append(event)
        return web.Response(status=self.status, headers={"Location": PATH})

    def received_statuses(self) -> list[tuple[str, str]]:
        return [(event["data"]["recipient"], event["data"]["status"]) for event in self.events]


@asynccontextmanager
async def listening() -> AsyncIterator[Webhook]:
    webhook = Webhook()
    application = web.Application()
    application.router.add_post(PATH, webhook.answer)
    async with TestServer(application) as server:
        webhook.url = str(server.make_url(PATH))
        yield webhook
