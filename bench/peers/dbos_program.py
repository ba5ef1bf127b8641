"""The workflow on DBOS, run by the Python of the peers' environment.

    python -P bench/peers/dbos_program.py URL WORKFLOWS CLIENTS SINGLES

URL names the system database. DBOS is a library, so the clients share its process. It prints one line of JSON:
seconds and CPU seconds of the batch, seconds of each workflow by itself, and what SQLite syncs.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import sqlalchemy
from dbos import DBOS
from dbos import WorkflowHandleAsync as Handle

_DEADLINE_SECONDS = 14 * 24 * 60 * 60
_TOPIC = "approved"
_FULL = 2
_synced: set[tuple[str, int]] = set()
"""Journal mode and synchronous of each SQLite connection."""


@DBOS.step()
async def ship(approval: str) -> str:
    return f"shipped: {approval}"


@DBOS.workflow()
async def order() -> str:
    """`recv` races the message with a durable timer."""
    approval = await DBOS.recv_async(_TOPIC, timeout_seconds=_DEADLINE_SECONDS)
    return "expired" if approval is None else await ship(approval)


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
def _sync_fully(connection: Any, _record: object) -> None:
    """SQLite's default is compiled in; say it."""
    if "sqlite" not in type(connection).__module__:
        return
    connection.execute(f"PRAGMA synchronous = {_FULL}")
    journal = connection.execute("PRAGMA journal_mode").fetchone()[0]
    _synced.add((journal, connection.execute("PRAGMA synchronous").fetchone()[0]))


async def _batch(workflows: int, clients: int) -> None:
    handles: list[Handle[str]] = []

    async def start(_: int) -> None:
        handles.append(await DBOS.start_workflow_async(order))

    await _each(clients, range(workflows), start)
    await _each(clients, handles, _approve)
    await _each(clients, handles, _finish)


async def _single() -> float:
    began = time.perf_counter()
    handle = await DBOS.start_workflow_async(order)
    await _approve(handle)
    await _finish(handle)
    return time.perf_counter() - began


async def _approve(handle: Handle[str]) -> None:
    await DBOS.send_async(handle.workflow_id, "yes", _TOPIC)


async def _finish(handle: Handle[str]) -> None:
    result = await handle.get_result()
    assert result == "shipped: yes", result


async def _each(clients: int, items: Iterable[Any], act: Callable[[Any], Awaitable[None]]) -> None:
    remaining = iter(list(items))

    async def client() -> None:
        for item in remaining:
            await act(item)

    await asyncio.gather(*(client() for _ in range(clients)))


async def _measure(workflows: int, clients: int, singles: int) -> dict[str, Any]:
    await _single()
    latencies = [await _single() for _ in range(singles)]
    began, cpu = time.perf_counter(), time.process_time()
    await _batch(workflows, clients)
    return {
        "batch_seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "latencies": latencies,
        "synced": sorted(_synced),
    }


def main() -> None:
    url, *numbers = sys.argv[1:]
    DBOS(config={"name": "bench", "system_database_url": url, "log_level": "WARNING"})
    DBOS.launch()
    try:
        print(json.dumps(asyncio.run(_measure(*map(int, numbers)))), flush=True)
    finally:
        DBOS.destroy()


if __name__ == "__main__":
    main()
