"""Profiles and the routing table on the twin and on Azurite: one version after the other (P1, P3)."""

from dataclasses import replace

import pytest

from shared.domain.directory import Profile, ProfileLocation
from shared.domain.ids import LocationId, OrganizationId
from shared.domain.routing import RoutingTable, SellerTeam
from shared.errors import StoreConflict
from shared.storage.profiles import Profiles
from shared.storage.routing import Routing
from shared.storage.tables import Tables


def profile(partition: str, who: str, version: int = 1) -> Profile:
    """A profile in a country that only this test uses."""
    place = ProfileLocation(id=LocationId("place"), name="Place", keywords=("ERP",))
    return Profile(
        organization_id=OrganizationId(who),
        country=partition,
        active=True,
        locations=(place,),
        version=version,
    )


async def test_a_profile_follows_its_own_version_and_no_other(tables: Tables, partition: str) -> None:
    profiles = Profiles(tables)
    first = profile(partition, "a/b")
    assert await profiles.get(first.organization_id, partition) is None
    await profiles.put(first)
    with pytest.raises(StoreConflict):
        await profiles.put(first)
    second = replace(first, active=False, version=2)
    await profiles.put(second)
    for stale in (second, replace(first, version=4)):
        with pytest.raises(StoreConflict):
            await profiles.put(stale)
    assert await profiles.get(first.organization_id, partition) == second


async def test_a_countrys_profiles_are_found_together(tables: Tables, partition: str) -> None:
    profiles = Profiles(tables)
    made = [profile(partition, who) for who in ("b", "a", "c")]
    await profiles.overwrite(made)
    found = await profiles.in_country(partition)
    assert [each.organization_id for each in found] == ["a", "b", "c"]
    assert await profiles.in_country(f"{partition}x") == []
    several = await profiles.get_many([("a", partition), ("z", partition), ("a", partition)])
    assert several == {("a", partition): made[1]}


async def test_an_import_replaces_a_profile_whatever_its_version(tables: Tables, partition: str) -> None:
    profiles = Profiles(tables)
    await profiles.put(profile(partition, "a"))
    await profiles.put(profile(partition, "a", version=2))
    await profiles.overwrite([profile(partition, "a")])
    stored = await profiles.get(OrganizationId("a"), partition)
    assert stored
    assert stored.version == 1


async def test_the_routing_table_follows_its_version(tables: Tables) -> None:
    routing = Routing(tables)
    await routing.overwrite(RoutingTable(version=1))
    after = RoutingTable(
        teams=(SellerTeam(id="t", name="T", members=("a@b.c",)),), default_team="t", version=2
    )
    await routing.put(after)
    with pytest.raises(StoreConflict):
        await routing.put(after)
    assert await routing.get() == after
