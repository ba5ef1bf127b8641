"""What a page of a list costs (N4): a handful of storage requests, however many referrals there are."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

import pytest

from api.referrals.list import list_referrals
from shared.domain.ids import LocationId, ReferralId, uuid7
from shared.storage import keys
from shared.storage.memory_tables import MemoryTables
from shared.storage.referral_lists import MAX_PAGES, REFERRALS, list_keys
from shared.storage.tables import Row, Upsert
from tests.doubles.service import ask, service_on
from tests.doubles.small_world import import_small_world
from tests.examples.referrals import NOW, contact, creators

MAX_ITEMS = 12_000
HANDFUL = 3
QUERIES = {
    "": HANDFUL,
    "$filter=status eq 'Active'": HANDFUL + 2,  # of every tab
    "$filter=status eq 'Active' and direction eq 'Outgoing'": HANDFUL,
    "$orderby=updatedDateTime desc": HANDFUL,
    "$orderby=updatedDateTime": HANDFUL,
    "$orderby=createdDateTime": HANDFUL,
    "$filter=location eq 'contoso-munich'": HANDFUL,
    "$filter=team/any(t:t/email eq 'rae@contoso.com')": HANDFUL,
    "$filter=updatedDateTime ge 2026-11-01T00:00:00Z&$orderby=updatedDateTime": HANDFUL,
    "$filter=direction eq 'Outgoing'": HANDFUL + 2,
    "$filter=campaignId eq 'NOWHERE'": MAX_PAGES + 2,
    "$count=true": HANDFUL + MAX_PAGES + 1,
    "$skip=1000": HANDFUL + 1,
}


@pytest.fixture(scope="module")
def tables() -> MemoryTables:
    return MemoryTables()


@pytest.fixture(scope="module")
def service(tables: MemoryTables) -> Any:
    service = service_on(tables, None)  # type: ignore[arg-type] # nothing here sends mail

    async def fill() -> None:
        await import_small_world(service.tables)
        rows = _rows()
        while batch := list(islice(rows, 100)):
            await tables.write(keys.REFERRALS, "contoso", batch)

    asyncio.run(fill())
    return service


def _rows() -> Iterator[Upsert]:
    for number in range(MAX_ITEMS):
        at = NOW - timedelta(hours=1 + number)
        record = creators(
            id=ReferralId(uuid7(at, number.to_bytes(16, "big"))),
            created_at=at,
            updated_at=at,
            location=LocationId("contoso-munich" if number % 10 else "contoso-seattle"),
            team=(contact("rae@contoso.com"),),
        )
        record = replace(record, status="Active" if number % 3 else "Closed")
        values = REFERRALS.values(record)
        for key in sorted(list_keys(record)):
            yield Upsert(Row(key, values))
        yield Upsert(Row(keys.document(record.id), values))


async def asked(service: Any, options: str) -> dict[str, Any]:
    answer = await ask(service, "rae", list_referrals, now=NOW, params=dict(parse_qsl(options)))
    assert answer.status == 200, answer.body
    return answer.body


@pytest.mark.parametrize("options", QUERIES)
async def test_a_page_of_fifty_out_of_many_costs_a_handful_of_requests(
    service: Any, tables: MemoryTables, options: str
) -> None:
    await asked(service, options)
    before = tables.requests
    body = await asked(service, f"$top=50&{options}")
    assert tables.requests - before <= QUERIES[options]
    assert len(body["value"]) in {0, 50}


async def test_a_count_is_exact_to_five_thousand_and_says_when_there_are_more(service: Any) -> None:
    body = await asked(service, "$top=1&$count=true")
    assert (body["@odata.count"], body["@cosell.countExceeded"]) == (5000, True)
    some = await asked(service, "$top=1&$count=true&$filter=location eq 'contoso-seattle'")
    assert (some["@odata.count"], "@cosell.countExceeded" in some) == (MAX_ITEMS // 10, False)


async def test_a_rare_filter_gives_what_one_request_can_read_and_a_link_to_the_rest(service: Any) -> None:
    """A page can hold fewer than `$top` and still have a nextLink."""
    pages, found = 0, 0
    options = "$top=50&$filter=externalReferenceId eq 'NOWHERE'"
    while options:
        body = await asked(service, options)
        pages, found = pages + 1, found + len(body["value"])
        link = body.get("@odata.nextLink", "")
        options = link.partition("?")[2]
    assert (found, pages) == (0, 3)


async def test_a_skip_goes_on_where_one_request_had_to_stop(service: Any) -> None:
    """Skipping 900 of the one in ten that match takes more than one request may read."""
    options = "$top=50&$skip=900&$filter=location ne 'contoso-munich'"
    found: list[str] = []
    while options and not found:
        body = await asked(service, options)
        found += [each["id"] for each in body["value"]]
        options = body.get("@odata.nextLink", "").partition("?")[2]
    wanted = await asked(service, "$top=100&$skip=900&$filter=location eq 'contoso-seattle'")
    assert found[0] == wanted["value"][0]["id"]
