"""Finding partners by their business profiles, and ranking them (rule P4).

Partners that answer fast rank higher. Response speed is shown as a band, never as a number.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from shared.domain.directory import Profile, ProfileLocation, normalized_name
from shared.domain.ids import LocationId, OrganizationId
from shared.domain.lead import wants_size
from shared.domain.referral import Referral
from shared.domain.response_speed import ResponseSpeed
from shared.domain.vocabulary import CustomerSize

_ORDER: tuple[ResponseSpeed, ...] = get_args(ResponseSpeed)
_SPEED_TEXTS: dict[ResponseSpeed, str] = {
    "withinADay": "usually answers within a day",
    "withinThreeDays": "usually answers within three days",
    "notMeasured": "has not answered often enough to be measured",
    "slower": "usually takes longer than three days to answer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """Search criteria; `country` is ISO 3166-1 alpha-2. None or an empty text does not restrict the search."""

    country: str
    industry: str | None = None
    product: str | None = None
    service: str | None = None
    keyword: str | None = None
    customer_size: CustomerSize | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A matching profile: its matching locations, and the search words that matched."""

    profile: Profile
    locations: tuple[ProfileLocation, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A partner in the result of a search."""

    organization_id: OrganizationId
    name: str
    locations: tuple[tuple[LocationId, str], ...]
    words: tuple[str, ...]
    speed: ResponseSpeed

    @property
    def explanation(self) -> str:
        """One sentence that explains the rank."""
        match = f"Matches {', '.join(self.words)}; " if self.words else "Serves this country; "
        return f"{match}{_SPEED_TEXTS[self.speed]}."


def match_profiles(profiles: Iterable[Profile], criteria: Criteria) -> tuple[Match, ...]:
    """The active profiles with a location that matches all criteria."""
    words = tuple(
        word for word in (criteria.industry, criteria.product, criteria.service, criteria.keyword) if word
    )
    matches = (
        Match(profile=each, locations=_locations(each, criteria), words=words)
        for each in profiles
        if each.active
    )
    return tuple(match for match in matches if match.locations)


def match_alternatives(profiles: Iterable[Profile], lead: Referral) -> tuple[Match, ...]:
    """The active profiles to suggest to a lead's customer instead, best match first (R4).

    The recipients of the request are excluded. If the request has needs, a suggestion matches at least one.
    """
    recipients = lead.inquiry.recipients if lead.inquiry else ()
    needs = _needs_of(lead)
    matches = [
        _alternative(each, lead, needs)
        for each in profiles
        if each.active and each.organization_id not in recipients
    ]
    useful = [match for match in matches if match.locations and (match.words or not any(needs))]
    return tuple(sorted(useful, key=lambda match: -len(match.words)))


def fits_whole_request(location: ProfileLocation, lead: Referral) -> bool:
    """Whether a location meets every kind of thing that a request names: an industry, a product, a service (R8)."""
    offers = (location.industries, location.products, location.services)
    return wants_size(location, lead.customer.size) and all(
        not wanted or _normalized(offered) & set(wanted.values())
        for wanted, offered in zip(_needs_of(lead), offers, strict=True)
    )


def rank(providers: Iterable[Provider]) -> tuple[Provider, ...]:
    """Sort by number of matching words, then by response speed, then by name."""
    return tuple(
        sorted(
            providers,
            key=lambda each: (
                -len(each.words),
                _ORDER.index(each.speed),
                normalized_name(each.name),
                each.organization_id,
            ),
        )
    )


def _locations(profile: Profile, criteria: Criteria) -> tuple[ProfileLocation, ...]:
    return tuple(location for location in profile.locations if _meets(location, criteria))


def _meets(location: ProfileLocation, criteria: Criteria) -> bool:
    pairs = (
        (criteria.industry, location.industries),
        (criteria.product, location.products),
        (criteria.service, location.services),
        (criteria.keyword, location.keywords),
    )
    size = criteria.customer_size
    if size and not wants_size(location, size):
        return False
    return all(normalized_name(word) in _normalized(words) for word, words in pairs if word)


_Needs = tuple[dict[str, str], ...]
"""The wanted industries, products and services, each word with its normalized form."""


def _needs_of(lead: Referral) -> _Needs:
    return tuple(
        {word: normalized_name(word) for word in words}
        for words in (lead.industries, lead.products, lead.services)
    )


def _alternative(profile: Profile, lead: Referral, needs: _Needs) -> Match:
    """Match a profile; its words are normalized once, because a country can have thousands of profiles."""
    locations = tuple(location for location in profile.locations if wants_size(location, lead.customer.size))
    offers = (
        _normalized(w for location in locations for w in location.industries),
        _normalized(w for location in locations for w in location.products),
        _normalized(w for location in locations for w in location.services),
    )
    met = tuple(
        word
        for need, offered in zip(needs, offers, strict=True)
        for word, normalized in need.items()
        if normalized in offered
    )
    return Match(profile=profile, locations=locations, words=met)


def _normalized(words: Iterable[str]) -> frozenset[str]:
    return frozenset(normalized_name(word) for word in frozenset(words))
