"""The clock of the engine of a Functions host, whose own pages run timer functions now."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from localcloud.platform.engine_clock import ClockFiles, ClockRefusal, EngineClock
from localcloud.platform.task_hub import TaskHub

STORAGE_SETTING = "AzureWebJobsStorage"
HUB_SETTING, HUB = "AzureFunctionsJobHost__extensions__durableTask__hubName", "cosellreferrals"
"""What names the task hub, and its name where the environment does not."""
_TIMEOUT = aiohttp.ClientTimeout(total=300, sock_connect=5)


@asynccontextmanager
async def engine_clock(host: str, files: ClockFiles, storage: str, hub: str) -> AsyncIterator[EngineClock]:
    """The clock of the engine of this host; `storage` is the connection string of its task hub."""
    task_hub = TaskHub(storage, hub)
    async with aiohttp.ClientSession(host, timeout=_TIMEOUT) as http:

        async def run_timers() -> None:
            await _run_timers(http)

        try:
            yield EngineClock(files, task_hub, run_timers)
        finally:
            await task_hub.close()


async def _run_timers(http: aiohttp.ClientSession) -> None:
    """Run each timer function once. Raises ClockRefusal if the host does not."""
    try:
        async with http.get("/admin/functions") as answer:
            functions = await answer.json(content_type=None)
        for function in functions:
            kinds = [binding["type"] for binding in function["config"]["bindings"]]
            if "timerTrigger" in kinds:
                path = f"/admin/functions/{function['name']}"
                async with http.post(path, json={"input": ""}, raise_for_status=True):
                    pass
    except (aiohttp.ClientError, TimeoutError) as failed:
        raise ClockRefusal(409, f"The host does not run its timer functions: {failed}") from failed
