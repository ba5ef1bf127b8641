"""Counts what the app and the real engine ask of storage: proxies before the emulator that note each request.

A request is signed for its path and not for its host, so it stays valid on another port. Tables and queues go
through a proxy each. Blobs do not: the engine keeps only leases there, which cost the same whatever happens.

What is also asked when nothing happens is left out of the counts, and is told by its kind (`StorageRequest.idle`):

- reads of a queue that has no message, and of its length
- the table that says which host owns which queue

All else is counted, a read of a queue that brings messages too.
"""

import asyncio
import re
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qs

from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web
from yarl import URL

from localcloud.azurite import AzuritePorts
from localcloud.platform.engine_clock import HUB
from localcloud.process.member import Member
from localcloud.process.ports import HOST, free_ports
from localcloud.stack.data_directory import Addresses
from localcloud.stack.hosts import Host
from localcloud.stack.stack import Stack
from tests.background import Background

TABLE, QUEUE = "table", "queue"
_OF_ONE_CONNECTION = {"connection", "transfer-encoding", "keep-alive", "content-length", "date", "server"}
_IN_BATCH = re.compile(rb"^(?:POST|PUT|PATCH|MERGE|DELETE|GET) https?://[^/]+/[^/]+/(\w+)", re.MULTILINE)
_MESSAGE = b"<QueueMessage>"
_LARGEST_BODY = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StorageRequest:
    """One request: of which service, what it does (`kind`), to which table or queue, and the answer's status.

    `messages` says how many messages a queue answered with.
    """

    service: str
    kind: str
    name: str
    status: int
    messages: int = 0

    @property
    def by_engine(self) -> bool:
        """Whether the engine asks for it, and not the app."""
        return self.service == QUEUE or self.name.startswith(HUB)

    @property
    def idle(self) -> bool:
        """Whether it is also asked when nothing happens."""
        if self.service == TABLE:
            return self.name == f"{HUB}Partitions"
        return self.kind in ("look", "length") or (self.kind == "receive" and not self.messages)


def read_request(service: str, method: str, path: str, query: str, sent: bytes) -> tuple[str, str]:
    """What a request does, and to which table or queue."""
    _, _, rest = path.lstrip("/").partition("/")
    if service == TABLE:
        return _table_request(method, rest, sent)
    name, *below = rest.split("/")
    return _queue_kind(method, below, parse_qs(query, keep_blank_values=True)), name


def _table_request(method: str, rest: str, sent: bytes) -> tuple[str, str]:
    if rest == "$batch":
        found = _IN_BATCH.search(sent)
        return "batch", found[1].decode() if found else "?"
    name, _, key = rest.partition("(")
    if method == "GET":
        return ("get" if len(key) > 1 else "query"), name
    return {"POST": "insert", "DELETE": "delete"}.get(method, "update"), name


def _queue_kind(method: str, below: list[str], query: dict[str, list[str]]) -> str:
    if not below or below[0] != "messages":
        return "length" if "metadata" in query.get("comp", []) else f"{method.lower()} queue"
    if method == "GET":
        return "look" if "peekonly" in query else "receive"
    return {"POST": "send", "DELETE": "delete", "PUT": "update"}[method]


class Recorder(Background):
    """The proxies, and in `seen` all requests since the start; `watch` tells them where storage is."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[StorageRequest] = []
        self._ports = dict(zip((QUEUE, TABLE), free_ports(2), strict=True))
        self._targets: dict[str, int] = {}
        self._listening = Event()

    def watch(self, storage: AzuritePorts) -> AzuritePorts:
        """Pass on to this storage; gives the ports to reach it by."""
        self._targets = {QUEUE: storage.queue, TABLE: storage.table}
        assert self._listening.wait(10)
        return replace(storage, queue=self._ports[QUEUE], table=self._ports[TABLE])

    def go_on(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        # A connection each: the emulator closes idle ones just when a request may be on its way.
        async with ClientSession(
            connector=TCPConnector(force_close=True), cookie_jar=DummyCookieJar(), auto_decompress=False
        ) as client:
            runners = [await self._listen(client, service) for service in self._ports]
            self._listening.set()
            await asyncio.to_thread(self.over.wait)
            for runner in runners:
                await runner.cleanup()

    async def _listen(self, client: ClientSession, service: str) -> web.AppRunner:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._handle(client, service, request)

        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, HOST, self._ports[service]).start()
        return runner

    async def _handle(self, client: ClientSession, service: str, request: web.Request) -> web.StreamResponse:
        sent = await request.read()
        status, headers, body = await self._pass_on(client, service, request, sent)
        kind, name = read_request(service, request.method, request.path, request.query_string, sent)
        self.seen.append(StorageRequest(service, kind, name, status, body.count(_MESSAGE)))
        return web.Response(status=status, headers=headers, body=body)

    async def _pass_on(
        self, client: ClientSession, service: str, request: web.Request, sent: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _OF_ONE_CONNECTION}
        url = URL(f"http://{HOST}:{self._targets[service]}{request.raw_path}", encoded=True)
        async with client.request(
            request.method, url, headers=headers, data=sent or None, skip_auto_headers=["Content-Type"]
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in _OF_ONE_CONNECTION}
            return answer.status, kept, await answer.read()


class RecordedStack(Stack):
    """A service whose host, and so app and engine, reaches storage through a recorder."""

    def __init__(self, recorder: Recorder, data: Path, **options: Any) -> None:
        super().__init__(data, **options)
        self._recorder = recorder

    def add_host(self, host: Host, addresses: Addresses | None = None, name: str = "") -> Member:
        addresses = addresses or self.addresses
        return super().add_host(
            host, replace(addresses, azurite=self._recorder.watch(addresses.azurite)), name
        )
