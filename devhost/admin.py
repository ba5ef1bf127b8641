"""The host's admin endpoints: status, functions, and an HTML page."""

import os
import platform
import time
from base64 import b64encode
from collections.abc import Callable, Iterable
from hashlib import sha256
from importlib import resources
from typing import Any
from uuid import uuid4

from aiohttp import web

from devhost.clock import DomainClock
from devhost.functions import ActivityTrigger, Function, HttpTrigger, OrchestrationTrigger, TimerTrigger
from devhost.http_functions import full_route
from devhost.status_json import status_view
from devhost.store import InstanceFilter, Store, reads
from devhost.timer_functions import TimerFunctions

_RECENT = 50
# Tools recognize a version 4 host by this version.
_VERSION = "4.1000.0.0"


class AdminPages:
    """What `/admin` serves besides the clock."""

    def __init__(
        self,
        functions: Iterable[Function],
        prefix: str,
        *,
        store: Store,
        timers: TimerFunctions,
        clock: DomainClock,
        worker_died: Callable[[], int],
    ) -> None:
        self._functions = [_function_view(function, prefix) for function in functions]
        self._store = store
        self._timers = timers
        self._clock = clock
        self._worker_died = worker_died
        self._started = time.monotonic()
        self._host_id = uuid4().hex

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/admin/host/status", self.host_status),
            web.get("/admin/host/ping", self.ping),
            web.post("/admin/host/ping", self.ping),
            web.get("/admin/functions", self.functions),
            web.post("/admin/functions/{name}", self.run),
            web.get("/admin/devhost", self.page),
            web.get("/admin/devhost/", self.page),
            web.get("/admin/devhost/instances", self.instances),
            web.post("/admin/devhost/worker-died", self.worker_died),
        ]

    async def host_status(self, _: web.Request) -> web.Response:
        """Return the same members as the real host."""
        return web.json_response(
            {
                "id": "devhost",
                "state": "Running",
                "version": _VERSION,
                "versionDetails": f"{_VERSION} devhost",
                "platformVersion": "",
                "instanceId": self._host_id,
                "computerName": platform.node(),
                "processUptime": int((time.monotonic() - self._started) * 1000),
                "functionAppContentEditingState": "NotAllowed",
                "processId": os.getpid(),
            }
        )

    async def ping(self, _: web.Request) -> web.Response:
        """Return 200."""
        return web.Response()

    async def functions(self, _: web.Request) -> web.Response:
        """List the functions with their triggers."""
        return web.json_response(self._functions)

    async def run(self, request: web.Request) -> web.Response:
        """Run a timer function once, now: 202, or 404 if there is no such timer function."""
        name = request.match_info["name"]
        for recurring in self._timers.all:
            if recurring.function.name.lower() == name.lower():
                self._timers.run(recurring, self._clock.now())
                return web.Response(status=202)
        return web.json_response(
            {"error": f"There is no timer function '{name}'; only those can be run."}, status=404
        )

    async def instances(self, _: web.Request) -> web.Response:
        """Return the newest instances, for the HTML page."""
        newest = self._store.read(reads.instances, InstanceFilter(newest_first=True, limit=_RECENT))
        return web.json_response([status_view(instance, show_input=False) for instance in newest])

    async def worker_died(self, _: web.Request) -> web.Response:
        """Fail all calls in flight, as a fault for tests: 200 with their number, `{"failedCalls": 3}`."""
        return web.json_response({"failedCalls": self._worker_died()})

    async def page(self, _: web.Request) -> web.Response:
        """Return the HTML page."""
        text = resources.files("devhost").joinpath("page.html").read_text(encoding="utf-8")
        return web.Response(text=text, content_type="text/html", headers=_page_headers(text))


def _page_headers(page: str) -> dict[str, str]:
    """Let the page run its own script and style, talk to this host, and be shown in no other page."""
    script, style = (_inline_hash(page, element) for element in ("script", "style"))
    return {
        "Content-Security-Policy": f"default-src 'none'; script-src {script}; style-src {style}; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


def _inline_hash(page: str, element: str) -> str:
    """The CSP source of the page's only inline script or style."""
    content = page.partition(f"<{element}>")[2].partition(f"</{element}>")[0]
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


def _function_view(function: Function, prefix: str) -> dict[str, Any]:
    match function.trigger:
        case HttpTrigger(route, methods):
            shown: dict[str, Any] = {"type": "httpTrigger", "methods": sorted(methods)}
            shown["route"] = f"/{full_route(prefix, route)}"
        case TimerTrigger(schedule):
            shown = {"type": "timerTrigger", "schedule": schedule}
        case OrchestrationTrigger(name):
            shown = {"type": "orchestrationTrigger", "orchestration": name}
        case ActivityTrigger(name):
            shown = {"type": "activityTrigger", "activity": name}
    return {"name": function.name, "trigger": shown["type"], **shown}
