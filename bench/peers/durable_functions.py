"""The workflow as an app of Azure Durable Functions, on devhost and on the real engine over Azurite.

Both are driven over the durable HTTP API by clients in the bench's process.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import aiohttp

from bench.errors import MeasurementError
from bench.peers.measured import Measured, Size
from bench.processes import family
from localcloud import PROJECT
from localcloud.azurite import running as azurite_running
from localcloud.commands.bootstrap import deployed_environment
from localcloud.platform.installed import find_core_tools
from localcloud.process.children import ChildRecord
from localcloud.process.member import Command, Member
from localcloud.process.ports import HOST, free_ports, host_runs

_API = "/runtime/webhooks/durabletask"
_START_SECONDS = 300.0
_RUN_SECONDS = 240.0
_POLL_SECONDS, _LONGEST_POLL_SECONDS, _POLL_GROWTH = 0.002, 1.0, 1.2
"""Asked ever less often, a workflow seems to take a fifth longer at most."""

# In slices of five days: the SDK cannot cancel a timer of more than six days that loses a race (docs/durable.md).
_APP = """
from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.orchestration_trigger(context_name="context")
def order(context):
    deadline = context.current_utc_datetime + timedelta(days=14)
    approved = context.wait_for_external_event("approved")
    while context.current_utc_datetime < deadline:
        timer = context.create_timer(min(deadline, context.current_utc_datetime + timedelta(days=5)))
        first = yield context.task_any([approved, timer])
        if first is not timer:
            timer.cancel()
            return (yield context.call_activity("ship", approved.result))
    return "expired"

@app.activity_trigger(input_name="approval")
def ship(approval: str) -> str:
    return f"shipped: {approval}"
"""
# As this project's own host.json, with the queues polled each second, which is how its local stack runs `func`.
_HOST_JSON = {
    "version": "2.0",
    "logging": {"logLevel": {"default": "Warning"}},
    "extensions": {
        "http": {"routePrefix": ""},
        "durableTask": {
            "hubName": "bench",
            "storageProvider": {
                "type": "AzureStorage",
                "partitionCount": 4,
                "maxQueuePollingInterval": "00:00:01",
            },
            "maxConcurrentActivityFunctions": 10,
            "maxConcurrentOrchestratorFunctions": 10,
        },
    },
    "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.32.0, 5.0.0)"},
}


def on_devhost(folder: Path, size: Size) -> Measured:
    """See `Engine.measure`."""
    app, (port,) = _app(folder), free_ports(1)
    where = ("--app", str(app), "--data", str(folder / "data"), "--port", str(port))
    command = Command(
        "devhost",
        (sys.executable, "-m", "devhost", *where),
        {**os.environ},
        PROJECT,
        folder / "host.log",
    )
    host = Member(command, ChildRecord(folder / "children.json"))
    return _measure(host, port, {"host": lambda: _cpu(host.pid)}, size)


def on_func(folder: Path, size: Size) -> Measured:
    """See `Engine.measure`. The Core Tools run it with the deployed packages."""
    tools = find_core_tools()
    assert tools is not None
    with azurite_running(folder / "storage") as azurite:
        app, (port,) = _app(folder), free_ports(1)
        settings = {
            "AzureWebJobsStorage": azurite.connection_string,
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "VIRTUAL_ENV": str(deployed_environment()),
            "PYTHON_THREADPOOL_THREAD_COUNT": "10",
        }
        command = Command(
            "func",
            (str(tools.func), "start", "--port", str(port)),
            {**os.environ, **settings},
            app,
            folder / "host.log",
        )
        host = Member(command, ChildRecord(folder / "children.json"), lambda: host_runs(port))
        processes = {
            "worker": lambda: _cpu(host.pid, worker=True),
            "host": lambda: _cpu(host.pid, worker=False),
            "Azurite": lambda: _cpu(azurite.pid),
        }
        return _measure(host, port, processes, size)


def _app(folder: Path) -> Path:
    app = folder / "app"
    app.mkdir()
    (app / "function_app.py").write_text(_APP, encoding="utf-8")
    (app / "host.json").write_text(json.dumps(_HOST_JSON), encoding="utf-8")
    return app


def _cpu(pid: int, *, worker: bool | None = None) -> float:
    """CPU seconds of a process and its descendants; `worker` selects the Core Tools' worker, or all but it."""
    return sum(
        each.cpu_seconds for each in family(pid) if worker is None or worker == ("--workerId" in each.command)
    )


def _measure(host: Member, port: int, cpu: dict[str, Callable[[], float]], size: Size) -> Measured:
    try:
        host.start()
        host.wait_ready(_START_SECONDS)
        return asyncio.run(asyncio.wait_for(_drive(f"http://{HOST}:{port}", cpu, size), _RUN_SECONDS))
    except TimeoutError as late:
        raise MeasurementError(f"{host.name} did not do it within {_RUN_SECONDS:.0f} seconds.") from late
    finally:
        host.stop()


async def _drive(url: str, cpu: dict[str, Callable[[], float]], size: Size) -> Measured:
    async with aiohttp.ClientSession(url) as session:
        client = _Client(session)
        await client.single("warm-up")
        latencies = [await client.single(f"single-{number}") for number in range(size.singles)]
        before, began = {name: read() for name, read in cpu.items()}, time.perf_counter()
        await client.batch([f"order-{number}" for number in range(size.workflows)], size.clients)
        seconds = time.perf_counter() - began
        spent = {name: (read() - before[name]) / size.workflows for name, read in cpu.items()}
    return Measured(size.workflows / seconds, tuple(latencies), spent)


class _Client:
    """Drives workflows by their ids."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def single(self, name: str) -> float:
        """Play one workflow; return the seconds that it took."""
        began = time.perf_counter()
        await self.start(name)
        await self.approve(name)
        await self.finish(name)
        return time.perf_counter() - began

    async def batch(self, names: list[str], clients: int) -> None:
        """Start all, approve all, wait for all."""
        for act in (self.start, self.approve, self.finish):
            await _each(clients, names, act)

    async def start(self, name: str) -> None:
        await self._post(f"{_API}/orchestrators/order/{name}", None)

    async def approve(self, name: str) -> None:
        await self._post(f"{_API}/instances/{name}/raiseEvent/approved", "yes")

    async def finish(self, name: str) -> None:
        """Ask until it is complete, ever less often."""
        pause = _POLL_SECONDS
        while True:
            async with self._session.get(f"{_API}/instances/{name}") as answer:
                status = await answer.json()
            if status["runtimeStatus"] == "Completed":
                break
            if status["runtimeStatus"] not in {"Pending", "Running"}:
                raise MeasurementError(
                    f"The workflow {name} is {status['runtimeStatus']}: {status['output']}"
                )
            await asyncio.sleep(pause)
            pause = min(pause * _POLL_GROWTH, _LONGEST_POLL_SECONDS)
        if status["output"] != "shipped: yes":
            raise MeasurementError(f"The workflow {name} gives {status['output']!r}.")

    async def _post(self, path: str, body: object) -> None:
        async with self._session.post(path, json=body) as answer:
            if not answer.ok:
                raise MeasurementError(f"POST {path} responds with {answer.status}: {await answer.text()}")


async def _each(clients: int, names: Iterable[str], act: Callable[[str], Awaitable[None]]) -> None:
    remaining = iter(names)

    async def client() -> None:
        for name in remaining:
            await act(name)

    await asyncio.gather(*(client() for _ in range(clients)))
