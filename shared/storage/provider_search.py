"""The search for partners: reads profiles, names and response times, and ranks the matches (rule P4)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.domain.directory import Profile, ProfileLocation
from shared.domain.ids import OrganizationId
from shared.domain.providers import (
    Criteria,
    Match,
    Provider,
    fits_whole_request,
    match_alternatives,
    match_profiles,
    rank,
)
from shared.domain.referral import Referral
from shared.domain.response_speed import MAX_ANSWERS, ResponseSpeed, response_speed
from shared.storage.directory import Directory
from shared.storage.profiles import Profiles
from shared.storage.referrals import Referrals

RANKING_TTL = timedelta(minutes=5)
"""How long a process caches the name and response speed of an organization."""
MAX_CONCURRENT_READS = 32
"""How many organizations a process reads concurrently."""


@dataclass(frozen=True, slots=True)
class _RankingData:
    """The data of an organization that the ranking needs, and when it was read."""

    at: datetime
    name: str
    speed: ResponseSpeed


@dataclass(frozen=True, slots=True)
class Alternative:
    """A partner to suggest, and its location that fits the whole request, where it can be chosen (R8); maybe none."""

    provider: Provider
    fitting: ProfileLocation | None


@dataclass(frozen=True, slots=True)
class ProviderSearch:
    """Searches for partners. Its methods raise as `Tables` does, and `RecordUnreadable`.

    All matches are ranked, because an unread one could be the fastest. A search reads the country's profiles (one
    request for each 1,000), and for each matching organization its record and its latest answers (two requests,
    cached for five minutes).
    """

    profiles: Profiles
    directory: Directory
    referrals: Referrals
    _cache: dict[OrganizationId, _RankingData] = field(default_factory=dict)
    _semaphore: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONCURRENT_READS))

    async def find(self, criteria: Criteria, limit: int, now: datetime) -> tuple[Provider, ...]:
        """The best partners that match all criteria."""
        matches = match_profiles(await self.profiles.in_country(criteria.country), criteria)
        return (await self._rank(matches, now))[:limit]

    async def find_alternatives(self, lead: Referral, now: datetime) -> tuple[Alternative, ...]:
        """Other partners to suggest to the customer of a lead, at most as many as its request asks for (R4)."""
        limit = lead.inquiry.alternatives if lead.inquiry else 0
        if not limit:
            return ()
        profiles = await self.profiles.in_country(lead.customer.address.country)
        by_organization = {each.organization_id: each for each in profiles}
        ranked = (await self._rank(match_alternatives(profiles, lead), now))[:limit]
        return tuple(
            Alternative(provider=each, fitting=_fitting_location(by_organization[each.organization_id], lead))
            for each in ranked
        )

    async def _rank(self, matches: Sequence[Match], now: datetime) -> tuple[Provider, ...]:
        ranking_data = await asyncio.gather(
            *(self._ranking_data(match.profile.organization_id, now) for match in matches)
        )
        return rank(
            Provider(
                organization_id=match.profile.organization_id,
                name=data.name,
                locations=tuple((place.id, place.name) for place in match.locations),
                words=match.words,
                speed=data.speed,
            )
            for match, data in zip(matches, ranking_data, strict=True)
            if data
        )

    async def _ranking_data(self, organization_id: OrganizationId, now: datetime) -> _RankingData | None:
        cached = self._cache.get(organization_id)
        if cached and cached.at <= now < cached.at + RANKING_TTL:
            return cached
        async with self._semaphore:
            organization = await self.directory.organization(organization_id)
            if organization is None:
                return None
            speed = response_speed(await self.referrals.answers(organization_id, MAX_ANSWERS))
        data = _RankingData(at=now, name=organization.name, speed=speed)
        self._cache[organization_id] = data
        return data


def _fitting_location(profile: Profile, lead: Referral) -> ProfileLocation | None:
    return next((each for each in profile.locations if fits_whole_request(each, lead)), None)
