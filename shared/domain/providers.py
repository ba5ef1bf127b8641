"""Finding partners by their business profiles, and ranking what is found (rule P4).

Fast responders rank higher. How fast somebody is shows as a band, never as a figure.
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
_SAID: dict[ResponseSpeed, str] = {
    "withinADay": "usually answers within a day",
    "withinThreeDays": "usually answers within three days",
    "notMeasured": "has not answered often enough to be measured",
    "slower": "usually takes longer than three days to answer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What is looked for in a country (ISO 3166-1 alpha-2). None or empty asks for nothing."""

    country: str
    industry: str | None = None
    product: str | None = None
    service: str | None = None
    keyword: str | None = None
    customer_size: CustomerSize | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A profile that fits: its fitting locations, and the words that it was found by."""

    profile: Profile
    locations: tuple[ProfileLocation, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A partner as it was found."""

    organization_id: OrganizationId
    name: str
    locations: tuple[tuple[LocationId, str], ...]
    words: tuple[str, ...]
    speed: ResponseSpeed

    @property
    def explanation(self) -> str:
        """Why it stands where it stands, in a sentence."""
        found = f"Matches {', '.join(self.words)}; " if self.words else "Serves this country; "
        return f"{found}{_SAID[self.speed]}."


def match_profiles(profiles: Iterable[Profile], criteria: Criteria) -> tuple[Match, ...]:
    """The active profiles with a location that meets every criterion."""
    wanted = tuple(
        word for word in (criteria.industry, criteria.product, criteria.service, criteria.keyword) if word
    )
    found = (
        Match(profile=each, locations=_locations(each, criteria), words=wanted)
        for each in profiles
        if each.active
    )
    return tuple(match for match in found if match.locations)


def alternatives(profiles: Iterable[Profile], lead: Referral) -> tuple[Match, ...]:
    """The active profiles that its customer may turn to instead, those that fit most first (R4).

    Whoever was asked already is not among them. If the request names needs, at least one of them is met.
    """
    asked = lead.inquiry.recipients if lead.inquiry else ()
    needs = _needs_of(lead)
    found = [
        _alternative(each, lead, needs)
        for each in profiles
        if each.active and each.organization_id not in asked
    ]
    fitting = [match for match in found if match.locations and (match.words or not any(needs))]
    return tuple(sorted(fitting, key=lambda match: -len(match.words)))


def rank(providers: Iterable[Provider]) -> tuple[Provider, ...]:
    """Those that are found by more words first, then the faster, then by name."""
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
    return tuple(place for place in profile.locations if _meets(place, criteria))


def _meets(place: ProfileLocation, criteria: Criteria) -> bool:
    asked = (
        (criteria.industry, place.industries),
        (criteria.product, place.products),
        (criteria.service, place.services),
        (criteria.keyword, place.keywords),
    )
    size = criteria.customer_size
    if size and not wants_size(place, size):
        return False
    return all(normalized_name(word) in _normalized(words) for word, words in asked if word)


_Needs = tuple[dict[str, str], ...]
"""The industries, products and services that are looked for, each with its normalized form."""


def _needs_of(lead: Referral) -> _Needs:
    return tuple(
        {word: normalized_name(word) for word in words}
        for words in (lead.industries, lead.products, lead.services)
    )


def _alternative(profile: Profile, lead: Referral, needs: _Needs) -> Match:
    """A profile's words are normalized once for all needs: a country may have thousands of profiles."""
    places = tuple(place for place in profile.locations if wants_size(place, lead.customer.size))
    offers = (
        _normalized(w for place in places for w in place.industries),
        _normalized(w for place in places for w in place.products),
        _normalized(w for place in places for w in place.services),
    )
    met = tuple(
        word
        for wanted, offered in zip(needs, offers, strict=True)
        for word, normalized in wanted.items()
        if normalized in offered
    )
    return Match(profile=profile, locations=places, words=met)


def _normalized(words: Iterable[str]) -> frozenset[str]:
    return frozenset(normalized_name(word) for word in frozenset(words))
