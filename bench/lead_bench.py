"""One request for information to many companies: until 201, until all are notified, and what that costs storage.

    python -m bench.lead_bench [--recipients 1,10,50] [--times N]

Each request goes to partners that were not addressed before, so the directory is read again for each of them, as
after a minute without leads. All are notified when the sink has a mail for every partner. Times are medians of
requests that follow each other. Storage requests are counted afterwards, with the app in the bench's process.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import httpx

import devhost
from bench.deals import headers_of
from bench.slice_bench import LONGEST_WAIT
from devhost.functions import Function
from devhost.invocation import Invoker
from localcloud import PROJECT
from localcloud.stack.stack import Stack
from samples.world import application
from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.settings import read_settings
from shared.storage.azure_tables import AzureTables
from shared.storage.schema import create_all_tables
from shared.wiring import table_service

LEADS, MAILS = "/v1.0/leads", "/admin/devhost/mail"
RECIPIENTS = (1, 10, 50)
TIMES = 5
WEB_SITE = application("Solution Providers web site")
Requests = Counter[tuple[str, str]]
"""Storage requests by the function that made them, and the record whose orchestration called it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Milliseconds from sending a request for information."""

    until_taken: float
    until_notified: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Storage requests of one request for information: its handler's, its orchestration's, and its leads'."""

    handler: int
    delivery: int
    leads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One number of recipients; times are medians."""

    recipients: int
    spent: Spent
    cost: Cost


def run(sizes: Iterable[int] = RECIPIENTS, times: int = TIMES) -> list[Measured]:
    """Measure each number of recipients, within a minute or two."""
    wanted = sorted(sizes)
    partners = count()
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "leads", samples=True) as stack:
        asyncio.run(_enter(stack, 2 + (times + 1) * sum(wanted)))
        spent = asyncio.run(_timed(stack, partners, wanted, times))
        stack.host.stop()
        costs = asyncio.run(_counted(stack, partners, wanted))
    return [Measured(recipients=size, spent=spent[size], cost=costs[size]) for size in wanted]


async def _enter(stack: Stack, partners: int) -> None:
    """Import as many partners, each with an active profile in the US."""
    tables = AzureTables(table_service(read_settings(stack.environment())))
    try:
        await create_all_tables(tables)
        world = DirectoryDocument.model_validate(
            {"organizations": [_partner(number) for number in range(partners)]}
        )
        await import_directory(tables, world)
    finally:
        await tables.close()


async def _timed(stack: Stack, partners: Iterator[int], sizes: list[int], times: int) -> dict[int, Spent]:
    async with httpx.AsyncClient(base_url=stack.url, timeout=60) as http:
        who = headers_of(stack, WEB_SITE)
        await _told(http, who, list(islice(partners, 1)))
        spent: dict[int, list[Spent]] = {size: [] for size in sizes}
        for _ in range(times):
            for size in sizes:
                spent[size].append(await _told(http, who, list(islice(partners, size))))
    return {
        size: Spent(
            until_taken=statistics.median(each.until_taken for each in measured),
            until_notified=statistics.median(each.until_notified for each in measured),
        )
        for size, measured in spent.items()
    }


async def _told(http: httpx.AsyncClient, who: dict[str, str], partners: list[int]) -> Spent:
    """Send a request for information to these partners, and wait until each has its mail, and for quiet."""
    missing = {_address(number) for number in partners}
    kept = (await http.get(MAILS)).raise_for_status().json()["value"]
    last = kept[-1]["id"] if kept else None
    start = time.perf_counter()
    await _submit(http, who, partners)
    taken = time.perf_counter() - start
    while missing:
        if time.perf_counter() - start > LONGEST_WAIT:
            raise TimeoutError(f"{len(missing)} partners were not notified within {LONGEST_WAIT:.0f} seconds")
        arrived = await http.get(MAILS, params={"after": last} if last else None)
        for mail in arrived.raise_for_status().json()["value"]:
            last = mail["id"]
            missing -= set(mail["to"])
        await asyncio.sleep(0.01)
    notified = time.perf_counter() - start
    await _settle(http)
    return Spent(until_taken=taken * 1000, until_notified=notified * 1000)


async def _counted(stack: Stack, partners: Iterator[int], sizes: list[int]) -> dict[int, Cost]:
    os.environ.update(stack.environment())
    costs: dict[int, Cost] = {}
    with _counting_requests() as requests:
        async with (
            devhost.running(PROJECT, stack.data.path / "counted") as host,
            httpx.AsyncClient(base_url=host.url, timeout=60) as http,
        ):
            who = headers_of(stack, WEB_SITE)
            await _submit(http, who, list(islice(partners, 1)))
            await _settle(http)
            for size in sizes:
                requests.clear()
                answer = await _submit(http, who, list(islice(partners, size)))
                await _settle(http)
                costs[size] = _cost(requests, answer)
    return costs


def _cost(requests: Requests, answer: dict[str, Any]) -> Cost:
    leads = {recipient["referralId"] for recipient in answer["recipients"]}
    return Cost(
        handler=sum(made for (name, _), made in requests.items() if name == "submit_leads"),
        delivery=sum(made for (_, record), made in requests.items() if record == answer["id"]),
        leads=sum(made for (_, record), made in requests.items() if record in leads),
    )


@contextmanager
def _counting_requests() -> Iterator[Requests]:
    """Count the storage requests of the functions that the host in this process calls."""
    counted: Requests = Counter()
    running: ContextVar[tuple[str, str]] = ContextVar("running", default=("", ""))
    call, request = Invoker.call, AzureTables._request  # noqa: SLF001 - every request passes here

    async def calling(self: Invoker, function: Function, argument: Any) -> Any:
        record = argument.get("referralId", "") if isinstance(argument, dict) else ""
        token = running.set((function.name, record))
        try:
            return await call(self, function, argument)
        finally:
            running.reset(token)

    def requesting(self: AzureTables) -> AbstractAsyncContextManager[None]:
        counted[running.get()] += 1
        return request(self)

    Invoker.call = calling  # type: ignore[method-assign]
    AzureTables._request = requesting  # type: ignore[assignment,method-assign] # noqa: SLF001
    try:
        yield counted
    finally:
        Invoker.call = call  # type: ignore[method-assign]
        AzureTables._request = request  # type: ignore[method-assign] # noqa: SLF001


async def _submit(http: httpx.AsyncClient, who: dict[str, str], partners: list[int]) -> dict[str, Any]:
    """Send a request for information; gives the answer. Raises `LookupError` if it does not reach all."""
    answer = await http.post(LEADS, json=_inquiry(partners), headers=who)
    body: dict[str, Any] = answer.raise_for_status().json()
    if not all(recipient["delivered"] for recipient in body["recipients"]):
        raise LookupError("the partners were just imported, with profiles")
    return body


async def _settle(http: httpx.AsyncClient) -> None:
    (await http.post("/admin/devhost/clock", json={"advance": "PT0S"})).raise_for_status()


def _inquiry(partners: list[int]) -> dict[str, Any]:
    contact = {"firstName": "C", "lastName": "D", "phoneNumber": "+1 206 555 0123", "email": "c@example.com"}
    return {
        "name": "Measured request",
        "customerProfile": {
            "name": "Relecloud",
            "address": {"country": "US", "city": "Portland"},
            "size": "251to1000employees",
            "team": [contact],
        },
        "consent": {"consentToToShareInfoWithOthers": True, "consentToContact": True},
        "details": {
            "notes": "A sentence or two about what the customer is looking for, as people write them.",
            "requirements": {"industries": [{"id": "Manufacturing"}], "products": [{"id": "Azure"}]},
        },
        "recipients": [{"organizationId": _identifier(number)} for number in partners],
    }


def _partner(number: int) -> dict[str, Any]:
    identifier = _identifier(number)
    person = {"email": _address(number), "firstName": "Measured", "lastName": "Admin"}
    here = {"id": f"{identifier}-here", "name": "Here"}
    return {
        "id": identifier,
        "name": f"Measured partner {number}",
        "kind": "partner",
        "tenantId": f"00000000-0000-4000-8000-{number:012d}",
        "locations": [{**here, "country": "US"}],
        "people": [
            {
                **person,
                "oid": f"10000000-0000-4000-8000-{number:012d}",
                "roles": ["ReferralsAdmin"],
                "global": True,
            }
        ],
        "profiles": [
            {
                "country": "US",
                "active": True,
                "locations": [{**here, "contacts": [{**person, "phoneNumber": "+1 206 555 0124"}]}],
            }
        ],
    }


def _identifier(number: int) -> str:
    return f"measured-{number}"


def _address(number: int) -> str:
    return f"admin@{_identifier(number)}.example.com"


def show(measured: list[Measured]) -> None:
    """Print a table of times, and one of storage requests."""
    print(
        f"{'recipients':>10}{'until 201 ms':>14}{'until notified ms':>15}{'mails per s':>13}{'per mail ms':>13}"
    )
    for each in measured:
        notified = each.spent.until_notified
        rate = f"{each.recipients / notified * 1000:>13.1f}{notified / each.recipients:>13.1f}"
        print(f"{each.recipients:>10}{each.spent.until_taken:>14.0f}{notified:>15.0f}{rate}")
    print("Storage requests, the directory's reading for each partner and all that follows included:")
    print(f"{'recipients':>10}{'handler':>14}{'delivery':>15}{'leads':>13}{'per lead':>13}")
    for each in measured:
        cost = each.cost
        per_lead = (cost.handler + cost.delivery + cost.leads) / each.recipients
        print(f"{each.recipients:>10}{cost.handler:>14}{cost.delivery:>15}{cost.leads:>13}{per_lead:>13.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipients", default=",".join(map(str, RECIPIENTS)), help="at most 50 in one")
    parser.add_argument("--times", type=int, default=TIMES)
    arguments = parser.parse_args()
    show(run((int(size) for size in arguments.recipients.split(",")), arguments.times))


if __name__ == "__main__":
    main()
