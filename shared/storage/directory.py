"""The directory: organizations, tenants, people, profiles, solutions and customers.

What one process read counts for 60 seconds, so a withdrawn role ends within a minute (V7).
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from shared.domain.directory import (
    CatalogueSolution,
    CustomerEntity,
    Organization,
    Person,
    normalized_name,
)
from shared.domain.ids import OrganizationId, PersonId, digest
from shared.domain.stage_map import StageMap
from shared.domain.vocabulary import MICROSOFT, SolutionKind
from shared.errors import StoreConflict
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Insert, Operation, Replace, Row, StoredRow, Tables, Upsert

T = TypeVar("T")

CACHE_SECONDS = 60.0
_BATCH = 100
_LONGEST_START = 250
_ORGANIZATIONS, _PEOPLE = Codec[Organization](Organization), Codec[Person](Person)
_SOLUTIONS = Codec[CatalogueSolution](CatalogueSolution)
_CUSTOMERS, _TENANTS = Codec[CustomerEntity](CustomerEntity), Codec[str](str)
_STAGE_MAPS = Codec[StageMap](StageMap)


class Directory:
    """The repository of the directory. Its methods raise as `Tables` does."""

    def __init__(self, tables: Tables, clock: Callable[[], float] = time.monotonic) -> None:
        self._tables = tables
        self._clock = clock
        self._cache: dict[tuple[str, str], tuple[float, object]] = {}

    async def organization_of_tenant(self, tenant_id: str) -> OrganizationId | None:
        """Whose tenant this is."""

        async def read() -> OrganizationId | None:
            row = await self._tables.get(keys.DIRECTORY, "tenants", keys.safe(tenant_id))
            return OrganizationId(_TENANTS.read(row)) if row else None

        return await self._cached("tenant", tenant_id, read)

    async def organization(self, organization_id: str) -> Organization | None:
        """An organization with its locations."""

        async def read() -> Organization | None:
            row = await self._tables.get(keys.DIRECTORY, keys.safe(organization_id), "o")
            return _ORGANIZATIONS.read(row) if row else None

        return await self._cached("organization", organization_id, read)

    async def organization_of_location(self, location_id: str) -> OrganizationId | None:
        """Whose location this is."""

        async def read() -> OrganizationId | None:
            row = await self._tables.get(keys.DIRECTORY, "locations", keys.safe(location_id))
            return OrganizationId(_TENANTS.read(row)) if row else None

        return await self._cached("location", location_id, read)

    async def stage_map(self, organization_id: OrganizationId) -> StageMap:
        """An organization's own names of stages (S3); empty if it has stored none."""
        row = await self._tables.get(keys.DIRECTORY, keys.safe(organization_id), "s")
        return _STAGE_MAPS.read(row) if row else StageMap()

    async def put_stage_map(self, organization_id: OrganizationId, after: StageMap) -> None:
        """Replace an organization's names of stages by a table of the next version. Raises `StoreConflict`."""
        row = _STAGE_MAPS.row("s", after)
        stored = await self._tables.get(keys.DIRECTORY, keys.safe(organization_id), "s")
        if stored is None:
            operation: Operation = Insert(row)
        elif _STAGE_MAPS.read(stored).version == after.version - 1:
            operation = Replace(row, stored.etag)
        else:
            raise StoreConflict("The stage map has changed meanwhile.")
        await self._tables.write(keys.DIRECTORY, keys.safe(organization_id), [operation])

    async def organizations(self, ids: Iterable[str]) -> dict[str, Organization]:
        """Those of these organizations that exist."""
        wanted = sorted(set(ids))
        found = await asyncio.gather(*(self.organization(each) for each in wanted))
        return {organization.id: organization for organization in found if organization}

    async def person(self, organization_id: OrganizationId, person_id: PersonId) -> Person | None:
        """A person of an organization."""

        async def read() -> Person | None:
            key = f"p:{keys.safe(person_id)}"
            row = await self._tables.get(keys.DIRECTORY, keys.safe(organization_id), key)
            return _PEOPLE.read(row) if row else None

        return await self._cached("person", f"{organization_id}/{person_id}", read)

    def forget_people(self, organization_id: OrganizationId, person_id: PersonId) -> None:
        """Read an organization's people anew: one of them was changed."""
        self._cache.pop(("person", f"{organization_id}/{person_id}"), None)
        self._cache.pop(("people", organization_id), None)

    async def people(self, organization_id: OrganizationId) -> tuple[Person, ...]:
        """All people of an organization."""

        async def read() -> tuple[Person, ...]:
            partition = keys.safe(organization_id)
            rows = await self._tables.between(keys.DIRECTORY, partition, *keys.starting_with("p:"))
            return tuple(_PEOPLE.read(row) for row in rows)

        return await self._cached("people", organization_id, read)

    async def solutions(self, ids: Iterable[str]) -> dict[str, CatalogueSolution]:
        """Those of these solutions that exist."""
        wanted = sorted(set(ids))
        found = await asyncio.gather(*(self._solution(each) for each in wanted))
        return {solution.id: solution for solution in found if solution}

    async def customers(self, name: str, country: str, duns: str | None) -> tuple[CustomerEntity, ...]:
        """The entities of a name and country, and that of a D-U-N-S number wherever it is (C7)."""
        prefix = f"{_name_key(name)}:"
        partition = f"customers:{keys.safe(country)}"
        rows = await self._tables.between(keys.DIRECTORY, partition, *keys.starting_with(prefix))
        if duns and (row := await self._tables.get(keys.DIRECTORY, "duns", keys.safe(duns))):
            rows.append(row)
        entities = [_CUSTOMERS.read(row) for row in rows]
        return tuple({entity.duns or entity.name: entity for entity in entities}.values())

    async def customers_named(self, country: str, start: str, limit: int) -> tuple[CustomerEntity, ...]:
        """The customers of a country whose names start so, in order of name (P4)."""
        partition = f"customers:{keys.safe(country)}"
        rows = await self._starting(partition, start, limit)
        return tuple(_CUSTOMERS.read(row) for row in rows)

    async def partners_named(self, start: str, limit: int) -> tuple[Organization, ...]:
        """The partners whose names start so, in order of name (P4)."""
        return tuple(_ORGANIZATIONS.read(row) for row in await self._starting("partners", start, limit))

    async def solutions_named(
        self, kind: SolutionKind, asking: OrganizationId, start: str, limit: int
    ) -> tuple[CatalogueSolution, ...]:
        """The solutions of a kind, as the asking organization sees it, whose names start so, in order of name."""
        shelf = f"solutions:of:{keys.safe(asking)}" if kind == "MyCompany" else _SHELVES[kind]
        rows = await self._starting(shelf, start, limit)
        return tuple(_SOLUTIONS.read(row) for row in rows)

    async def is_empty(self) -> bool:
        """Whether nothing has been imported yet."""
        return not await self._tables.between(keys.DIRECTORY, "tenants", "", "~", 1)

    async def put_organization(
        self,
        organization: Organization,
        tenant_id: str,
        people: Iterable[Person],
    ) -> None:
        """Write an organization with its tenant and people."""
        rows = [_ORGANIZATIONS.row("o", organization)]
        rows += [_PEOPLE.row(f"p:{keys.safe(person.id)}", person) for person in people]
        await self._put(keys.safe(organization.id), rows)
        await self._put("tenants", [_TENANTS.row(keys.safe(tenant_id), organization.id)])
        places = [_TENANTS.row(keys.safe(place.id), organization.id) for place in organization.locations]
        await self._put("locations", places)
        if organization.kind == "partner":
            await self._put(
                "partners", [_ORGANIZATIONS.row(_found_by(organization.name, organization.id), organization)]
            )

    async def put_solutions(self, solutions: Iterable[CatalogueSolution]) -> None:
        """Write solutions."""
        catalogue = list(solutions)
        await self._put("solutions", [_SOLUTIONS.row(keys.safe(each.id), each) for each in catalogue])
        shelves: defaultdict[str, list[Row]] = defaultdict(list)
        for each in catalogue:
            for shelf in _shelves(each):
                shelves[shelf].append(_SOLUTIONS.row(_found_by(each.name, each.id), each))
        for shelf, rows in shelves.items():
            await self._put(shelf, rows)

    async def put_customers(self, country: str, customers: Iterable[CustomerEntity]) -> None:
        """Write the customers of one country."""
        entities = list(customers)
        rows = [_CUSTOMERS.row(f"{_name_key(e.name)}:{keys.safe(e.duns or '')}", e) for e in entities]
        await self._put(f"customers:{keys.safe(country)}", rows)
        await self._put("duns", [_CUSTOMERS.row(keys.safe(e.duns), e) for e in entities if e.duns])

    async def _solution(self, solution_id: str) -> CatalogueSolution | None:
        async def read() -> CatalogueSolution | None:
            row = await self._tables.get(keys.DIRECTORY, "solutions", keys.safe(solution_id))
            return _SOLUTIONS.read(row) if row else None

        return await self._cached("solution", solution_id, read)

    async def _starting(self, partition: str, start: str, limit: int) -> list[StoredRow]:
        prefix = keys.safe(normalized_name(start))[:_LONGEST_START]
        first, end = keys.starting_with(prefix) if prefix else ("", "\x7f")
        return await self._tables.between(keys.DIRECTORY, partition, first, end, limit)

    async def _put(self, partition: str, rows: list[Row]) -> None:
        for start in range(0, len(rows), _BATCH):
            batch = [Upsert(row) for row in rows[start : start + _BATCH]]
            await self._tables.write(keys.DIRECTORY, partition, batch)

    async def _cached(self, kind: str, key: str, read: Callable[[], Awaitable[T]]) -> T:
        now = self._clock()
        held = self._cache.get((kind, key))
        if held and now - held[0] < CACHE_SECONDS:
            return held[1]  # type: ignore[return-value] # what was stored under this kind has this type
        value = await read()
        if value:  # what is unknown now may be imported in a second, and strangers must not fill our memory
            self._cache[kind, key] = (now, value)
        return value


def _name_key(name: str) -> str:
    """A name in a key; the end of a very long one by its digest, since a key holds 1 KiB."""
    key = keys.safe(normalized_name(name))
    return key if len(key) <= _LONGEST_START else f"{key[:_LONGEST_START]}~{digest(key)[:32]}"


def _found_by(name: str, identifier: str) -> str:
    return f"{_name_key(name)}:{keys.safe(identifier)}"


def _shelves(solution: CatalogueSolution) -> tuple[str, ...]:
    """Where a solution is looked for: among the assessments, or with its owner and with all partners' ones."""
    if solution.assessment:
        return ("solutions:assessments",)
    own = f"solutions:of:{keys.safe(solution.owner)}"
    return (own,) if solution.owner == MICROSOFT else (own, "solutions:partners")


_SHELVES = {"Microsoft": f"solutions:of:{MICROSOFT}", "ThirdParty": "solutions:partners"}
_SHELVES["SolutionAssessment"] = "solutions:assessments"
