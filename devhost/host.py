"""Composes the host: one app, one data folder, one port on the loopback interface."""

import asyncio
import logging
import socket
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from devhost.activities import ActivityRunner
from devhost.admin import AdminPages
from devhost.agenda import Agenda
from devhost.clock import DomainClock
from devhost.clock_api import ClockApi, target_after
from devhost.durable_http import DurableHttpApi
from devhost.durable_urls import client_json
from devhost.engine import DurableFunctions, Engine
from devhost.forward import Forwarder
from devhost.functions import (
    ActivityTrigger,
    Function,
    OrchestrationTrigger,
    TimerTrigger,
)
from devhost.host_json import HostSettings
from devhost.http_functions import HttpFunctions
from devhost.invocation import Invoker
from devhost.left_tasks import count_tasks
from devhost.meter import WorkMeter
from devhost.repeated_writes import RepeatedWrites
from devhost.sdk_session import close_sdk_session
from devhost.server import HttpServer
from devhost.store import Store, reads
from devhost.timer_functions import TimerFunctions
from devhost.timestamps import to_datetime

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
        *,
        functions: tuple[Function, ...],
        settings: HostSettings,
        options: Options,
        store: Store,
        clock: DomainClock,
        listener: socket.socket,
    ) -> None:
        self.url = f"http://{HOST}:{listener.getsockname()[1]}"
        self._options = options
        self._store = store
        self.clock = clock
        self._meter = WorkMeter()
        self._invoker = Invoker(
            client_json(self.url, settings.hub_name), settings.function_timeout, self.worker_died, self._meter
        )
        self._timers = TimerFunctions(
            [function for function in functions if isinstance(function.trigger, TimerTrigger)],
            invoker=self._invoker,
            store=self._store,
            clock=self.clock,
            meter=self._meter,
        )
        self._build_engine(functions, settings)
        self._server = self._build_server(functions, settings, listener)
        self.broken = asyncio.Event()
        store.damage.add_done_callback(self._damaged)

    def _build_engine(self, functions: tuple[Function, ...], settings: HostSettings) -> None:
        activities = {
            f.trigger.name.casefold(): f for f in functions if isinstance(f.trigger, ActivityTrigger)
        }
        orchestrators = {
            f.trigger.name.casefold(): f.call
            for f in functions
            if isinstance(f.trigger, OrchestrationTrigger)
        }
        writer = RepeatedWrites(self._store, self._meter)
        self._engine = Engine(
            functions=DurableFunctions(orchestrators, frozenset(activities)),
            store=self._store,
            writer=writer,
            clock=self.clock,
            meter=self._meter,
            limit=settings.max_concurrent_orchestrators,
            timeout=settings.function_timeout,
            on_exit=self.worker_died,
        )
        self._activities = ActivityRunner(
            functions=activities,
            invoker=self._invoker,
            writer=writer,
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
        admin = AdminPages(
            functions,
            settings.route_prefix,
            store=self._store,
            timers=self._timers,
            clock=self.clock,
            worker_died=self.worker_died,
        )
        clock = ClockApi(self.clock, self.agenda)
        http = HttpFunctions(functions, settings.route_prefix, self._invoker, settings.largest_body)
        forwarder = Forwarder(self._options.forwards)
        routes = [*durable.routes(), *clock.routes(), *admin.routes()]
        return HttpServer(routes, http.handle, forwarder, listener, settings.largest_body)

    async def start(self) -> None:
        """Serve HTTP, resume the stored work, follow the clock."""
        count_tasks(asyncio.get_running_loop())
        await self._server.start()
        for activity in self._store.read(reads.pending_activities):
            self._activities.enqueue(activity)
        self._timers.start()
        for task in (self._engine.start(), self.agenda.start()):
            task.add_done_callback(self._watch)
        _log.info("host.started url=%s data=%s", self.url, self._options.data)

    async def advance(self, duration: str, *, every: bool = False) -> datetime:
        """Advance the clock by an ISO 8601 duration, as POST /admin/devhost/clock does. Raises ClockError."""
        return to_datetime(await self.agenda.advance(target_after(duration, self.clock.now()), every=every))

    async def settle(self) -> None:
        """Wait until everything that is due has been done. Raises ClockError if an instance never becomes idle."""
        await self.advance("PT0S")

    def worker_died(self) -> int:
        """Fail every call in flight, as the death of a real host's worker does; return how many."""
        failed = self._engine.fail_all() + self._invoker.fail_all()
        _log.warning("worker.died calls=%d", failed)
        return failed

    def _watch(self, task: asyncio.Task[None]) -> None:
        """Stop the host if its engine or its agenda has failed, because then it runs nothing."""
        if not task.cancelled() and (failure := task.exception()) is not None:
            _log.critical("host.broken url=%s", self.url, exc_info=failure)
            self.broken.set()

    def _damaged(self, damage: asyncio.Future[sqlite3.Error]) -> None:
        if not damage.cancelled():
            _log.critical(
                "host.broken url=%s the state in %s is damaged",
                self.url,
                self._options.data,
                exc_info=damage.result(),
            )
            self.broken.set()

    async def stop(self) -> None:
        """Refuse new requests, let running functions finish for a limited time, then close."""
        self._server.refuse_new()
        self._activities.stop()
        await self.agenda.stop()
        await self._engine.stop()
        await self._invoker.close(self._options.grace_seconds)
        await self._activities.close()
        await self._timers.close()
        await close_sdk_session()
        await self._server.close()
        _log.info("host.stopped url=%s", self.url)
