"""Searching among all partners of a country: nobody is left out, and what it costs storage (P4, R4)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain import providers
from shared.domain.directory import Organization, Profile, ProfileLocation, normalized_name
from shared.domain.ids import InquiryId, LocationId, OrganizationId, ReferralId
from shared.domain.providers import Criteria
from shared.domain.referral import Inquiry
from shared.storage.directory import Directory
from shared.storage.memory_tables import MemoryTables
from shared.storage.profiles import Profiles
from shared.storage.provider_search import RANKING_TTL, ProviderSearch
from shared.storage.referrals import Referrals
from tests.examples.referrals import NOW, begun, context, referral, step

AMERICANS = Criteria(country="US")


async def country(*ids: str) -> tuple[ProviderSearch, MemoryTables]:
    """A search among these partners, each with an active profile in the US."""
    tables = MemoryTables()
    directory, profiles = Directory(tables), Profiles(tables)
    for each in map(OrganizationId, ids):
        organization = Organization(id=each, name=each.title(), kind="partner")
        await directory.put_organization(organization, f"tenant-{each}", [])
        place = ProfileLocation(id=LocationId(f"{each}-x"), name="Place")
        await profiles.overwrite(
            [Profile(organization_id=each, country="US", active=True, locations=(place,))]
        )
    tables.requests = 0
    return ProviderSearch(profiles, directory, Referrals(tables)), tables


async def answers(search: ProviderSearch, who: str, *minutes: int) -> None:
    """An organization receives and answers as many referrals, one after the other."""
    for number, each in enumerate(minutes):
        received = referral(
            id=ReferralId(f"10000000-0000-7000-8000-{number:012d}"), organization_id=OrganizationId(who)
        )
        await search.referrals.commit(begun(received), None)
        stored = await search.referrals.get(received.key)
        at = NOW + timedelta(minutes=each)
        await search.referrals.commit(step(received, "accepted", context(at), status="Active"), stored)


async def test_the_fastest_is_found_however_many_come_before_it() -> None:
    """P4: everybody who fits is compared."""
    search, _ = await country(*(f"p{number:04d}" for number in range(1100)), "zfast")
    await answers(search, "zfast", 5, 5, 5)
    first, second = await search.find(AMERICANS, 2, NOW)
    assert (first.organization_id, first.speed) == ("zfast", "withinADay")
    assert (second.organization_id, second.speed) == ("p0000", "notMeasured")


async def test_an_organization_is_read_once_in_five_minutes() -> None:
    search, tables = await country("a", "b", "c")
    assert len(await search.find(AMERICANS, 10, NOW)) == 3
    assert tables.requests == 1 + 2 * 3
    await answers(search, "c", 5, 5, 5)
    for later, reads, first in ((RANKING_TTL - timedelta(seconds=1), 1, "a"), (RANKING_TTL, 1 + 3, "c")):
        tables.requests = 0
        found = await search.find(AMERICANS, 10, NOW + later)
        assert (tables.requests, found[0].organization_id) == (reads, first)


async def test_only_the_latest_twenty_answers_count() -> None:
    """P4: what somebody did long ago says little."""
    search, _ = await country("a")
    await answers(search, "a", *[5 * 24 * 60] * 25, *[5] * 20)
    (found,) = await search.find(AMERICANS, 1, NOW)
    assert found.speed == "withinADay"


def test_each_word_is_normalized_once_however_many_needs_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """R4: a country may have thousands of profiles, and a request hundreds of needs."""
    normalized: list[str] = []

    def counting(name: str) -> str:
        normalized.append(name)
        return normalized_name(name)

    monkeypatch.setattr(providers, "normalized_name", counting)
    words = tuple(f"Offer {number}" for number in range(50))
    places = tuple(
        ProfileLocation(id=LocationId(f"{n}"), name="P", industries=words, products=words, services=words)
        for n in range(5)
    )
    profile = Profile(organization_id=OrganizationId("x"), country="US", active=True, locations=places)
    needs = (*(f"need {number}" for number in range(99)), "OFFER 1")
    lead = referral(
        inquiry=Inquiry(id=InquiryId("q"), recipients=(), alternatives=3),
        industries=needs,
        products=needs,
        services=needs,
    )
    (found,) = providers.match_alternatives([profile], lead)
    assert found.words == ("OFFER 1",) * 3
    assert len(normalized) == 3 * (len(needs) + len(words))
    assert providers.match_alternatives([replace(profile, active=False)], lead) == ()
