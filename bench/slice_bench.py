"""The whole slice over HTTP with Azurite and the mail sink: deals created, accepted and notified.

    python -m bench.slice_bench [--deals N]

Each deal invites Microsoft and Fabrikam; both accept; it counts as notified when the mail of both acceptances has
arrived. Rates are those of this machine, whose cores the service shares with storage, mail sink and client. Counts of
storage requests and function invocations are taken in a run of their own, with the app in the bench's process.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

import devhost
from bench.deals import CLIENTS, CREATOR, INVITED, MAILS_PER_DEAL, REFERRALS, deal, headers
from bench.processes import rss_mib
from devhost.functions import Function
from devhost.invocation import Invoker
from localcloud import PROJECT
from localcloud.stack.stack import Stack
from shared.storage.azure_tables import AzureTables
from shared.wiring import wiring

COUNTED_DEALS = 5
LONGEST_WAIT = 120.0


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured. A deal is three referrals: the creator's, Microsoft's and Fabrikam's."""

    deals: int
    deals_created_per_second: float
    deals_accepted_per_second: float
    deals_notified_per_second: float
    storage_requests_per_referral: float
    function_invocations_per_referral: float
    mails_per_referral: float
    idle_rss_mib: float


def run(deals: int = 60) -> Result:
    """Measure once, within a few minutes."""
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "rates", samples=True) as stack:
        idle = rss_mib(stack.host.pid)
        created, accepted, notified = asyncio.run(_rates(stack, deals))
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "counts", samples=True) as stack:
        stack.host.stop()
        requests, invocations = asyncio.run(_counts(stack))
    referrals = COUNTED_DEALS * 3
    return Result(
        deals=deals,
        deals_created_per_second=deals / created,
        deals_accepted_per_second=deals / accepted,
        deals_notified_per_second=deals / notified,
        storage_requests_per_referral=requests / referrals,
        function_invocations_per_referral=invocations / referrals,
        mails_per_referral=MAILS_PER_DEAL / 3,
        idle_rss_mib=idle,
    )


async def _rates(stack: Stack, deals: int) -> tuple[float, float, float]:
    """Seconds until all deals were created, accepted by both parties, and notified; each counted from the start."""
    async with httpx.AsyncClient(base_url=stack.url, timeout=60) as http:
        people = {email: headers(stack, email) for email in (CREATOR, *INVITED)}
        await _play(http, people, 1)
        before = await _mail_count(http)
        start = time.perf_counter()
        made = await _each(deals, lambda index: _create(http, people, index))
        created = time.perf_counter() - start
        accepting = [(name, each) for name in INVITED for each in await _invited(http, people[name], made)]
        await _each(len(accepting), lambda i: _accept(http, people[accepting[i][0]], accepting[i][1]))
        accepted = time.perf_counter() - start
        await _until_notified(http, before + deals * MAILS_PER_DEAL)
        return created, accepted, time.perf_counter() - start


async def _counts(stack: Stack) -> tuple[int, int]:
    """Storage requests and function invocations of a few deals, everything that they cause included."""
    os.environ.update(stack.environment())
    with _counting_invocations() as invocations:
        data = stack.data.path / "counted"
        async with (
            devhost.running(PROJECT, data) as host,
            httpx.AsyncClient(base_url=host.url, timeout=60) as http,
        ):
            people = {email: headers(stack, email) for email in (CREATOR, *INVITED)}
            await _play(http, people, 1)
            tables = (await wiring.service()).tables
            assert isinstance(tables, AzureTables)
            before = (tables.requests, invocations.total())
            await _play(http, people, COUNTED_DEALS)
            return tables.requests - before[0], invocations.total() - before[1]


async def _play(http: httpx.AsyncClient, people: dict[str, dict[str, str]], deals: int) -> None:
    made = [await _create(http, people, index) for index in range(deals)]
    for name in INVITED:
        for referral in await _invited(http, people[name], made):
            await _accept(http, people[name], referral)
    (await http.post("/admin/devhost/clock", json={"advance": "PT0S"})).raise_for_status()


async def _each(count: int, act: Any) -> list[Any]:
    """Do something `count` times, a few at once."""
    numbers = iter(range(count))
    results: list[Any] = [None] * count

    async def client() -> None:
        for index in numbers:
            results[index] = await act(index)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return results


async def _create(http: httpx.AsyncClient, people: dict[str, dict[str, str]], index: int) -> dict[str, Any]:
    answer = await http.post(REFERRALS, json=deal(index), headers=people[CREATOR])
    answer.raise_for_status()
    made: dict[str, Any] = answer.json()
    return made


async def _invited(http: httpx.AsyncClient, who: dict[str, str], made: list[dict[str, Any]]) -> list[str]:
    wanted = {each["engagementId"] for each in made}
    found: list[str] = []
    page: str | None = REFERRALS
    while page:
        body = (await http.get(page, headers=who)).raise_for_status().json()
        found += [each["id"] for each in body["value"] if each["engagementId"] in wanted]
        page = body.get("@odata.nextLink")
    return found


async def _accept(http: httpx.AsyncClient, who: dict[str, str], referral: str) -> None:
    (await http.post(f"{REFERRALS}/{referral}/accept", json={}, headers=who)).raise_for_status()


async def _until_notified(http: httpx.AsyncClient, count: int) -> None:
    end = time.perf_counter() + LONGEST_WAIT
    while await _mail_count(http) < count:
        if time.perf_counter() > end:
            raise TimeoutError(f"not all {count} mails arrived within {LONGEST_WAIT:.0f} seconds")
        await asyncio.sleep(0.1)


async def _mail_count(http: httpx.AsyncClient) -> int:
    return len((await http.get("/admin/devhost/mail")).raise_for_status().json()["value"])


@contextmanager
def _counting_invocations() -> Iterator[Counter[str]]:
    """Count the functions that the host in this process calls; orchestrator turns run elsewhere and are not in it."""
    counted: Counter[str] = Counter()
    call = Invoker.call

    async def counting(self: Invoker, function: Function, argument: Any) -> Any:
        counted[function.name] += 1
        return await call(self, function, argument)

    Invoker.call = counting  # type: ignore[method-assign]
    try:
        yield counted
    finally:
        Invoker.call = call  # type: ignore[method-assign]


def show(result: object) -> None:
    """Print each figure on a line."""
    for name, value in asdict(result).items():  # type: ignore[call-overload]
        print(f"{name.replace('_', ' '):36}{value:>12,.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deals", type=int, default=60)
    show(run(parser.parse_args().deals))


if __name__ == "__main__":
    main()
