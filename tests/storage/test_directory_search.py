"""Look-ups by the start of a name after imports, on the twin and on Azurite (P4, T6, C3, C7)."""

import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from api.directory import lookups
from api.http.operation import OPERATIONS
from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.domain.directory import Organization, Person
from shared.domain.ids import OrganizationId, PersonId, digest
from shared.domain.permissions import Caller
from shared.storage.azure_tables import AzureTables
from shared.storage.directory import Directory
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Tables
from tests.doubles.engine import FakeEngine
from tests.doubles.service import http_request, service_on
from tests.examples.referrals import NOW

HANDLERS = {
    "customers": lookups.find_customers,
    "partners": lookups.find_partners,
    "solutions": lookups.find_solutions,
}
ODD_NAMES = {
    "slashes": "A/B\\C",
    "underscores": "snake_case__x",
    "percent": "100% #1?",
    "like an escape": "_2F%2F",
    "apostrophe": 'O\'Brien & "Sons"',
    "emoji": "🙂👩‍👩‍👧 Toys",
    "Korean": "가나다라마바사아자차카타파하 주식회사",
    "long Korean": "가" * 250,
    "long": "x" * 250,
    "very odd": "/_%" * 80,
    "separators": "a:b~c",
    "control": "bell\x07 and\x7f",
}


@pytest.fixture
def mark(request: pytest.FixtureRequest) -> str:
    """What the names and ids of one test begin with, since tests share the search rows in Azurite."""
    return f"t{digest(request.node.name)[:12]}"


def organization(organization_id: str, name: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": organization_id,
        "name": name,
        "kind": "partner",
        "tenantId": f"tenant-{organization_id}",
        "transacting": True,
        **fields,
    }


def solution(solution_id: str, name: str, owner: str, **fields: Any) -> dict[str, Any]:
    return {"id": solution_id, "name": name, "owner": owner, "coSellReady": True, **fields}


def customer(name: str, duns: str | None = None, city: str = "Seoul", country: str = "KR") -> dict[str, Any]:
    ids = [{"profileType": "Duns", "id": duns}] if duns else []
    return {"name": name, "address": {"city": city, "country": country}, "ids": ids}


async def put(tables: Tables, **parts: list[dict[str, Any]]) -> None:
    await import_directory(tables, DirectoryDocument.model_validate(parts))


VETTED = "vetted"


async def found(tables: Tables, what: str, asking: str = "contoso", **params: str) -> list[dict[str, Any]]:
    """What a look-up answers to somebody of an organization."""
    own = OrganizationId(asking)
    caller = Caller(
        organization=Organization(
            id=own,
            name=asking,
            kind="microsoft" if asking == "msft" else "partner",
            vetted_for_assessments=asking == VETTED,
        ),
        member=Person(
            id=PersonId("rae"),
            organization_id=own,
            email="rae@x.com",
            first_name="Rae",
            last_name="L",
            roles=frozenset({"ReferralsAdmin"}),
        ),
    )
    service: Any = service_on(tables, None)  # type: ignore[arg-type] # nothing here sends mail
    operation = OPERATIONS[HANDLERS[what].__name__]
    http = http_request(operation, params=params)
    response = await HANDLERS[what](operation.read(http, service, FakeEngine(), caller, NOW))
    return response.json()["value"]


async def names(tables: Tables, what: str, start: str, **params: str) -> list[str]:
    if what == "customers":
        params = {"country": "KR", **params}
    return [each["name"] for each in await found(tables, what, name=start, **params)]


def one(what: str, identifier: str, name: str) -> dict[str, list[dict[str, Any]]]:
    """A document that holds one partner, solution or customer."""
    if what == "partners":
        return {"organizations": [organization(identifier, name)]}
    if what == "solutions":
        return {"solutions": [solution(identifier, name, "fabrikam")]}
    return {"customers": [customer(name, identifier)]}


@pytest.mark.parametrize("city", ["Seoul", "Busan"])
async def test_customers_without_a_number_stand_side_by_side(tables: Tables, mark: str, city: str) -> None:
    name = f"{mark} Works"
    numbered = customer(name, f"{mark}-1")
    await put(tables, customers=[customer(name), customer(name, city="Busan")])
    await put(tables, customers=[numbered, customer(name, city=city)])
    assert await names(tables, "customers", name) == [name] * 3
    entities = await Directory(tables).customers(name.upper(), "KR", None)
    assert sorted((each.duns or "", each.address.city) for each in entities) == [
        ("", "Busan"),
        ("", "Seoul"),
        (f"{mark}-1", "Seoul"),
    ]


async def test_the_entity_of_a_number_comes_once_wherever_it_is(tables: Tables, mark: str) -> None:
    """C7."""
    await put(tables, customers=[customer(mark, f"{mark}-1"), customer(mark, f"{mark}-2", country="JP")])
    directory = Directory(tables)
    for number, wanted in {f"{mark}-1": ["1"], f"{mark}-2": ["1", "2"], "unknown": ["1"]}.items():
        entities = await directory.customers(mark, "KR", number)
        assert [str(each.duns)[-1] for each in entities] == wanted


@pytest.mark.parametrize("odd", ODD_NAMES)
@pytest.mark.parametrize("what", HANDLERS)
async def test_odd_names_are_found_by_every_start(tables: Tables, mark: str, what: str, odd: str) -> None:
    name = f"{mark}{ODD_NAMES[odd]}"[:255]
    await put(tables, **one(what, mark, name))
    for length in {2, len(mark) + 1, len(mark) + 3, len(name) // 2, len(name) - 1, len(name)}:
        start = name[: max(length, len(mark))]
        assert await names(tables, what, start) == [name], start
    for other in (f"{name}x", f"{name[:-1]}\u00e9", f"{mark}%", f"{mark}_"):
        assert await names(tables, what, other) in ([], [name] if name.startswith(other) else [])


@pytest.mark.parametrize("what", HANDLERS)
async def test_a_name_is_found_however_its_accents_and_syllables_are_put_together(
    tables: Tables, mark: str, what: str
) -> None:
    name = f"{mark} Café 한국 Ångström"
    await put(tables, **one(what, mark, unicodedata.normalize("NFD", name)))
    for form in ("NFC", "NFD"):
        assert len(await names(tables, what, unicodedata.normalize(form, name).upper())) == 1


@pytest.mark.parametrize("what", HANDLERS)
async def test_the_rest_of_a_long_start_counts(tables: Tables, mark: str, what: str) -> None:
    """More namesakes of a long beginning than an answer holds hide nobody."""
    created = f"{mark}{'한' * 200}"
    for number in range(60):
        await put(tables, **one(what, f"{mark}-{number}", f"{created} {number:02}"))
    forties = [f"{created} {number}" for number in range(40, 50)]
    assert sorted(await names(tables, what, f"{created} 4")) == forties
    assert await names(tables, what, f"{created} 59") == [f"{created} 59"]
    assert await names(tables, what, f"{created} 6") == []
    assert len(await names(tables, what, created)) == lookups.MAX_RESULTS


@pytest.mark.parametrize("what", HANDLERS)
async def test_an_exact_name_comes_before_all_that_go_on(tables: Tables, mark: str, what: str) -> None:
    longer = [f"{mark} {number:02}" for number in range(60)]
    for number, name in enumerate([*longer, mark, f"{mark}!", f"{mark}2"]):
        await put(tables, **one(what, f"{mark}-{number}", name))
    assert await names(tables, what, mark) == [mark, *longer[: lookups.MAX_RESULTS - 1]]


async def test_partners_that_cannot_be_invited_hide_none_that_can(tables: Tables, mark: str) -> None:
    """C3, T3: transacting, and not oneself."""
    idle = [organization(f"{mark}-{n}", f"{mark} A{n:03}", transacting=False) for n in range(110)]
    own = organization(f"{mark}-own", f"{mark} B")
    able = [organization(f"{mark}-b{n}", f"{mark} B{n:02}") for n in range(lookups.MAX_RESULTS)]
    await put(tables, organizations=[*idle, own, *able])
    wanted = [each["name"] for each in able]
    assert await names(tables, "partners", mark, asking=f"{mark}-own") == wanted
    assert await names(tables, "partners", mark) == [own["name"], *wanted[:-1]]


async def test_solutions_that_no_deal_can_name_or_that_are_ones_own_hide_no_others(
    tables: Tables, mark: str
) -> None:
    """T6."""
    raw = [solution(f"{mark}-r{n}", f"{mark} A{n:03}", "fabrikam", coSellReady=False) for n in range(110)]
    own = [solution(f"{mark}-o{n}", f"{mark} B{n:03}", mark) for n in range(110)]
    other = [solution(f"{mark}-x{n}", f"{mark} C{n}", "fabrikam") for n in range(3)]
    await put(tables, solutions=[*raw, *own, *other])
    wanted = [each["name"] for each in other]
    assert await names(tables, "solutions", mark, kind="ThirdParty", asking=mark) == wanted
    assert await names(tables, "solutions", mark, kind="MyCompany", asking="fabrikam") == wanted
    every = await names(tables, "solutions", mark, asking=mark)
    assert every == [each["name"] for each in own[: lookups.MAX_RESULTS]]
    assert await names(tables, "solutions", f"{mark} C", asking=mark) == wanted


async def test_reading_on_skips_no_key_that_goes_on_from_the_last_one(tables: Tables, mark: str) -> None:
    own = [solution(f"{mark}-{number}", mark, mark) for number in range(10, 10 + lookups.MAX_RESULTS)]
    next_to_it = solution(f"{own[-1]['id']} x", mark, "fabrikam")
    await put(tables, solutions=[*own, next_to_it])
    assert await names(tables, "solutions", mark, kind="ThirdParty", asking=mark) == [mark]


async def test_to_microsoft_its_own_solutions_are_those_of_its_company(tables: Tables, mark: str) -> None:
    """T6: without its assessments, which are of a kind of their own."""
    await put(
        tables,
        solutions=[
            solution(f"{mark}-1", f"{mark} Azure", "msft", coSellReady=False),
            solution(f"{mark}-2", f"{mark} Estate", "msft", assessment=True),
            solution(f"{mark}-3", f"{mark} Other", "fabrikam"),
        ],
    )
    for kind in ("MyCompany", "Microsoft"):
        (azure,) = await found(tables, "solutions", "msft", kind=kind, name=mark)
        assert (azure["name"], azure["kind"]) == (f"{mark} Azure", "Microsoft")
    assert await names(tables, "solutions", mark, kind="ThirdParty", asking="msft") == [f"{mark} Other"]
    assert await names(tables, "solutions", mark, kind="MyCompany") == []
    assert len(await names(tables, "solutions", mark, asking="msft")) == 2


async def test_assessments_are_offered_to_those_who_are_vetted_for_them(tables: Tables, mark: str) -> None:
    """T6; what is not offered hides nothing else."""
    assessments = [
        solution(f"{mark}-a{n}", f"{mark} A{n:03}", "msft", coSellReady=False, assessment=True)
        for n in range(lookups.MAX_RESULTS)
    ]
    await put(tables, solutions=[*assessments, solution(f"{mark}-b", f"{mark} B", "fabrikam")])
    kind = "SolutionAssessment"
    every = [each["name"] for each in assessments]
    assert await names(tables, "solutions", mark, kind=kind, asking=VETTED) == every
    assert await names(tables, "solutions", mark, kind=kind, asking="contoso") == []
    assert await names(tables, "solutions", mark, asking=VETTED) == every
    assert await names(tables, "solutions", mark, asking="contoso") == [f"{mark} B"]
    assert await names(tables, "solutions", mark, asking="msft") == [f"{mark} B"]


@pytest.mark.parametrize("what", HANDLERS)
async def test_who_is_renamed_is_found_by_the_new_name_alone(tables: Tables, mark: str, what: str) -> None:
    for name in ("First", "Second", "SECOND", "Third"):
        for _ in range(2):
            await put(tables, **one(what, mark, f"{mark} {name}"))
        assert await names(tables, what, mark) == [f"{mark} {name}"]


async def test_who_changes_country_owner_or_standing_leaves_nothing_behind(tables: Tables, mark: str) -> None:
    for country in ("KR", "JP"):
        await put(tables, customers=[customer(mark, mark, country=country)])
    assert await names(tables, "customers", mark) == []
    assert await names(tables, "customers", mark, country="JP") == [mark]
    for owner in ("fabrikam", "northwind"):
        await put(tables, solutions=[solution(mark, mark, owner)])
    assert await names(tables, "solutions", mark, kind="MyCompany", asking="fabrikam") == []
    assert await names(tables, "solutions", mark, kind="MyCompany", asking="northwind") == [mark]
    await put(tables, solutions=[solution(mark, mark, "northwind", coSellReady=False)])
    assert await names(tables, "solutions", mark) == []
    for transacting in (True, False):
        await put(tables, organizations=[organization(mark, mark, transacting=transacting)])
        assert await names(tables, "partners", mark) == [mark] * transacting


async def test_an_import_that_was_cut_short_is_finished_by_the_next(
    tables: Tables, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever request fails, the old name's rows go when the import is repeated."""
    worlds: list[Callable[[str], dict[str, Any]]] = [
        lambda name, what=what: one(what, f"{mark}-{what}", f"{mark} {name}") for what in HANDLERS
    ]
    for world in worlds:
        await put(tables, **world("First"))
    for broken in range(12):
        for world in worlds:
            with monkeypatch.context() as patch:
                patch.setattr(tables, "write", _failing(tables.write, broken))
                patch.setattr(tables, "discard", _failing(tables.discard, broken))
                with suppress(ConnectionError):
                    await put(tables, **world(f"N{broken}"))
            await put(tables, **world(f"N{broken}"))
        for what in HANDLERS:
            assert await names(tables, what, mark) == [f"{mark} N{broken}"]


def _failing(call: Callable[..., Any], after: int) -> Callable[..., Any]:
    left = after

    async def fails(*arguments: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise ConnectionError
        await call(*arguments)

    return fails


async def test_what_a_document_names_twice_counts_as_it_stands_last(tables: Tables, mark: str) -> None:
    await put(
        tables,
        solutions=[solution(mark, f"{mark} {each}", "fabrikam") for each in ("One", "Two")],
        customers=[customer(f"{mark} {each}", mark) for each in ("One", "Two")],
    )
    for what in ("solutions", "customers"):
        assert await names(tables, what, mark) == [f"{mark} Two"]


async def test_a_look_up_costs_one_request(tables: MemoryTables | AzureTables, mark: str) -> None:
    await put(
        tables,
        organizations=[organization(f"{mark}-{n}", f"{mark} {n}") for n in range(60)],
        solutions=[solution(f"{mark}-{n}", f"{mark} {n}", "fabrikam") for n in range(150)],
        customers=[customer(f"{mark} {n}", f"{mark}-{n}") for n in range(150)],
    )
    for what in HANDLERS:
        before = tables.requests
        assert len(await names(tables, what, mark)) == lookups.MAX_RESULTS
        assert tables.requests - before == 1
