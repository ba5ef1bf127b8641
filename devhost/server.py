"""The HTTP server: protects the host's own endpoints, forwards, and sends the rest to the app's functions."""

import socket
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlsplit

from aiohttp import web

from devhost.forward import Forwarder
from devhost.http_limits import LONGEST_READ, MOST_READ, refused_with

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_READING = ("GET", "HEAD")
_OWN = ("/admin", "/durabletask", "/runtime")


class HttpServer:
    """Serves one listening socket."""

    def __init__(
        self,
        routes: Iterable[web.RouteDef],
        functions: Handler,
        forwarder: Forwarder,
        listener: socket.socket,
        largest_body: int,
    ) -> None:
        self._functions = functions
        self._forwarder = forwarder
        self._listener = listener
        self._refusing = False
        app = web.Application(client_max_size=largest_body, middlewares=[self._guard])
        app.add_routes(list(routes))
        app.router.add_route("*", "/{path:(?s:.*)}", self._app_function)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=1.0,
            handle_signals=False,
            auto_decompress=False,
            max_line_size=LONGEST_READ,
            max_field_size=LONGEST_READ,
            max_headers=MOST_READ,
        )

    async def start(self) -> None:
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()

    def refuse_new(self) -> None:
        """Respond to new requests for functions with 503; running functions may still use the host's routes."""
        self._refusing = True

    async def close(self) -> None:
        """Close the socket and the connections."""
        await self._runner.cleanup()
        await self._forwarder.close()

    async def _app_function(self, request: web.Request) -> web.StreamResponse:
        if self._refusing:
            return web.Response(status=503, headers={"Retry-After": "5"})
        return await self._functions(request)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if (refusal := refused_with(request)) is not None:
            return web.Response(status=refusal)
        forward = self._forwarder.target(request.path)
        if forward is None and not request.path.lower().startswith(_OWN):
            return await handler(request)
        if not _is_loopback(f"//{request.host}"):
            return _forbidden("the Host header is not this machine's loopback address")
        origin = request.headers.get("Origin")
        if origin is not None and request.method not in _READING and not _is_loopback(origin):
            return _forbidden("the request comes from a page of another site")
        if forward is not None:
            return await self._forwarder.forward(request, forward)
        return await handler(request)


def _is_loopback(url: str) -> bool:
    try:
        return urlsplit(url).hostname in _LOOPBACK
    except ValueError:
        return False


def _forbidden(reason: str) -> web.Response:
    return web.json_response({"error": f"Refused: {reason}."}, status=403)
