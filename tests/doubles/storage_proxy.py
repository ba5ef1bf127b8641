"""A proxy between Table Storage's client and Azurite that answers some requests wrongly, before or after passing on.

It listens on loopback alone. A fault strikes a number of requests, the first of them `after` so many others.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import ClientSession, DummyCookieJar, web
from azure.data.tables.aio import TableServiceClient
from yarl import URL

from shared.storage.azure_tables import AzureTables

_OF_ONE_CONNECTION = {"connection", "transfer-encoding", "keep-alive", "content-length", "date", "server"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is done to a request. `passed_on` says whether storage gets it first.

    Without a `status` or a `body` those of storage's own answer are kept. `drop` closes the connection without an
    answer, `cut` in the middle of its body.
    """

    passed_on: bool = True
    status: int | None = None
    body: bytes | None = None
    content_type: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    cut: bool = False


@dataclass
class StorageProxy:
    """The running proxy. `seen` are the requests that came, as method and path."""

    endpoint: str
    target: str
    client: ClientSession
    seen: list[str] = field(default_factory=list)
    _fault: Fault | None = None
    _after: int = 0
    _times: int = 0

    def strike(self, fault: Fault, *, after: int = 0, times: int = 1) -> None:
        """Do this to so many requests, once so many others have passed."""
        self._fault, self._after, self._times = fault, after, times

    def heal(self) -> None:
        """Pass everything on from now on."""
        self._fault = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        self.seen.append(f"{request.method} {request.path}")
        fault = self._next()
        sent = await request.read()
        if fault and fault.drop and not fault.passed_on:
            return self._hang_up(request)
        if fault and not fault.passed_on:
            return self._answer(fault, 200, {}, b"")
        status, headers, body = await self._pass_on(request, sent)
        if fault is None:
            return web.Response(status=status, headers=headers, body=body)
        if fault.drop:
            return self._hang_up(request)
        if fault.cut:
            return await self._cut(request, status, headers, body)
        return self._answer(fault, status, headers, body)

    def _next(self) -> Fault | None:
        if self._fault is None or self._times == 0:
            return None
        if self._after:
            self._after -= 1
            return None
        self._times -= 1
        return self._fault

    async def _pass_on(self, request: web.Request, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _OF_ONE_CONNECTION}
        url = URL(f"{self.target}{request.raw_path}", encoded=True)
        async with self.client.request(
            request.method, url, headers=headers, data=sent or None, skip_auto_headers=["Content-Type"]
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in _OF_ONE_CONNECTION}
            return answer.status, kept, await answer.read()

    def _answer(self, fault: Fault, status: int, headers: dict[str, str], body: bytes) -> web.Response:
        kept = {**headers, **fault.headers}
        if fault.content_type is not None:
            kept = {k: v for k, v in kept.items() if k.lower() != "content-type"}
            kept["Content-Type"] = fault.content_type
        return web.Response(
            status=fault.status or status, headers=kept, body=body if fault.body is None else fault.body
        )

    def _hang_up(self, request: web.Request) -> web.Response:
        if request.transport:
            request.transport.abort()
        return web.Response()

    async def _cut(
        self, request: web.Request, status: int, headers: dict[str, str], body: bytes
    ) -> web.StreamResponse:
        answer = web.StreamResponse(status=status, headers={**headers, "Content-Length": str(len(body) + 9)})
        await answer.prepare(request)
        await answer.write(body[: len(body) // 2])
        self._hang_up(request)
        return answer


@asynccontextmanager
async def storage_proxy(connection_string: str) -> AsyncIterator[tuple[StorageProxy, AzureTables]]:
    """A proxy before the tables of this account, and the tables as they are reached through it."""
    parts = dict(part.split("=", 1) for part in connection_string.strip(";").split(";"))
    direct = URL(parts["TableEndpoint"])
    async with ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=False) as client:
        proxy = StorageProxy(endpoint="", target=str(direct.origin()), client=client)
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", proxy.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            proxy.endpoint = f"http://127.0.0.1:{port}{direct.path}"
            text = ";".join(f"{k}={v}" for k, v in {**parts, "TableEndpoint": proxy.endpoint}.items())
            tables = AzureTables(
                TableServiceClient.from_connection_string(text, retry_total=3, retry_backoff_factor=0)
            )
            try:
                yield proxy, tables
            finally:
                await tables.close()
                await asyncio.sleep(0)
        finally:
            await runner.cleanup()
