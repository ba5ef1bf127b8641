"""HTTP triggers: requests and responses converted as the worker converts them."""

import logging
from collections.abc import Iterable
from urllib.parse import unquote

from aiohttp import web
from azure.functions import HttpRequest
from azure.functions.http import HttpRequest as WorkerHttpRequest
from azure.functions.http import HttpResponseConverter

from devhost.errors import StartError
from devhost.functions import Function, HttpTrigger
from devhost.invocation import Invoker
from devhost.routes import Match, RouteError, RouteTable

_log = logging.getLogger(__name__)

# The server frames the response itself.
_FRAMING = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})


class HttpFunctions:
    """The functions with an HTTP trigger, by route."""

    def __init__(
        self, functions: Iterable[Function], prefix: str, invoker: Invoker, largest_body: int
    ) -> None:
        """`largest_body` is in bytes. Raises StartError if a route cannot be read."""
        self._invoker = invoker
        self._largest_body = largest_body
        try:
            self._routes = RouteTable(
                (full_route(prefix, function.trigger.route), function.trigger.methods, function)
                for function in functions
                if isinstance(function.trigger, HttpTrigger)
            )
        except RouteError as failure:
            raise StartError(f"An HTTP function cannot be served: {failure}.") from failure

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve a request: 404 if no function takes it, 413 beyond the limit, 500 if the function fails."""
        match = self._routes.find(request.method, _segments(request))
        if match is None:
            return web.Response(status=404)
        if (request.content_length or 0) > self._largest_body:
            return web.Response(status=413, text=f"Send at most {self._largest_body:,} bytes.")
        body = await request.read()
        try:
            return _response(await self._invoker.call(match.target, _request(request, match, body)))
        except Exception:  # noqa: BLE001 - the app's own; logged, and answered with 500
            _log.exception("function.failed name=%s", match.target.name)
            return web.Response(status=500)


def full_route(prefix: str, route: str) -> str:
    """The template of a function's route under the prefix."""
    return "/".join(part for part in (prefix, route.strip("/")) if part)


def _segments(request: web.Request) -> list[str]:
    path = request.rel_url.raw_path.strip("/")
    return [unquote(segment) for segment in path.split("/")] if path else []


def _request(request: web.Request, match: Match[Function], body: bytes) -> HttpRequest:
    query = {name: ",".join(request.query.getall(name)) for name in request.query}
    return WorkerHttpRequest(
        method=request.method,
        url=f"{request.scheme}://{request.host}{request.raw_path}",
        headers={name.lower(): ",".join(request.headers.getall(name)) for name in request.headers},
        params={name: value for name, value in query.items() if value},
        route_params={name: value for name, value in match.parameters.items() if value},
        body_type="bytes",
        body=body,
    )


def _response(returned: object) -> web.Response:
    """Convert what a function returned. Raises NotImplementedError for what the worker cannot encode either."""
    datum = HttpResponseConverter.encode(returned, expected_type=None)
    if datum.type == "string":
        return web.Response(text=datum.value)
    value = datum.value
    response = web.Response(status=int(value["status_code"].value), body=value["body"].value)
    for name, header in value["headers"].items():
        if name.lower() not in _FRAMING:
            response.headers[name] = header.value
    for cookie in value["cookies"] or ():
        for morsel in cookie.values():
            response.headers.add("Set-Cookie", morsel.OutputString())
    return response
