"""The durable HTTP API that DurableOrchestrationClient and the management URLs call."""

import asyncio
import json
import logging
import re
import sqlite3
from collections.abc import Awaitable, Callable
from uuid import uuid4

from aiohttp import web

from devhost.clock import DomainClock
from devhost.durable_urls import RPC_PATH, WEBHOOK_PATH, management_urls
from devhost.engine import Engine
from devhost.errors import ManagementError
from devhost.status import Status
from devhost.status_json import history_view, status_view
from devhost.store import Instance, InstanceFilter, Store, reads, writes
from devhost.timestamps import Micros, from_text

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LONGEST_ID = 256
_FORBIDDEN_IN_ID = re.compile(r"[/\\?#\x00-\x1f\x7f-\x9f]")
_LEFT_OUT = "devhost does not support {}; run this app on Azure or under the Functions Core Tools for it."


class DurableHttpApi:
    """Start, raise, query, terminate and purge; other operations respond with 501."""

    def __init__(
        self, *, store: Store, clock: DomainClock, engine: Engine, hub: str, replaces_running: bool = False
    ) -> None:
        self._store = store
        self._clock = clock
        self._engine = engine
        self._hub = hub
        self._replaces_running = replaces_running

    def routes(self) -> list[web.RouteDef]:
        """Return the routes under both base paths."""
        return [
            web.route(method, base + path, _answering(handler))
            for base in (RPC_PATH, WEBHOOK_PATH)
            for method, path, handler in (
                ("POST", "/orchestrators/{name}", self.start),
                ("POST", "/orchestrators/{name}/{id}", self.start),
                ("GET", "/instances", self.list),
                ("GET", "/instances/", self.list),
                ("DELETE", "/instances", self.purge_many),
                ("DELETE", "/instances/", self.purge_many),
                ("GET", "/instances/{id}", self.status),
                ("DELETE", "/instances/{id}", self.purge),
                ("POST", "/instances/{id}/raiseEvent/{event}", self.raise_event),
                ("POST", "/instances/{id}/terminate", self.terminate),
                ("POST", "/instances/{id}/{operation:rewind|restart|suspend|resume}", self.left_out),
                ("*", "/entities{rest:(/.*)?}", self.left_out),
            )
        ]

    async def start(self, request: web.Request) -> web.Response:
        """Start an instance: 202 with the management URLs, or its outcome if it ends within `timeout` seconds.

        The orchestrator is looked up when the instance runs; if it does not exist, the instance fails.
        """
        name = request.match_info["name"]
        instance_id = _checked_id(request.match_info.get("id") or uuid4().hex)
        start = writes.Start(
            instance_id,
            name,
            request.query.get("version", ""),
            await _json_text(request),
            self._replaces_running,
        )
        self._engine.wake(await self._store.write(writes.start_instance, start, self._clock.now()))
        seconds = float(request.query.get("timeout") or 0)
        if seconds and await self._ended(instance_id, seconds):
            return self._outcome(instance_id)
        urls = management_urls(f"{request.scheme}://{request.host}", self._hub, instance_id)
        headers = {"Location": urls["statusQueryGetUri"], "Retry-After": "10"}
        return web.json_response(urls, status=202, headers=headers)

    async def raise_event(self, request: web.Request) -> web.Response:
        """Send an event: 202, 400 if the body is not JSON, 404, 410."""
        if request.content_type != "application/json":
            raise ManagementError(400, "Only application/json request content is supported")
        name, data = request.match_info["event"], await _json_text(request) or "null"
        key = await self._store.write(
            writes.raise_event, request.match_info["id"], name, data, self._clock.now()
        )
        self._engine.wake(key)
        return web.Response(status=202)

    async def terminate(self, request: web.Request) -> web.Response:
        """End an instance at its next episode: 202, 404, 410."""
        reason = request.query.get("reason", "")
        key = await self._store.write(writes.terminate, request.match_info["id"], reason, self._clock.now())
        self._engine.wake(key)
        return web.Response(status=202)

    async def status(self, request: web.Request) -> web.Response:
        """Return an instance: 202 while it runs, 200 once it has ended, 404 without a body."""
        instance = self._store.read(reads.instance_by_id, request.match_info["id"])
        if instance is None:
            return web.Response(status=404)
        view = status_view(instance, show_input=_flag(request, "showInput", default=True))
        if _flag(request, "showHistory"):
            recorded = self._store.read(reads.history, instance.key)
            view["historyEvents"] = history_view(recorded, show_output=_flag(request, "showHistoryOutput"))
        if not instance.status.is_final:
            headers = {"Location": str(request.url), "Retry-After": "5"}
            return web.json_response(view, status=202, headers=headers)
        failed = instance.status is Status.FAILED and _flag(request, "returnInternalServerErrorOnFailure")
        return web.json_response(view, status=500 if failed else 200)

    async def list(self, request: web.Request) -> web.Response:
        """List instances in pages of `top` (100): 200 with an array, and a continuation token if there are more."""
        wanted = _filter(request)
        found = self._store.read(reads.instances, wanted)
        show_input = _flag(request, "showInput", default=True)
        headers = {"x-ms-continuation-token": str(found[-1].key)} if len(found) == wanted.limit else {}
        return web.json_response([status_view(one, show_input=show_input) for one in found], headers=headers)

    async def purge(self, request: web.Request) -> web.Response:
        """Delete a finished instance: 200, 404, 412 if it still runs."""
        await self._store.write(writes.purge_instance, request.match_info["id"])
        return web.json_response({"instancesDeleted": 1})

    async def purge_many(self, request: web.Request) -> web.Response:
        """Delete the finished instances of a period: 200 with their number, 404 if none, 400 without its start."""
        if "createdTimeFrom" not in request.query:
            raise ManagementError(400, "Please provide value for 'createdTimeFrom' parameter.")
        count = await self._store.write(writes.purge_instances, _filter(request))
        return web.json_response({"instancesDeleted": count}, status=200 if count else 404)

    async def left_out(self, request: web.Request) -> web.Response:
        """Respond with 501 to an operation that devhost does not support."""
        raise ManagementError(501, _LEFT_OUT.format(request.match_info.get("operation", "entities")))

    async def _ended(self, instance_id: str, seconds: float) -> bool:
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            if self._instance(instance_id).status.is_final:
                return True
            await self._engine.progress(deadline)
        return False

    def _instance(self, instance_id: str) -> Instance:
        instance = self._store.read(reads.instance_by_id, instance_id)
        if instance is None:
            raise ManagementError(404, f"No instance with ID {instance_id} found.")
        return instance

    def _outcome(self, instance_id: str) -> web.Response:
        instance = self._instance(instance_id)
        if instance.status is Status.COMPLETED:
            return web.Response(text=instance.output or "null", content_type="application/json")
        return web.json_response(
            status_view(instance, show_input=True), status=500 if instance.status is Status.FAILED else 200
        )


def _answering(handler: Handler) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ManagementError as refusal:
            return _refused(refusal)
        except sqlite3.Error as failure:
            _log.error("request.not_stored path=%s error=%r", request.path, failure)
            text = f"Nothing was stored: {failure}. Check the disk of the data directory, then try again."
            return web.json_response({"Message": text}, status=503, headers={"Retry-After": "5"})

    return answer


def _refused(refusal: ManagementError) -> web.Response:
    """Return the extension's error response, whose shape depends on the status."""
    status, text = refusal.status, str(refusal)
    match status:
        case 404 | 410:
            return web.Response(status=status)
        case 409:
            return web.json_response({"Message": text}, status=status)
        case 412:
            return web.json_response(text, status=status)
    message = "Something went wrong while processing your request"
    body = {"Message": message, "ExceptionMessage": text, "ExceptionType": refusal.kind, "StackTrace": ""}
    return web.json_response(body, status=status)


def _checked_id(instance_id: str) -> str:
    if instance_id.startswith("@") or len(instance_id) > _LONGEST_ID or _FORBIDDEN_IN_ID.search(instance_id):
        raise ManagementError(
            400,
            f"Instance id '{instance_id[:_LONGEST_ID]}' cannot be used: at most {_LONGEST_ID} characters, none of "
            "/ \\ ? # or control characters, and no '@' at the start.",
            "System.ArgumentException",
        )
    return instance_id


async def _json_text(request: web.Request) -> str | None:
    """Return the body as JSON text, None if it is empty. Raises ManagementError (400) if it is not JSON."""
    body = await request.read()
    if not body:
        return None
    try:
        text = body.decode()
        json.loads(text)
    except ValueError as failure:
        raise ManagementError(
            400, f"The body is not JSON: {failure}", "Newtonsoft.Json.JsonReaderException"
        ) from failure
    return text


def _flag(request: web.Request, name: str, *, default: bool = False) -> bool:
    return request.query.get(name, str(default)).lower() == "true"


def _filter(request: web.Request) -> InstanceFilter:
    query = request.query
    try:
        names = [name.strip() for name in query.get("runtimeStatus", "").split(",") if name.strip()]
        known = {status.value.lower(): status for status in Status}
        return InstanceFilter(
            created_from=_moment(query.get("createdTimeFrom")),
            created_to=_moment(query.get("createdTimeTo")),
            statuses=tuple(known.get(name.lower(), name) for name in names),
            id_prefix=query.get("instanceIdPrefix"),
            after_key=int(request.headers.get("x-ms-continuation-token") or 0),
            limit=int(query.get("top") or 100),
        )
    except ValueError as failure:
        raise ManagementError(
            400, f"The query cannot be read: {failure}", "System.FormatException"
        ) from failure


def _moment(text: str | None) -> Micros | None:
    return from_text(text) if text else None
