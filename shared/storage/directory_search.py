"""Finding partners, solutions and customers by the start of their names (P4, T6).

Besides its record, each of them has search rows: one in each search partition that it is found in, sorted by name. A
search reads one range of one partition, so its cost does not grow with the catalogue.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

from shared.domain.directory import CatalogueSolution, CustomerEntity, Organization, normalized_name
from shared.domain.ids import OrganizationId
from shared.domain.vocabulary import MICROSOFT, SolutionKind
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Row, Tables, Upsert, in_transactions

_ORGANIZATIONS, _CUSTOMERS = Codec[Organization](Organization), Codec[CustomerEntity](CustomerEntity)
_SOLUTIONS = Codec[CatalogueSolution](CatalogueSolution)
_PARTNERS = "partners"
_ALL_SOLUTIONS, _OF_PARTNERS, _ASSESSMENTS = "solutions:all", "solutions:partners", "solutions:assessments"

Place = tuple[str, str]
"""A search partition, and the key of a row in it."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


class DirectorySearch:
    """Searches by the start of a normalized name; results are in order of name, at most `limit`.

    Methods raise as `Tables` does.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def customers(self, country: str, start: str, limit: int) -> tuple[CustomerEntity, ...]:
        """The customers of a country (ISO 3166-1 alpha-2)."""
        return await self._find(_CUSTOMERS, customer_partition(country), start, limit, lambda _: True)

    async def partners(self, asking: OrganizationId, start: str, limit: int) -> tuple[Organization, ...]:
        """The partners that an organization can invite: transacting, and not itself (C3, T3)."""
        return await self._find(_ORGANIZATIONS, _PARTNERS, start, limit, lambda each: each.id != asking)

    async def solutions(
        self, kind: SolutionKind | None, asking: Organization, start: str, limit: int
    ) -> tuple[CatalogueSolution, ...]:
        """The solutions that a deal can include, of one kind for the asking organization, or of all kinds (T6).

        For Microsoft itself, its own solutions are of both kinds `MyCompany` and `Microsoft`. Assessments are only
        for organizations that are vetted for them.
        """

        def is_offered(each: CatalogueSolution) -> bool:
            if each.assessment:
                return asking.vetted_for_assessments
            return kind != "ThirdParty" or each.owner != asking.id

        return await self._find(_SOLUTIONS, _partition(kind, asking.id), start, limit, is_offered)

    async def _find(
        self, codec: Codec[N], partition: str, start: str, limit: int, is_wanted: Callable[[N], bool]
    ) -> tuple[N, ...]:
        """Usually one request; more if rows are filtered out, or names are too long for keys and do not match."""
        name = normalized_name(start)
        first, end = keys.starting_with(keys.head(name)) if name else ("", "\x7f")
        found: list[N] = []
        size = limit
        while True:
            rows = await self._tables.between(keys.DIRECTORY, partition, first, end, size)
            read = codec.each_readable(rows)
            found += [
                each for each in read if normalized_name(each.name).startswith(name) and is_wanted(each)
            ]
            if len(found) >= limit or len(rows) < size:
                return tuple(found[:limit])
            first, size = f"{rows[-1].key} ", 2 * size  # a space is the lowest character in our keys


async def update_search_rows(tables: Tables, earlier: Iterable[Place], rows: Mapping[Place, Row]) -> None:
    """Write search rows, and delete those of the earlier version that are not among them."""
    by_partition: defaultdict[str, list[Row]] = defaultdict(list)
    for (partition, _), row in rows.items():
        by_partition[partition].append(row)
    for partition, group in by_partition.items():
        for operations in in_transactions(map(Upsert, group)):
            await tables.write(keys.DIRECTORY, partition, operations)
    for partition, key in set(earlier) - rows.keys():
        await tables.discard(keys.DIRECTORY, partition, key)


def partner_search_rows(organization: Organization) -> dict[Place, Row]:
    """The search rows of a partner; none unless it can be invited (C3)."""
    if organization.kind != "partner" or not organization.transacting:
        return {}
    row = _ORGANIZATIONS.row(_by_name(organization.name, organization.id), organization)
    return {(_PARTNERS, row.key): row}


def solution_search_rows(solution: CatalogueSolution) -> dict[Place, Row]:
    """The search rows of a solution, by kind and among all; none unless a deal can include it (T6)."""
    if not solution.can_be_chosen:
        return {}
    row = _SOLUTIONS.row(_by_name(solution.name, solution.id), solution)
    return {(partition, row.key): row for partition in (_ALL_SOLUTIONS, *_partitions(solution))}


def customer_search_rows(customer: CustomerEntity) -> dict[Place, Row]:
    """The search row of a customer, in its country; entities with the same name have separate rows."""
    row = _CUSTOMERS.row(_by_name(customer.name, customer.identity), customer)
    return {(customer_partition(customer.address.country), row.key): row}


def customer_partition(country: str) -> str:
    """The search partition of a country's customers."""
    return f"customers:{keys.bounded(country)}"


def name_prefix(name: str) -> str:
    """The key prefix of all search rows with exactly this name."""
    return keys.bounded(normalized_name(name)) + keys.END_OF_NAME


def _by_name(name: str, identifier: str) -> str:
    return name_prefix(name) + keys.bounded(identifier)


def _own_partition(owner: OrganizationId) -> str:
    return f"solutions:of:{keys.bounded(owner)}"


def _partitions(solution: CatalogueSolution) -> tuple[str, ...]:
    if solution.assessment:
        return (_ASSESSMENTS,)
    own = _own_partition(solution.owner)
    return (own,) if solution.owner == MICROSOFT else (own, _OF_PARTNERS)


def _partition(kind: SolutionKind | None, asking: OrganizationId) -> str:
    match kind:
        case None:
            return _ALL_SOLUTIONS
        case "MyCompany":
            return _own_partition(asking)
        case "Microsoft":
            return _own_partition(OrganizationId(MICROSOFT))
        case "ThirdParty":
            return _OF_PARTNERS
        case "SolutionAssessment":
            return _ASSESSMENTS
