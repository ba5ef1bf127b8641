"""The directory entries that a request refers to, read before the rules run."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain.directory import CatalogueSolution, CustomerEntity, Organization
from shared.domain.routing import NO_ROUTING, RoutingTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The directory entries that a decision needs.

    `organizations` and `solutions` contain only those that exist. `customers` are the entities with the draft's name
    and country, or with its D-U-N-S number. `decimals` maps each current ISO 4217 currency to its number of decimals.
    `routing` decides which of Microsoft's teams is invited.
    """

    creator: Organization
    organizations: Mapping[str, Organization]
    solutions: Mapping[str, CatalogueSolution]
    customers: tuple[CustomerEntity, ...]
    decimals: Mapping[str, int]
    routing: RoutingTable = NO_ROUTING
