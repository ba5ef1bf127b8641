"""Reading what a search for partners needs: profiles of a country, names, and how fast they answer (rule P4)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from shared.domain.providers import Criteria, Match, Provider, alternatives, matching, ranked
from shared.domain.referral import Referral
from shared.domain.response_speed import LATEST, response_speed
from shared.storage.directory import Directory
from shared.storage.profiles import Profiles
from shared.storage.referrals import Referrals

MOST_COMPARED = 100
"""Of how many partners that fit the speed is looked at; those that fit more come first."""


@dataclass(frozen=True, slots=True)
class ProviderSearch:
    """Searches for partners. Its methods raise as `Tables` does."""

    profiles: Profiles
    directory: Directory
    referrals: Referrals

    async def find(self, criteria: Criteria, limit: int) -> tuple[Provider, ...]:
        """The best of the partners that meet every criterion."""
        found = matching(await self.profiles.in_country(criteria.country), criteria)
        return (await self._ranked(found))[:limit]

    async def instead_of(self, lead: Referral) -> tuple[Provider, ...]:
        """Whom the customer of a lead may turn to instead: no more than its request allows (R4)."""
        allowed = lead.inquiry.alternatives if lead.inquiry else 0
        if not allowed:
            return ()
        found = alternatives(await self.profiles.in_country(lead.customer.address.country), lead)
        return (await self._ranked(found))[:allowed]

    async def _ranked(self, found: Sequence[Match]) -> tuple[Provider, ...]:
        compared = await asyncio.gather(*(self._provider(match) for match in found[:MOST_COMPARED]))
        return ranked(each for each in compared if each)

    async def _provider(self, match: Match) -> Provider | None:
        organization_id = match.profile.organization_id
        organization = await self.directory.organization(organization_id)
        if organization is None:
            return None
        return Provider(
            organization_id=organization_id,
            name=organization.name,
            locations=tuple((place.id, place.name) for place in match.locations),
            words=match.words,
            speed=response_speed(await self.referrals.answers(organization_id, LATEST)),
        )
