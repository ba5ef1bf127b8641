"""The directory: organizations, tenants, people, profiles, solutions and customers.

What one process read counts for 60 seconds, so a withdrawn role ends within a minute (V7).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from shared.domain.directory import (
    CatalogueSolution,
    CustomerEntity,
    Organization,
    Person,
    Profile,
    normalized_name,
)
from shared.domain.ids import OrganizationId, PersonId, digest
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Row, Tables, Upsert

T = TypeVar("T")

CACHE_SECONDS = 60.0
_BATCH = 100
_ORGANIZATIONS, _PEOPLE = Codec[Organization](Organization), Codec[Person](Person)
_PROFILES, _SOLUTIONS = Codec[Profile](Profile), Codec[CatalogueSolution](CatalogueSolution)
_CUSTOMERS, _TENANTS = Codec[CustomerEntity](CustomerEntity), Codec[str](str)


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

    async def people(self, organization_id: OrganizationId) -> tuple[Person, ...]:
        """All people of an organization."""

        async def read() -> tuple[Person, ...]:
            partition = keys.safe(organization_id)
            rows = await self._tables.between(keys.DIRECTORY, partition, *keys.starting_with("p:"))
            return tuple(_PEOPLE.read(row) for row in rows)

        return await self._cached("people", organization_id, read)

    async def profile(self, organization_id: OrganizationId, country: str) -> Profile | None:
        """An organization's business profile in a country."""

        async def read() -> Profile | None:
            key = f"b:{keys.safe(country)}"
            row = await self._tables.get(keys.DIRECTORY, keys.safe(organization_id), key)
            return _PROFILES.read(row) if row else None

        return await self._cached("profile", f"{organization_id}/{country}", read)

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

    async def is_empty(self) -> bool:
        """Whether nothing has been imported yet."""
        return not await self._tables.between(keys.DIRECTORY, "tenants", "", "~", 1)

    async def put_organization(
        self,
        organization: Organization,
        tenant_id: str,
        people: Iterable[Person],
        profiles: Iterable[Profile],
    ) -> None:
        """Write an organization with its tenant, people and profiles."""
        rows = [_ORGANIZATIONS.row("o", organization)]
        rows += [_PEOPLE.row(f"p:{keys.safe(person.id)}", person) for person in people]
        rows += [_PROFILES.row(f"b:{keys.safe(profile.country)}", profile) for profile in profiles]
        await self._put(keys.safe(organization.id), rows)
        await self._put("tenants", [_TENANTS.row(keys.safe(tenant_id), organization.id)])

    async def put_solutions(self, solutions: Iterable[CatalogueSolution]) -> None:
        """Write solutions."""
        await self._put("solutions", [_SOLUTIONS.row(keys.safe(each.id), each) for each in solutions])

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
    """A customer's name in a key; a very long one by its digest, since a key holds 1 KiB."""
    key = keys.safe(normalized_name(name))
    return key if len(key) <= 300 else digest(key)
