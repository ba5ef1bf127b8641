"""Nothing acknowledged is ever lost: orderly restarts, and kill -9 at random moments."""

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Self

import azure.durable_functions as df
import httpx
import pytest

from tests.devhost.conftest import Drive
from tests.devhost.driver import new_app

ROOT = Path(__file__).resolve().parents[2]

ERRANDS = """
import os
from datetime import timedelta
import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.orchestration_trigger(context_name="context")
def errand(context):
    bought = yield context.task_all([context.call_activity("buy", [context.instance_id, n]) for n in range(3)])
    yield context.create_timer(context.current_utc_datetime + timedelta(days=2))
    key = yield context.wait_for_external_event("key")
    carried = yield context.call_activity("carry", [context.instance_id, sum(bought)])
    return [bought, key, carried]

@app.activity_trigger(input_name="what")
def buy(what):
    note(f"buy {what[0]} {what[1]}")
    return what[1]

@app.activity_trigger(input_name="what")
async def carry(what):
    note(f"carry {what[0]}")
    return what[1]

def note(line):
    with open(os.environ["NOTES"], "a", encoding="utf-8") as file:
        file.write(line + "\\n")
"""


def garden() -> df.DFApp:
    app = new_app()

    @app.orchestration_trigger(context_name="context")
    def season(context):
        grown = yield context.call_activity("grow", "tulip")
        yield context.create_timer(context.current_utc_datetime + timedelta(days=3))
        rain = yield context.wait_for_external_event("rain")
        return [grown, rain]

    @app.activity_trigger(input_name="what")
    def grow(what: str) -> str:
        return what.upper()

    return app


async def test_a_restart_continues_where_the_instance_was(drive: Drive) -> None:
    async with drive(garden()) as d:
        await d.start("season")
    async with drive(garden()) as d:
        await d.settle()
    async with drive(garden()) as d:
        await d.raise_event("rain", "much")
        await d.advance("P1D")
    async with drive(garden()) as d:
        await d.advance("P2D")
        assert await d.outcome() == ("Completed", ["TULIP", "much"])


async def test_an_activity_that_was_running_at_the_stop_runs_again(drive: Drive) -> None:
    app, runs, gate = new_app(), [], asyncio.Event()

    @app.orchestration_trigger(context_name="context")
    def patient(context):
        return (yield context.call_activity("slow", None))

    @app.activity_trigger(input_name="nothing")
    async def slow(nothing) -> int:
        runs.append("run")
        await gate.wait()
        return len(runs)

    async with drive(app, grace_seconds=0.0) as d:
        await d.start("patient")
        while not runs:
            await d.http.get("/admin/host/ping")
    gate.set()
    async with drive(app) as d:
        assert await d.outcome() == ("Completed", 2)


async def test_a_stop_lets_a_running_activity_finish(drive: Drive) -> None:
    app, runs, gate = new_app(), [], asyncio.Event()

    @app.orchestration_trigger(context_name="context")
    def patient(context):
        return (yield context.call_activity("slow", None))

    @app.activity_trigger(input_name="nothing")
    async def slow(nothing) -> int:
        runs.append("run")
        await gate.wait()
        return len(runs)

    async with drive(app) as d:
        await d.start("patient")
        while not runs:
            await d.http.get("/admin/host/ping")
        asyncio.get_running_loop().call_soon(gate.set)
    async with drive(app) as d:
        assert await d.outcome() == ("Completed", 1)


class Machine:
    """A host in its own process, which can be killed as by a power cut."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.notes = folder / "notes"
        (folder / "function_app.py").write_text(ERRANDS)
        self._process: asyncio.subprocess.Process | None = None
        self.http = httpx.AsyncClient(timeout=30)

    async def __aenter__(self) -> Self:
        await self.switch_on()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        assert await self._process.wait() == 0

    async def switch_on(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *(
                    "-m",
                    "devhost",
                    "--app",
                    str(self._folder),
                    "--data",
                    str(self._folder / "data"),
                    "--port",
                    "0",
                ),
                env=os.environ | {"PYTHONPATH": str(ROOT), "NOTES": str(self.notes)},
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode()
        assert line.startswith("Ready: "), (self._folder / "log").read_text()
        self.http.base_url = httpx.URL(line.removeprefix("Ready: ").strip())

    async def lose_power(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def until_acknowledged(
        self, request: Callable[[], Awaitable[httpx.Response]], done: set[int]
    ) -> None:
        """Repeat a request until it has the expected response, a limited number of times."""
        for _ in range(2_000):
            with suppress(httpx.TransportError):
                if (await request()).status_code in done:
                    return
            await asyncio.sleep(0.005)
        pytest.fail("the host did not acknowledge a request")


async def test_power_losses_at_random_moments_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    seed = random.Random(20261121)
    names = [f"errand-{number}" for number in range(40)]
    async with Machine(tmp_path) as machine:
        acknowledged = Counter()

        async def run(name: str) -> None:
            base, url = "/durabletask/orchestrators/errand", f"/durabletask/instances/{name}/raiseEvent/key"
            await machine.until_acknowledged(lambda: machine.http.post(f"{base}/{name}"), {202, 409})
            acknowledged["started"] += 1
            await machine.until_acknowledged(lambda: machine.http.post(url, json=name), {202})
            acknowledged["raised"] += 1

        async def cut(after: int) -> None:
            while acknowledged.total() < after and not work.done():  # noqa: ASYNC110 - any may be the last
                await asyncio.sleep(0)
            await machine.lose_power()
            await machine.switch_on()

        cuts = sorted(seed.sample(range(3, 75), 4))
        work = asyncio.gather(*(run(name) for name in names))
        for after in cuts:
            await cut(after)
        await work
        await machine.lose_power()
        await machine.switch_on()
        advanced = await machine.http.post("/admin/devhost/clock", json={"advance": "P2DT1H"})
        assert advanced.status_code == 200, advanced.text
        listed = (await machine.http.get("/durabletask/instances", params={"top": 1000})).json()
    assert {one["instanceId"]: one["output"] for one in listed} == {
        name: [[0, 1, 2], name, 3] for name in names
    }
    notes = Counter(machine.notes.read_text().splitlines())
    assert notes.keys() == {f"buy {name} {n}" for name in names for n in range(3)} | {
        f"carry {n}" for n in names
    }


@pytest.mark.parametrize("moment", ["PT0S", "P1D"])
async def test_a_power_loss_during_an_advance_leaves_a_clock_that_can_be_advanced_further(
    tmp_path: Path, moment: str
) -> None:
    async with Machine(tmp_path) as machine:
        for number in range(10):
            await machine.http.post(f"/durabletask/orchestrators/errand/{number}")
            await machine.http.post(f"/durabletask/instances/{number}/raiseEvent/key", json=number)
        await machine.http.post("/admin/devhost/clock", json={"advance": moment})
        advancing = asyncio.create_task(machine.http.post("/admin/devhost/clock", json={"advance": "P3D"}))
        await asyncio.sleep(0)
        await machine.lose_power()
        with suppress(httpx.TransportError):
            await advancing
        await machine.switch_on()
        await machine.http.post("/admin/devhost/clock", json={"advance": "P3D"})
        listed = (await machine.http.get("/durabletask/instances")).json()
    assert [one["runtimeStatus"] for one in listed] == ["Completed"] * 10
    assert json.loads(json.dumps(listed[3]["output"])) == [[0, 1, 2], 3, 3]
