"""HTTP triggers: converts requests and responses as the worker does."""

import logging
import re
from collections.abc import Iterable

from aiohttp import web
from azure.functions import HttpRequest
from azure.functions.http import HttpRequest as WorkerHttpRequest
from azure.functions.http import HttpResponseConverter

from devhost.errors import StartError
from devhost.functions import Function, HttpTrigger
from devhost.http_target import escaped, join_values, query_options, segments, split_target
from devhost.invocation import Invoker
from devhost.routes import Match, RouteError, RouteTable

_log = logging.getLogger(__name__)

# The server sets these itself.
_FRAMING = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~]*")
_FIRST_FINAL, _RESET_CONTENT = 200, 205


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
        """Serve a request: 404 if no function matches, 500 if its body is over the limit or the function fails."""
        path, query = split_target(request.raw_path)
        match = self._routes.find(request.method, segments(path))
        if match is None:
            return web.Response(status=404)
        name, length = match.target.name, request.content_length or 0
        if length > self._largest_body:
            _log.error("request.too_large name=%s bytes=%d limit=%d", name, length, self._largest_body)
            return web.Response(status=500)
        try:
            sent = await _worker_request(request, match, path, query)
            return _response(await self._invoker.call(match.target, sent))
        except Exception:  # noqa: BLE001 - any error of the app is logged and becomes a 500
            _log.exception("function.failed name=%s", name)
            return web.Response(status=500)


def full_route(prefix: str, route: str) -> str:
    """Return the template of a function's route under the prefix."""
    return "/".join(part for part in (prefix, route.strip("/")) if part)


async def _worker_request(request: web.Request, match: Match[Function], path: str, query: str) -> HttpRequest:
    """Convert a request as the host does: without a length it has no body, and nothing is decompressed."""
    return WorkerHttpRequest(
        method=request.method,
        url=f"{request.scheme}://{request.host}{escaped(path)}{query}",
        headers={name.lower(): join_values(request.headers.getall(name)) for name in request.headers},
        params=query_options(query),
        route_params={name: value for name, value in match.parameters.items() if value},
        body_type="bytes",
        body=await request.read() if request.content_length else b"",
    )


def _response(returned: object) -> web.Response:
    """Convert a function's return value. Raises the worker's or the server's error if it cannot be sent."""
    datum = HttpResponseConverter.encode(returned, expected_type=None)
    if datum.type == "string":
        return web.Response(text=datum.value)
    value = datum.value
    status, body = int(value["status_code"].value), value["body"].value
    if status < _FIRST_FINAL or (status == _RESET_CONTENT and body):
        raise ValueError(f"the status {status} cannot be sent, or not with a body")
    response = web.Response(status=status, body=body)
    for name, header in value["headers"].items():
        if name.lower() not in _FRAMING:
            response.headers[_sendable(_NAME, name)] = _sendable(_VALUE, header.value)
    for cookie in value["cookies"] or ():
        for morsel in cookie.values():
            response.headers.add("Set-Cookie", morsel.OutputString())
    return response


def _sendable(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"{text!r} cannot be sent in a header: only printable ASCII can")
    return text
