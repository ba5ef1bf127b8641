"""How many workflows devhost completes per second: start, wait for an event, run an activity, complete.

    python -m bench.devhost_bench [--workflows N] [--clients N]

The host runs in a process of its own and commits with synchronous=FULL; the client shares the machine with it.
All workflows are started, each waits for its event, all events are raised; the time runs until the last is complete.
"""

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp

from bench.processes import rss_mib

_ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 30.0
_RUN_SECONDS = 300.0

_APP = """
import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.orchestration_trigger(context_name="context")
def order(context):
    approval = yield context.wait_for_external_event("approved")
    return (yield context.call_activity("ship", approval))

@app.activity_trigger(input_name="approval")
def ship(approval):
    return {"shipped": True}
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured; `commit_ratio` is workflows per raw SQLite commit, `latency_ms` one workflow by itself."""

    workflows: int
    workflows_per_second: float
    sqlite_commits_per_second: float
    commit_ratio: float
    latency_ms: float
    idle_rss_mib: float
    loaded_rss_mib: float


def run(workflows: int = 2_000, clients: int = 32) -> Result:
    """Measure once, within five minutes; `clients` is how many requests are under way at a time."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(asyncio.wait_for(_measure(Path(folder), workflows, clients), _RUN_SECONDS))


async def _measure(folder: Path, workflows: int, clients: int) -> Result:
    (folder / "function_app.py").write_text(_APP, encoding="utf-8")
    commits = _raw_commits(folder / "raw.sqlite3")
    async with _host(folder) as (pid, url), aiohttp.ClientSession(url) as session:
        idle = rss_mib(pid)
        latency = await _one_by_one(session)
        seconds = await _all(session, workflows, clients)
        loaded = rss_mib(pid)
    rate = workflows / seconds
    return Result(workflows, rate, commits, rate / commits, latency, idle, loaded)


def _raw_commits(file: Path, count: int = 500) -> float:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE rows (value TEXT)")
    began = time.perf_counter()
    for _ in range(count):
        connection.execute("INSERT INTO rows VALUES (?)", ("x" * 200,))
    seconds = time.perf_counter() - began
    connection.close()
    return count / seconds


@asynccontextmanager
async def _host(folder: Path) -> AsyncIterator[tuple[int, str]]:
    arguments = ["-m", "devhost", "--app", str(folder), "--data", str(folder / "data"), "--port", "0"]
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    log = folder / "host.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        if not line.startswith(b"Ready: "):
            raise RuntimeError(f"devhost did not start: {log.read_text(encoding='utf-8')}")
        yield process.pid, line.decode().removeprefix("Ready: ").strip()
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def _one_by_one(session: aiohttp.ClientSession, count: int = 50) -> float:
    began = time.perf_counter()
    for number in range(count):
        await _start(session, f"single-{number}")
        await _raise(session, f"single-{number}")
        await _drain(session)
    return (time.perf_counter() - began) / count * 1_000


async def _all(session: aiohttp.ClientSession, workflows: int, clients: int) -> float:
    names = [f"order-{number}" for number in range(workflows)]
    began = time.perf_counter()
    await _each(clients, names, lambda name: _start(session, name))
    await _drain(session)
    await _each(clients, names, lambda name: _raise(session, name))
    await _drain(session)
    seconds = time.perf_counter() - began
    await _check(session, workflows)
    return seconds


async def _each(clients: int, names: list[str], work: Callable[[str], Awaitable[None]]) -> None:
    remaining: Iterator[str] = iter(names)

    async def client() -> None:
        for name in remaining:
            await work(name)

    await asyncio.gather(*(client() for _ in range(clients)))


async def _start(session: aiohttp.ClientSession, name: str) -> None:
    async with session.post(
        f"/durabletask/orchestrators/order/{name}", json=json.dumps({"order": name})
    ) as answer:
        assert answer.status == 202, await answer.text()


async def _raise(session: aiohttp.ClientSession, name: str) -> None:
    async with session.post(
        f"/durabletask/instances/{name}/raiseEvent/approved", json=json.dumps("yes")
    ) as answer:
        assert answer.status == 202, await answer.text()


async def _drain(session: aiohttp.ClientSession) -> None:
    """Advancing by nothing answers once everything that is due has been done."""
    async with session.post("/admin/devhost/clock", json={"advance": "PT0S"}) as answer:
        assert answer.status == 200, await answer.text()


async def _check(session: aiohttp.ClientSession, workflows: int) -> None:
    query = {"runtimeStatus": "Completed", "instanceIdPrefix": "order-", "top": str(workflows + 1)}
    async with session.get("/durabletask/instances", params=query) as answer:
        completed = len(await answer.json())
    assert completed == workflows, f"{completed} of {workflows} workflows completed"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workflows", type=int, default=2_000)
    parser.add_argument("--clients", type=int, default=32)
    chosen = parser.parse_args()
    for name, value in asdict(run(chosen.workflows, chosen.clients)).items():
        print(f"{name.replace('_', ' '):28}{value:>12,.2f}")


if __name__ == "__main__":
    main()
