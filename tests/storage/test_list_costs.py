"""What a page of a list costs (N4): a handful of storage requests, however many referrals there are."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

import pytest

from api.referrals.create import create_referral
from api.referrals.edit import patch_referral
from api.referrals.list import list_referrals
from shared.domain.ids import LocationId, OrganizationId, PersonId, ReferralId, uuid7
from shared.storage import keys
from shared.storage.memory_tables import MemoryTables
from shared.storage.referral_lists import MAX_PAGES, REFERRALS, list_keys, word_keys
from shared.storage.tables import Row, StoredRow, Upsert
from tests.doubles.service import SETTINGS, ask, service_on
from tests.doubles.small_world import PEOPLE, deal, import_small_world
from tests.examples.referrals import NOW, contact, creators

MAX_ITEMS = 12_000
HANDFUL = 3
CREATION = 6
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
    "$count=true&$filter=status eq 'Active'": HANDFUL + MAX_PAGES + 9,  # of every tab, twice
    "$skip=1000": HANDFUL + 1,
    "$search=7777": HANDFUL,
    "$search=77": HANDFUL + 100,  # referrals are read by fifties until a page is full and more are known
    "$search=deal 77": HANDFUL + 100 + MAX_PAGES,  # the first word finds all
    "$search=deal": HANDFUL + MAX_PAGES,  # too common: the list is read instead
    "$search=77&$filter=status eq 'Closed'": HANDFUL + 150,
    "$search=77&$orderby=name": HANDFUL + 250,
    "$filter=location eq 'contoso-seattle'&$orderby=name": HANDFUL + 1,
    "$filter=location eq 'contoso-seattle'&$orderby=details/dealValue desc": HANDFUL + 1,
}


class Recorded(MemoryTables):
    """Tables that note how many referrals were read as a whole, and how many by their keys alone."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = self.by_key = 0

    async def between(
        self,
        table: str,
        partition: str,
        start: str,
        end: str,
        limit: int | None = None,
        *,
        keys_only: bool = False,
    ) -> list[StoredRow]:
        rows = await super().between(table, partition, start, end, limit, keys_only=keys_only)
        if keys_only:
            self.by_key += len(rows)
        else:
            self.whole += len(rows)
        return rows


@pytest.fixture(scope="module")
def tables() -> Recorded:
    return Recorded()


@pytest.fixture(scope="module")
def service(tables: Recorded) -> Any:
    service = service_on(tables, None)  # type: ignore[arg-type] # nothing here sends mail

    async def fill() -> None:
        await import_small_world(service.tables)
        await _enter(service, "ada", frozenset({"MpnPartnerAdmin"}))
        await _enter(service, "loc", frozenset({"ReferralsAdmin"}))
        rows = _rows()
        while batch := list(islice(rows, 100)):
            await tables.write(keys.REFERRALS, "contoso", batch)

    asyncio.run(fill())
    return service


async def _enter(service: Any, name: str, roles: frozenset[Any]) -> None:
    """A person of Contoso who sees Seattle's referrals, unless the roles are for more."""
    rae = await service.directory.person(OrganizationId("contoso"), PersonId("rae"))
    places = frozenset({LocationId("contoso-seattle")})
    email = f"{name}@contoso.com"
    person = replace(rae, id=PersonId(name), email=email, roles=roles, everywhere=False, locations=places)
    await service.people.put(person, None)


def _rows() -> Iterator[Upsert]:
    for number in range(MAX_ITEMS):
        at = NOW - timedelta(hours=1 + number)
        record = creators(
            id=ReferralId(uuid7(at, number.to_bytes(16, "big"))),
            created_at=at,
            updated_at=at,
            name=f"Deal {number}",
            location=LocationId("contoso-munich" if number % 10 else "contoso-seattle"),
            team=(contact("rae@contoso.com"),),
        )
        record = replace(record, status="Active" if number % 3 else "Closed")
        record = replace(record, closed_at=None if record.status == "Active" else at)
        record = replace(record, direction="Outgoing" if number % 4 else "Incoming")
        values = REFERRALS.values(record)
        for key in sorted(list_keys(record)):
            yield Upsert(Row(key, values))
        for key in sorted(word_keys(record)):
            yield Upsert(Row(key, {}))
        yield Upsert(Row(keys.document(record.id), values))


async def asked(service: Any, options: str, who: str = "rae", now: datetime = NOW) -> dict[str, Any]:
    answer = await ask(service, who, list_referrals, now=now, params=dict(parse_qsl(options)))
    assert answer.status == 200, answer.body
    return answer.body


@pytest.mark.parametrize("options", QUERIES)
async def test_a_page_of_fifty_out_of_many_costs_a_handful_of_requests(
    service: Any, tables: Recorded, options: str
) -> None:
    await asked(service, options)
    before = tables.requests
    body = await asked(service, f"$top=50&{options}")
    assert tables.requests - before <= QUERIES[options]
    assert len(body["value"]) in {0, 1, 36, 50}


async def test_too_many_to_sort_are_refused_with_what_to_do(service: Any) -> None:
    answer = await ask(service, "rae", list_referrals, now=NOW, params={"$orderby": "name"})
    assert answer.status == 400
    assert "add a $filter by status" in answer.body["error"]["message"]


async def test_a_count_is_exact_to_five_thousand_and_says_when_there_are_more(service: Any) -> None:
    body = await asked(service, "$top=1&$count=true")
    assert (body["@odata.count"], body["@cosell.countExceeded"]) == (5000, True)
    some = await asked(service, "$top=1&$count=true&$filter=location eq 'contoso-seattle'")
    assert (some["@odata.count"], "@cosell.countExceeded" in some) == (MAX_ITEMS // 10, False)


DECIDED_BY_KEYS = {
    "": MAX_ITEMS,
    "status eq 'Active'": MAX_ITEMS * 2 // 3,
    "status in ('Closed', 'New')": MAX_ITEMS // 3,
    "status eq 'Closed' and direction eq 'Incoming'": MAX_ITEMS // 12,
    "status ne 'Closed' and not (direction eq 'Outgoing')": MAX_ITEMS // 6,
    "dealType ne 'Lead' and status eq 'Closed'": MAX_ITEMS // 3,
    "status eq 'New' or dealType eq 'Lead'": 0,
    "status eq 'New'": 0,
}
NOT_DECIDED_BY_KEYS = {
    "status eq 'Closed' and location eq 'contoso-seattle'": (MAX_ITEMS // 30, False),
    "status eq 'Closed' and dealType eq 'CoSell'": (MAX_ITEMS // 3, False),
    "status eq 'Active' and campaignId eq 'NOWHERE'": (0, True),
}
"""Their counts, and whether there may be more."""


@pytest.mark.parametrize("order", ["", "&$orderby=updatedDateTime"])
@pytest.mark.parametrize(("filter_", "number"), DECIDED_BY_KEYS.items())
async def test_what_tab_and_status_decide_is_counted_by_keys_alone(
    service: Any, tables: Recorded, filter_: str, number: int, order: str
) -> None:
    options = "$top=1" + (f"&$filter={filter_}" if filter_ else "") + order
    await asked(service, options)
    tables.whole = 0
    await asked(service, options)
    of_page, tables.whole, tables.by_key = tables.whole, 0, 0
    body = await asked(service, f"{options}&$count=true")
    assert tables.whole == of_page
    assert (body["@odata.count"], "@cosell.countExceeded" in body) == (min(number, 5000), number > 5000)
    assert tables.by_key >= body["@odata.count"]


@pytest.mark.parametrize(("filter_", "wanted"), NOT_DECIDED_BY_KEYS.items())
async def test_what_tab_and_status_do_not_decide_is_counted_by_the_referrals(
    service: Any, tables: Recorded, filter_: str, wanted: tuple[int, bool]
) -> None:
    options = f"$top=1&$count=true&$filter={filter_}"
    await asked(service, options)
    tables.by_key = 0
    body = await asked(service, options)
    assert (body["@odata.count"], "@cosell.countExceeded" in body) == wanted
    assert tables.by_key == 0


@pytest.mark.parametrize(
    ("filter_", "number"), [("", MAX_ITEMS // 10), ("&$filter=status eq 'Closed'", MAX_ITEMS // 30)]
)
async def test_who_sees_one_location_gets_the_count_of_it(
    service: Any, monkeypatch: pytest.MonkeyPatch, filter_: str, number: int
) -> None:
    """V4."""
    monkeypatch.setitem(PEOPLE, "loc", ("contoso", "loc@contoso.com"))
    body = await asked(service, f"$top=1&$count=true{filter_}", "loc")
    assert (body["@odata.count"], "@cosell.countExceeded" in body) == (number, False)


@pytest.mark.parametrize("filter_", ["", "&$filter=status eq 'Closed' and direction eq 'Incoming'"])
async def test_what_is_not_shown_any_more_is_not_counted(service: Any, filter_: str) -> None:
    """N3: when a referral was closed is in the referral alone."""
    newest = NOW - timedelta(hours=1)
    now = newest - timedelta(hours=1000) + SETTINGS.retention
    body = await asked(service, f"$top=1&$count=true{filter_}", now=now)
    shown_of_5000 = 1000 + sum(number % 3 > 0 for number in range(1000, 5000))
    wanted = (len(range(0, 1000, 12)), False) if filter_ else (shown_of_5000, True)
    assert (body["@odata.count"], "@cosell.countExceeded" in body) == wanted


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


async def test_a_creation_and_an_edit_with_fifty_people_cost_what_they_always_cost(
    service: Any, tables: Recorded
) -> None:
    member = deal()["team"][0]
    team = [member, *({**member, "email": f"person{n}@contoso.com"} for n in range(49))]
    for _ in range(2):  # the first fills caches
        before = tables.requests
        made = await ask(service, "rae", create_referral, {**deal(microsoft=False), "team": team}, now=NOW)
        assert made.status == 201, made.body
        created = tables.requests - before
    assert created <= CREATION
    before = tables.requests
    edit = [{"op": "replace", "path": "/name", "value": "Several other words"}]
    headers = {"If-Match": made.body["eTag"]}
    edited = await ask(
        service, "rae", patch_referral, edit, now=NOW, route={"id": made.body["id"]}, headers=headers
    )
    assert edited.status == 204, edited.body
    assert tables.requests - before == 3
    assert len((await asked(service, "$search=sever oth"))["value"]) == 1
