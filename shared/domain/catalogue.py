"""What the directory says about everything that a request names, read before the rules are asked."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain.directory import CatalogueSolution, CustomerEntity, Organization
from shared.domain.routing import NO_ROUTING, RoutingTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The directory's part of a decision.

    `organizations` and `solutions` hold those that exist, `customers` the entities of the draft's name and country
    or of its D-U-N-S number. `decimals` maps each current ISO 4217 currency to its number of decimals;
    `routing` says which of Microsoft's teams is invited.
    """

    creator: Organization
    organizations: Mapping[str, Organization]
    solutions: Mapping[str, CatalogueSolution]
    customers: tuple[CustomerEntity, ...]
    decimals: Mapping[str, int]
    routing: RoutingTable = NO_ROUTING
