"""Lists of an organization with many referrals: storage requests and latency of a page, by size.

    python -m bench.list_bench [--referrals 1000,10000,100000]

The referrals are copies of one deal, written with the rows that the measured pages read. What counts are the
requests: they must stay bounded however many referrals there are. They are counted on Azurite up to 10,000, since it
takes too long to fill beyond that, and at every size on storage in memory, whose latency is that of our
code alone.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import azure.functions as func

from api.http.request import Request
from api.referrals.list import list_referrals
from localcloud.stack.stack import Stack
from samples.world import load, person
from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.domain.ids import EngagementId, LocationId, OrganizationId, PersonId, ReferralId, uuid7
from shared.domain.permissions import Caller
from shared.domain.referral import Address, Consent, Contact, Customer, Referral, ReferralKey, Solution, Terms
from shared.settings import Settings, read_settings
from shared.storage import keys
from shared.storage.azure_tables import AzureTables
from shared.storage.known_referrals import KnownReferrals
from shared.storage.memory_tables import MemoryTables
from shared.storage.referral_lists import REFERRALS
from shared.storage.schema import create_all_tables
from shared.storage.tables import Insert, Row
from shared.wiring import Service, assemble, table_service

SIZES = (1_000, 10_000, 100_000)
LARGEST_ON_AZURITE = 10_000
TOP = 50
TIMES = 5
WRITERS = 2
CONTOSO = OrganizationId("contoso")
QUERIES = {
    "newest first": ("ana", ""),
    "status and direction": ("ana", "$filter=status eq 'Active' and direction eq 'Outgoing'"),
    "latest change first": ("ana", "$orderby=updatedDateTime desc"),
    "one location's admin": ("mia", ""),
    "after 1,000 skipped": ("ana", "$skip=1000"),
    "counted": ("ana", "$count=true"),
    "filter that finds nothing": ("ana", "$filter=campaignId eq 'NOWHERE'"),
}
_BOUNDED = {"counted", "filter that finds nothing", "after 1,000 skipped"}
"""Queries that read several storage pages by their nature: at most five, and one for each range and the marks."""
_NOW = datetime(2026, 11, 21, tzinfo=UTC)
_RAE = Contact(first_name="Rae", last_name="L", phone_number="+1 206 555 0112", email="rae@contoso.com")
_TEMPLATE = Referral(
    id=ReferralId(""),
    engagement_id=EngagementId("00000000-0000-7000-8000-000000000000"),
    organization_id=CONTOSO,
    organization_name="Contoso",
    creator=ReferralKey(organization_id=CONTOSO, referral_id=ReferralId("")),
    name="Measured deal",
    location=LocationId("contoso-seattle"),
    direction="Outgoing",
    sharing="Independent",
    deal_type="Private",
    status="Active",
    substatus="Accepted",
    sales_stage="Created",
    customer=Customer(name="Adventure Works", address=Address(country="US"), team=(_RAE,)),
    consent=Consent(share_contact=True),
    terms=Terms(
        deal_value=Decimal(1000),
        currency="USD",
        closing_at=_NOW + timedelta(days=90),
        solutions=(Solution(id="SOL-CONTOSO-ERP", name="Contoso ERP Cloud", kind="MyCompany"),),
    ),
    notes="A sentence or two about what the customer is looking for, as people write them.",
    team=(_RAE,),
    created_at=_NOW,
    updated_at=_NOW,
    accepted_at=_NOW,
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One query at one size."""

    storage: str
    referrals: int
    query: str
    requests: int
    items: int
    median_ms: float


def run(sizes: Iterable[int] = SIZES) -> list[Measured]:
    """Measure each size in turn; the organization grows from one to the next."""
    wanted = sorted(sizes)
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "lists", samples=False) as stack:
        stack.host.stop()
        settings = read_settings(stack.environment())
        return asyncio.run(_both(settings, wanted))


async def _both(settings: Settings, sizes: list[int]) -> list[Measured]:
    memory = await _grown(settings, MemoryTables(), sizes)
    tables = AzureTables(table_service(settings))
    try:
        await create_all_tables(tables)
        small = [size for size in sizes if size <= LARGEST_ON_AZURITE]
        return [*await _grown(settings, tables, small), *memory]
    finally:
        await tables.close()


async def _grown(settings: Settings, tables: AzureTables | MemoryTables, sizes: list[int]) -> list[Measured]:
    service = assemble(settings, tables, mail=None)  # type: ignore[arg-type] # nothing here sends mail
    await import_directory(service.tables, DirectoryDocument.model_validate(load()))
    measured: list[Measured] = []
    filled = 0
    for size in sizes:
        start = time.perf_counter()
        await _fill(tables, range(filled, size))
        filled = size
        print(f"  {size:,} in {type(tables).__name__}, {time.perf_counter() - start:.0f} s", flush=True)
        measured += [await _asked(service, tables, size, query) for query in QUERIES]
    return measured


async def _fill(tables: AzureTables | MemoryTables, numbers: range) -> None:
    rows = (row for number in numbers for row in _rows(number))

    async def writer() -> None:
        while batch := list(islice(rows, 100)):
            await tables.write(keys.REFERRALS, CONTOSO, batch)

    await asyncio.gather(*(writer() for _ in range(WRITERS)))


def _rows(number: int) -> Iterator[Insert]:
    """The rows of a copy that the measured pages read; every third is closed, every tenth is Munich's."""
    at = _NOW - timedelta(seconds=number + 1)
    munich = LocationId("contoso-munich")
    copy = replace(
        _TEMPLATE,
        id=ReferralId(uuid7(at, number.to_bytes(16, "big"))),
        name=f"Deal {number}",
        created_at=at,
        updated_at=at,
        location=munich if number % 10 == 0 else _TEMPLATE.location,
        status="Active" if number % 3 else "Closed",
        substatus="Accepted" if number % 3 else "Won",
    )
    values = REFERRALS.values(copy)
    yield Insert(Row(keys.newest(copy.id), values))
    yield Insert(Row(keys.updated_last(copy.updated_at, copy.id), values))
    yield Insert(Row(keys.in_tab("out", copy.status, copy.id), values))
    if copy.location == munich:
        yield Insert(Row(keys.of_location(munich, copy.id), values))


async def _asked(service: Service, tables: AzureTables | MemoryTables, size: int, query: str) -> Measured:
    who, options = QUERIES[query]
    request = await _request(service, who, f"$top={TOP}&{options}")
    await list_referrals(request)  # the directory is read once
    spent: list[float] = []
    before, body = tables.requests, {}
    for _ in range(TIMES):
        start = time.perf_counter()
        body = (await list_referrals(request)).json()
        spent.append(time.perf_counter() - start)
    requests = (tables.requests - before) // TIMES
    storage = "Azurite" if isinstance(tables, AzureTables) else "memory"
    return Measured(storage, size, query, requests, len(body["value"]), statistics.median(spent) * 1000)


async def _request(service: Service, who: str, options: str) -> Request:
    known = person(f"{who}@contoso.com")
    organization = await service.directory.organization(CONTOSO)
    found = await service.directory.person(CONTOSO, PersonId(known.oid))
    if organization is None or found is None:
        message = "the sample world was just imported"
        raise LookupError(message)
    http = func.HttpRequest(
        method="GET",
        url="http://127.0.0.1/v1.0/engagements/referrals",
        params=dict(parse_qsl(options)),
        body=b"",
    )
    caller = Caller(organization=organization, member=found)
    engine: Any = None  # reading wakes nobody
    referrals = KnownReferrals(service.referrals)
    return Request(
        http=http,
        path="/v1.0/engagements/referrals",
        load_body=dict,
        service=service,
        engine=engine,
        caller=caller,
        now=_NOW,
        known=referrals,
    )


def show(measured: list[Measured]) -> None:
    """Print a table, and which pages cost more requests in a larger organization."""
    print(f"{'storage':8}{'referrals':>10}  {'page of 50':28}{'requests':>9}{'items':>7}{'median ms':>11}")
    for each in measured:
        figures = f"{each.requests:>9}{each.items:>7}{each.median_ms:>11.1f}"
        print(f"{each.storage:8}{each.referrals:>10,}  {each.query:28}{figures}")
    grown = {
        larger.query
        for smaller in measured
        for larger in measured
        if (smaller.storage, smaller.query) == (larger.storage, larger.query)
        and smaller.referrals < larger.referrals
        and smaller.requests < larger.requests
    }
    print(f"Pages whose requests grew: {', '.join(sorted(grown - _BOUNDED)) or 'none'}.")
    print(f"Bounded by five storage pages and the ranges' first: {', '.join(sorted(_BOUNDED))}.")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--referrals", default=",".join(map(str, SIZES)))
    show(run(int(size) for size in parser.parse_args().referrals.split(",")))


if __name__ == "__main__":
    main()
