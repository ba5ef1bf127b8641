"""The directory entries that a request refers to, read before the rules run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.domain.directory import (
    CatalogueSolution,
    CustomerEntity,
    Location,
    Organization,
    Profile,
    Profiles,
    contacts_to_ask,
)
from shared.domain.referral import Contact
from shared.domain.routing import NO_ROUTING, RoutingTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The directory entries that a decision needs.

    `organizations` and `solutions` contain only those that exist. `customers` are the entities with the draft's name
    and country, or with its D-U-N-S number. `decimals` maps each current ISO 4217 currency to its number of decimals.
    `routing` decides which of Microsoft's teams is invited. `profiles` are those of the invited partners, in the
    countries of the locations that are invited. `co_sell_ready` says whether the creator has a co-sell-ready solution
    of its own (T3); it is looked up only for requests that invite Microsoft.
    """

    creator: Organization
    organizations: Mapping[str, Organization]
    solutions: Mapping[str, CatalogueSolution]
    customers: tuple[CustomerEntity, ...]
    decimals: Mapping[str, int]
    routing: RoutingTable = NO_ROUTING
    profiles: Profiles = field(default_factory=dict[tuple[str, str], Profile])
    co_sell_ready: bool = True

    def contacts_at(self, organization: Organization, location: Location | None) -> tuple[Contact, ...]:
        """Whom an invitation to a location of a partner is sent to (M1)."""
        profile = self.profiles.get((organization.id, location.country)) if location else None
        return contacts_to_ask(location, profile)
