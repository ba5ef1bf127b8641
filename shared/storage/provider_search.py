"""Reading what a search for partners needs: profiles of a country, names, and how fast they answer (rule P4)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.domain.ids import OrganizationId
from shared.domain.providers import Criteria, Match, Provider, match_alternatives, match_profiles, rank
from shared.domain.referral import Referral
from shared.domain.response_speed import MAX_ANSWERS, ResponseSpeed, response_speed
from shared.storage.directory import Directory
from shared.storage.profiles import Profiles
from shared.storage.referrals import Referrals

RANKING_TTL = timedelta(minutes=5)
"""How long a process ranks an organization by the name and the speed that it read."""
MAX_CONCURRENT_READS = 32
"""How many organizations a process reads at the same time."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the ranking asks of an organization, as it was read at a moment."""

    at: datetime
    name: str
    speed: ResponseSpeed


@dataclass(frozen=True, slots=True)
class ProviderSearch:
    """Searches for partners. Its methods raise as `Tables` does, and `RecordUnreadable`.

    Everybody who fits is compared: to leave some out unread would hide the fastest. So a search reads the country's
    profiles, one request for each 1,000, and of each organization that fits its record and its latest answers, two
    requests, but those only once in five minutes.
    """

    profiles: Profiles
    directory: Directory
    referrals: Referrals
    _known: dict[OrganizationId, _Standing] = field(default_factory=dict)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONCURRENT_READS))

    async def find(self, criteria: Criteria, limit: int, now: datetime) -> tuple[Provider, ...]:
        """The best of the partners that meet every criterion."""
        found = match_profiles(await self.profiles.in_country(criteria.country), criteria)
        return (await self._ranked(found, now))[:limit]

    async def find_alternatives(self, lead: Referral, now: datetime) -> tuple[Provider, ...]:
        """Whom the customer of a lead may turn to instead: no more than its request allows (R4)."""
        allowed = lead.inquiry.alternatives if lead.inquiry else 0
        if not allowed:
            return ()
        found = match_alternatives(await self.profiles.in_country(lead.customer.address.country), lead)
        return (await self._ranked(found, now))[:allowed]

    async def _ranked(self, found: Sequence[Match], now: datetime) -> tuple[Provider, ...]:
        standings = await asyncio.gather(
            *(self._standing(match.profile.organization_id, now) for match in found)
        )
        return rank(
            Provider(
                organization_id=match.profile.organization_id,
                name=standing.name,
                locations=tuple((place.id, place.name) for place in match.locations),
                words=match.words,
                speed=standing.speed,
            )
            for match, standing in zip(found, standings, strict=True)
            if standing
        )

    async def _standing(self, organization_id: OrganizationId, now: datetime) -> _Standing | None:
        known = self._known.get(organization_id)
        if known and known.at <= now < known.at + RANKING_TTL:
            return known
        async with self._turns:
            organization = await self.directory.organization(organization_id)
            if organization is None:
                return None
            speed = response_speed(await self.referrals.answers(organization_id, MAX_ANSWERS))
        standing = _Standing(at=now, name=organization.name, speed=speed)
        self._known[organization_id] = standing
        return standing
