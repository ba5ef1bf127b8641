"""Finding partners, solutions and customers by the start of their names (P4, T6).

Besides its record each of them has a row, in order of name, on every shelf where it is looked for. A look-up reads a
range of one shelf, so what it costs does not grow with the catalogue.
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
"""A shelf, which is a partition, and the key of a row on it."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


class DirectorySearch:
    """Look-ups by the start of a name as `normalized_name` compares it, at most `limit` in order of name.

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
        self, kind: SolutionKind | None, asking: OrganizationId, start: str, limit: int
    ) -> tuple[CatalogueSolution, ...]:
        """The solutions of a kind, as the asking organization sees it, or of all kinds, that a deal can name (T6).

        Microsoft's own are to itself both those of its company and Microsoft's.
        """
        shelf, others = _shelf(kind, asking), kind == "ThirdParty"
        return await self._find(
            _SOLUTIONS, shelf, start, limit, lambda each: not others or each.owner != asking
        )

    async def _find(
        self, codec: Codec[N], shelf: str, start: str, limit: int, wanted: Callable[[N], bool]
    ) -> tuple[N, ...]:
        """One request, unless what it brings is not wanted or, in names too long for keys, does not start so."""
        name = normalized_name(start)
        first, end = keys.starting_with(keys.head(name)) if name else ("", "\x7f")
        found: list[N] = []
        size = limit
        while True:
            rows = await self._tables.between(keys.DIRECTORY, shelf, first, end, size)
            read = codec.each_readable(rows)
            found += [each for each in read if normalized_name(each.name).startswith(name) and wanted(each)]
            if len(found) >= limit or len(rows) < size:
                return tuple(found[:limit])
            first, size = f"{rows[-1].key} ", 2 * size  # a space is the lowest character of our keys


async def update_search_rows(tables: Tables, earlier: Iterable[Place], rows: Mapping[Place, Row]) -> None:
    """Write rows on their shelves, and take away those of earlier versions that are not among them."""
    shelves: defaultdict[str, list[Row]] = defaultdict(list)
    for (shelf, _), row in rows.items():
        shelves[shelf].append(row)
    for shelf, together in shelves.items():
        for operations in in_transactions(map(Upsert, together)):
            await tables.write(keys.DIRECTORY, shelf, operations)
    for shelf, key in set(earlier) - rows.keys():
        await tables.discard(keys.DIRECTORY, shelf, key)


def partner_search_rows(organization: Organization) -> dict[Place, Row]:
    """Where a partner is looked for: nowhere unless it can be invited (C3)."""
    if organization.kind != "partner" or not organization.transacting:
        return {}
    row = _ORGANIZATIONS.row(_by_name(organization.name, organization.id), organization)
    return {(_PARTNERS, row.key): row}


def solution_search_rows(solution: CatalogueSolution) -> dict[Place, Row]:
    """Where a solution is looked for: by kind and among all; nowhere unless a deal can name it (T6)."""
    if not solution.can_be_chosen:
        return {}
    row = _SOLUTIONS.row(_by_name(solution.name, solution.id), solution)
    return {(shelf, row.key): row for shelf in (_ALL_SOLUTIONS, *_shelves(solution))}


def customer_search_rows(customer: CustomerEntity) -> dict[Place, Row]:
    """Where a customer is looked for: in its country; entities of one name stand side by side."""
    row = _CUSTOMERS.row(_by_name(customer.name, customer.identity), customer)
    return {(customer_partition(customer.address.country), row.key): row}


def customer_partition(country: str) -> str:
    """The shelf of a country's customers."""
    return f"customers:{keys.bounded(country)}"


def name_prefix(name: str) -> str:
    """What the keys of all who have exactly this name start with."""
    return keys.bounded(normalized_name(name)) + keys.END_OF_NAME


def _by_name(name: str, identifier: str) -> str:
    return name_prefix(name) + keys.bounded(identifier)


def _of(owner: OrganizationId) -> str:
    return f"solutions:of:{keys.bounded(owner)}"


def _shelves(solution: CatalogueSolution) -> tuple[str, ...]:
    if solution.assessment:
        return (_ASSESSMENTS,)
    own = _of(solution.owner)
    return (own,) if solution.owner == MICROSOFT else (own, _OF_PARTNERS)


def _shelf(kind: SolutionKind | None, asking: OrganizationId) -> str:
    match kind:
        case None:
            return _ALL_SOLUTIONS
        case "MyCompany":
            return _of(asking)
        case "Microsoft":
            return _of(OrganizationId(MICROSOFT))
        case "ThirdParty":
            return _OF_PARTNERS
        case "SolutionAssessment":
            return _ASSESSMENTS
