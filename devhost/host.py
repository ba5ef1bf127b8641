"""Puts the parts together: one app, one data folder, one port on the loopback interface."""

import logging
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from azure.functions import FunctionRegister

from devhost.activities import ActivityRunner
from devhost.admin import AdminPages
from devhost.agenda import Agenda
from devhost.clock import OFFSET_FILE, OFFSET_VARIABLE, DomainClock
from devhost.clock_api import ClockApi
from devhost.discovery import (
    ActivityTrigger,
    Function,
    OrchestrationTrigger,
    TimerTrigger,
    discover,
    load_app,
)
from devhost.durable_http import DurableHttpApi, client_json
from devhost.engine import DurableFunctions, Engine
from devhost.errors import StartError
from devhost.forward import Forwarder
from devhost.host_json import HostSettings, host_settings, read_host_json
from devhost.http_functions import HttpFunctions
from devhost.invocation import Invoker
from devhost.meter import WorkMeter
from devhost.sdk_session import close_sdk_session
from devhost.server import HttpServer
from devhost.store import Store, reads
from devhost.timer_functions import TimerFunctions

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to run; `forwards` maps path prefixes to the loopback URLs that serve them."""

    data: Path
    port: int = 0
    forwards: Mapping[str, str] = field(default_factory=dict)
    grace_seconds: float = GRACE_SECONDS


class Host:
    """A running host. Build it with `running`."""

    def __init__(
        self,
        functions: tuple[Function, ...],
        settings: HostSettings,
        options: Options,
        store: Store,
        listener: socket.socket,
    ) -> None:
        self.url = f"http://{HOST}:{listener.getsockname()[1]}"
        self._options = options
        self._store = store
        self.clock = DomainClock(options.data / OFFSET_FILE, self._store.read(reads.clock_offset))
        self._meter = WorkMeter()
        self._invoker = Invoker(client_json(self.url, settings.hub_name), settings.function_timeout)
        self._timers = TimerFunctions(
            [function for function in functions if isinstance(function.trigger, TimerTrigger)],
            invoker=self._invoker,
            store=self._store,
            clock=self.clock,
            meter=self._meter,
        )
        self._build_engine(functions, settings)
        self._server = self._build_server(functions, settings, listener)

    @classmethod
    async def open(
        cls,
        functions: tuple[Function, ...],
        settings: HostSettings,
        options: Options,
        listener: socket.socket,
    ) -> Self:
        """Open the store and put the parts together; start nothing. Raises StartError."""
        store = Store.open(options.data)
        try:
            return cls(functions, settings, options, store, listener)
        except BaseException:
            await store.close()
            raise

    def _build_engine(self, functions: tuple[Function, ...], settings: HostSettings) -> None:
        activities = {
            f.trigger.name.casefold(): f for f in functions if isinstance(f.trigger, ActivityTrigger)
        }
        orchestrators = {
            f.trigger.name.casefold(): f.call
            for f in functions
            if isinstance(f.trigger, OrchestrationTrigger)
        }
        self._engine = Engine(
            functions=DurableFunctions(orchestrators, frozenset(activities)),
            store=self._store,
            clock=self.clock,
            meter=self._meter,
            limit=settings.max_concurrent_orchestrators,
        )
        self._activities = ActivityRunner(
            functions=activities,
            invoker=self._invoker,
            store=self._store,
            clock=self.clock,
            meter=self._meter,
            limit=settings.max_concurrent_activities,
            notify=self._engine.wake,
        )
        self.agenda = Agenda(
            store=self._store, clock=self.clock, engine=self._engine, timers=self._timers, meter=self._meter
        )
        self._engine.connect(self._activities.enqueue, self.agenda.notice)

    def _build_server(
        self, functions: tuple[Function, ...], settings: HostSettings, listener: socket.socket
    ) -> HttpServer:
        durable = DurableHttpApi(
            store=self._store,
            clock=self.clock,
            engine=self._engine,
            hub=settings.hub_name,
            replaces_running=settings.replaces_running_instances,
        )
        admin = AdminPages(functions, settings.route_prefix, self._store, self._timers, self.clock)
        clock = ClockApi(self.clock, self.agenda)
        http = HttpFunctions(functions, settings.route_prefix, self._invoker)
        forwarder = Forwarder(self._options.forwards)
        routes = [*durable.routes(), *clock.routes(), *admin.routes()]
        return HttpServer(routes, http.handle, forwarder, listener)

    async def start(self) -> None:
        """Serve HTTP, take up what the store holds, follow the clock."""
        await self._server.start()
        for activity in self._store.read(reads.pending_activities):
            self._activities.enqueue(activity)
        self._engine.start()
        self._timers.start()
        self.agenda.start()
        _log.info("host.started url=%s data=%s", self.url, self._options.data)

    async def stop(self) -> None:
        """Take nothing new, let running functions finish for a bounded time, then close. Nothing stored is lost."""
        self._server.refuse_new()
        self._activities.stop()
        await self.agenda.stop()
        await self._engine.stop()
        await self._invoker.close(self._options.grace_seconds)
        await self._activities.close()
        await self._timers.close()
        await close_sdk_session()
        await self._server.close()
        await self._store.close()
        _log.info("host.stopped url=%s", self.url)


def listen(port: int) -> socket.socket:
    """Take a port on the loopback interface; 0 means a free one. Raises StartError if it is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(1024)
    except OSError as failure:
        listener.close()
        raise StartError(
            f"Port {port} on {HOST} cannot be used ({failure.strerror}); stop what holds it or choose another --port."
        ) from failure
    return listener


@asynccontextmanager
async def running(
    app: Path | FunctionRegister, data: Path, *, host_json: Mapping[str, Any] | None = None, **options: Any
) -> AsyncIterator[Host]:
    """Run an app, given as its folder or as an app object, until the block ends.

    `host_json` stands in for the file where the app is an object. `options` are the members of Options. Sets
    `CLOCK_OFFSET_FILE` before the app is imported, and puts back what was there at the end. Raises StartError.
    """
    chosen = Options(data.resolve(), **options)
    async with _environment(chosen), _listening(chosen.port) as listener:
        if isinstance(app, FunctionRegister):
            settings, functions = host_settings(host_json or {}), discover(app)
        else:
            folder = app.resolve()
            settings, functions = read_host_json(folder), discover(load_app(folder))
        host = await Host.open(functions, settings, chosen, listener)
        try:
            await host.start()
            yield host
        finally:
            await host.stop()


@asynccontextmanager
async def _environment(options: Options) -> AsyncIterator[None]:
    before = os.environ.get(OFFSET_VARIABLE)
    options.data.mkdir(parents=True, exist_ok=True)
    os.environ[OFFSET_VARIABLE] = str(options.data / OFFSET_FILE)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(OFFSET_VARIABLE, None)
        else:
            os.environ[OFFSET_VARIABLE] = before


@asynccontextmanager
async def _listening(port: int) -> AsyncIterator[socket.socket]:
    listener = listen(port)
    try:
        yield listener
    finally:
        listener.close()
