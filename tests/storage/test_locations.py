"""An organization's locations on the twin and on Azurite: changed by several admins at once, and interrupted (P5)."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.domain.directory import Location, Organization
from shared.domain.ids import LocationId, OrganizationId
from shared.domain.refusals import NotAllowed
from shared.errors import StoreUnavailable
from shared.storage.directory import Directory
from shared.storage.directory_search import DirectorySearch
from shared.storage.locations import Locations
from shared.storage.tables import Tables
from tests.doubles.ending_tables import EndingTables

Decision = Callable[[Organization], Organization]


def location(name: str) -> Location:
    return Location(id=LocationId(name), name=name.title(), country="US")


def adding(name: str) -> Decision:
    return lambda before: replace(before, locations=(*before.locations, location(name)))


def without(name: str) -> Decision:
    return lambda before: replace(
        before, locations=tuple(each for each in before.locations if each.id != name)
    )


async def partner(tables: Tables, name: str, *places: str) -> OrganizationId:
    made = Organization(
        id=OrganizationId(name),
        name=name,
        kind="partner",
        transacting=True,
        locations=tuple(location(each) for each in places),
    )
    await Directory(tables).put_organization(made, f"tenant-{name}", ())
    return made.id


async def ids(locations: Locations, organization_id: OrganizationId) -> list[str]:
    return sorted(each.id for each in (await locations.organization(organization_id)).locations)


async def test_locations_that_are_added_at_once_are_all_there(tables: Tables, partition: str) -> None:
    own = await partner(tables, partition, f"{partition}-a")
    locations = Locations(tables, Directory(tables))
    added = [f"{partition}-{each}" for each in ("b", "c", "d")]
    await asyncio.gather(*(locations.change(own, adding(each)) for each in added))
    assert await ids(locations, own) == [f"{partition}-a", *added]
    (found,) = await DirectorySearch(tables).partners(OrganizationId("another"), partition, 5)
    assert sorted(each.id for each in found.locations) == [f"{partition}-a", *added]


async def test_an_id_is_one_organizations_alone_until_its_location_is_gone(
    tables: Tables, partition: str
) -> None:
    first, second = [await partner(tables, f"{partition}-{each}") for each in ("1", "2")]
    directory = Directory(tables)
    locations, shared = Locations(tables, directory), f"{partition}-shared"
    await locations.change(first, adding(shared))
    assert await directory.organization_of_location(shared) == first
    with pytest.raises(NotAllowed, match="taken"):
        await locations.change(second, adding(shared))
    assert await ids(locations, second) == []
    await locations.change(first, without(shared))
    assert await directory.organization_of_location(shared) is None
    await locations.change(second, adding(shared))
    assert await directory.organization_of_location(shared) == second


async def test_a_change_is_seen_at_once_by_the_process_that_made_it(tables: Tables, partition: str) -> None:
    own = await partner(tables, partition)
    directory = Directory(tables)
    await directory.organization(own)
    await Locations(tables, directory).change(own, adding(f"{partition}-a"))
    found = await directory.organization(own)
    assert found
    assert [each.id for each in found.locations] == [f"{partition}-a"]


@pytest.mark.parametrize("writes", range(4))
@pytest.mark.parametrize("decision", [adding, without], ids=["created", "deleted"])
async def test_a_change_that_was_interrupted_can_be_repeated(
    decision: Callable[[str], Decision], writes: int
) -> None:
    tables = EndingTables()
    own = await partner(tables, "contoso", *(() if decision is adding else ("seattle",)))
    wanted = ["seattle"] if decision is adding else []
    locations = Locations(tables, Directory(tables))
    tables.left = writes
    if writes < 3:
        with pytest.raises(StoreUnavailable):
            await locations.change(own, decision("seattle"))
        tables.left = None
    if await ids(locations, own) != wanted:
        await locations.change(own, decision("seattle"))
    tables.left = None
    assert await ids(locations, own) == wanted
    await locations.change(own, without("seattle"))
    await locations.change(own, adding("seattle"))
    assert await Directory(tables).organization_of_location("seattle") == own
