"""The directory: organizations, tenants, people, applications, solutions and customers.

A process caches what it reads for 60 seconds, so a removed role is lost within a minute (V7).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from shared.domain.directory import (
    Application,
    CatalogueSolution,
    CustomerEntity,
    Organization,
    Person,
)
from shared.domain.ids import ApplicationId, LocationId, OrganizationId, PersonId, tenant_id
from shared.domain.stage_map import StageMap
from shared.storage import keys
from shared.storage.addresses import entries_with, list_addresses
from shared.storage.codec import Codec
from shared.storage.directory_search import (
    Place,
    customer_partition,
    customer_search_rows,
    name_prefix,
    partner_search_rows,
    solution_search_rows,
    update_search_rows,
)
from shared.storage.tables import Discard, Operation, Row, Tables, Upsert, in_transactions
from shared.storage.versions import put_next_version

T = TypeVar("T")

CACHE_SECONDS = 60.0
_ORGANIZATIONS, _PEOPLE = Codec[Organization](Organization), Codec[Person](Person)
_APPLICATIONS = Codec[Application](Application)
_SOLUTIONS = Codec[CatalogueSolution](CatalogueSolution)
_CUSTOMERS, _ORGANIZATION_IDS = Codec[CustomerEntity](CustomerEntity), Codec[str](str)
_STAGE_MAPS = Codec[StageMap](StageMap)


class Directory:
    """The repository of the directory. Its methods raise as `Tables` does, and `RecordUnreadable`."""

    def __init__(self, tables: Tables, clock: Callable[[], float] = time.monotonic) -> None:
        self._tables = tables
        self._clock = clock
        self._cache: dict[tuple[str, str], tuple[float, object]] = {}

    async def organization_of_tenant(self, tenant: str) -> OrganizationId | None:
        """The organization of a tenant, or None."""

        async def read() -> OrganizationId | None:
            row = await self._tables.get(keys.DIRECTORY, "tenants", keys.safe(tenant_id(tenant)))
            return OrganizationId(_ORGANIZATION_IDS.read(row)) if row else None

        return await self._cached("tenant", tenant_id(tenant), read)

    async def organization(self, organization_id: str) -> Organization | None:
        """An organization with its locations, or None."""

        async def read() -> Organization | None:
            row = await self._tables.get(keys.DIRECTORY, keys.safe(organization_id), keys.ORGANIZATION)
            return _ORGANIZATIONS.read(row) if row else None

        return await self._cached("organization", organization_id, read)

    async def organization_of_location(self, location_id: str) -> OrganizationId | None:
        """The organization that has a location, or None."""

        async def read() -> OrganizationId | None:
            row = await self._tables.get(keys.DIRECTORY, "locations", keys.safe(location_id))
            return OrganizationId(_ORGANIZATION_IDS.read(row)) if row else None

        return await self._cached("location", location_id, read)

    async def stage_map(self, organization_id: OrganizationId) -> StageMap:
        """The stage map of an organization (S3); empty if it has none."""
        row = await self._tables.get(keys.DIRECTORY, keys.safe(organization_id), "s")
        return _STAGE_MAPS.read(row) if row else StageMap()

    async def put_stage_map(self, organization_id: OrganizationId, after: StageMap) -> None:
        """Replace a stage map by its next version. Raises `StoreConflict` if another version is stored."""
        await put_next_version(self._tables, _STAGE_MAPS, keys.safe(organization_id), "s", after)

    async def organizations(self, ids: Iterable[str]) -> dict[str, Organization]:
        """The organizations with these ids that exist, by id."""
        distinct = sorted(set(ids))
        found = await asyncio.gather(*(self.organization(each) for each in distinct))
        return {organization.id: organization for organization in found if organization}

    async def person(self, organization_id: OrganizationId, person_id: PersonId) -> Person | None:
        """A person of an organization, or None."""

        async def read() -> Person | None:
            partition, key = keys.safe(organization_id), keys.person(person_id)
            row = await self._tables.get(keys.DIRECTORY, partition, key)
            return _PEOPLE.read(row) if row else None

        return await self._cached("person", f"{organization_id}/{person_id}", read)

    async def application(
        self, organization_id: OrganizationId, application_id: ApplicationId
    ) -> Application | None:
        """An application of an organization, or None; also one whose entry has expired."""

        async def read() -> Application | None:
            key = keys.application(application_id)
            row = await self._tables.get(keys.DIRECTORY, keys.safe(organization_id), key)
            return _APPLICATIONS.read(row) if row else None

        return await self._cached("application", f"{organization_id}/{application_id}", read)

    def invalidate_people(self, organization_id: OrganizationId, person_id: PersonId) -> None:
        """Drop cached people of an organization after a change of one of them."""
        self._cache.pop(("person", f"{organization_id}/{person_id}"), None)
        self._cache.pop(("people", organization_id), None)

    def invalidate_organization(self, organization_id: OrganizationId) -> None:
        """Drop a cached organization after its change."""
        self._cache.pop(("organization", organization_id), None)

    def invalidate_location(self, location_id: LocationId) -> None:
        """Drop a cached owner of a location after its removal."""
        self._cache.pop(("location", location_id), None)

    def invalidate_application(self, organization_id: OrganizationId, application_id: ApplicationId) -> None:
        """Drop a cached application after its change."""
        self._cache.pop(("application", f"{organization_id}/{application_id}"), None)

    async def people(self, organization_id: OrganizationId) -> tuple[Person, ...]:
        """All people of an organization, without rows that cannot be parsed."""

        async def read() -> tuple[Person, ...]:
            partition = keys.safe(organization_id)
            rows = await self._tables.between(keys.DIRECTORY, partition, *keys.starting_with(keys.PEOPLE))
            return tuple(_PEOPLE.each_readable(rows))

        return await self._cached("people", organization_id, read)

    async def organizations_of_address(self, email: str) -> frozenset[OrganizationId]:
        """The organizations of the people who have an address, in whatever case; empty if nobody has it (M11).

        Cached as everything is; one request for an address that is in no directory.
        """

        async def read() -> frozenset[OrganizationId]:
            listed = await entries_with(self._tables, email)
            people = await asyncio.gather(*(self.person(e.organization_id, e.person_id) for e in listed))
            folded = email.casefold()
            return frozenset(p.organization_id for p in people if p and p.email.casefold() == folded)

        return await self._cached("address", email.casefold(), read)

    async def solutions(self, ids: Iterable[str]) -> dict[str, CatalogueSolution]:
        """The solutions with these ids that exist, by id."""
        distinct = sorted(set(ids))
        found = await asyncio.gather(*(self._solution(each) for each in distinct))
        return {solution.id: solution for solution in found if solution}

    async def customers(self, name: str, country: str, duns: str | None) -> tuple[CustomerEntity, ...]:
        """The entities with a name and country, and the entity with a D-U-N-S number in any country (C7)."""
        same_name = keys.starting_with(name_prefix(name))
        rows = await self._tables.between(keys.DIRECTORY, customer_partition(country), *same_name)
        if duns and (row := await self._tables.get(keys.DIRECTORY, "customers", keys.bounded(duns))):
            rows.append(row)
        entities = _CUSTOMERS.each_readable(rows)
        return tuple({entity.identity: entity for entity in entities}.values())

    async def is_empty(self) -> bool:
        """Whether nothing has been imported."""
        return not await self._tables.between(keys.DIRECTORY, "tenants", "", "~", 1)

    async def put_organization(
        self,
        organization: Organization,
        tenant: str,
        people: Iterable[Person],
        applications: Iterable[Application] = (),
    ) -> None:
        """Insert or replace an organization, its tenant, people and applications.

        No id is a person's and an application's at once: what had the id before as the other kind is removed.
        """
        people = list(people)
        await self._update_partner_search_rows(organization)
        await list_addresses(self._tables, people)
        operations: list[Operation] = [Upsert(_ORGANIZATIONS.row(keys.ORGANIZATION, organization))]
        for person in people:
            operations.append(Discard(keys.application(ApplicationId(person.id))))
            operations.append(Upsert(_PEOPLE.row(keys.person(person.id), person)))
        for application in applications:
            operations.append(Discard(keys.person(PersonId(application.id))))
            operations.append(Upsert(_APPLICATIONS.row(keys.application(application.id), application)))
        await self._write(keys.safe(organization.id), operations)
        await self._put("tenants", [_ORGANIZATION_IDS.row(keys.safe(tenant_id(tenant)), organization.id)])
        places = [
            _ORGANIZATION_IDS.row(keys.safe(place.id), organization.id) for place in organization.locations
        ]
        await self._put("locations", places)

    async def put_solutions(self, solutions: Iterable[CatalogueSolution]) -> None:
        """Insert or replace solutions; the last one with an id counts."""
        await self._put_searchable(
            "solutions", {each.id: each for each in solutions}, _SOLUTIONS, solution_search_rows
        )

    async def put_customers(self, customers: Iterable[CustomerEntity]) -> None:
        """Insert or replace customers; the last one with an identity counts."""
        entities = {each.identity: each for each in customers}
        await self._put_searchable("customers", entities, _CUSTOMERS, customer_search_rows)

    async def _update_partner_search_rows(self, after: Organization) -> None:
        """Call this before the record is written, as `_put_searchable` explains."""
        row = await self._tables.get(keys.DIRECTORY, keys.safe(after.id), keys.ORGANIZATION)
        before = _ORGANIZATIONS.readable(row)
        await update_search_rows(
            self._tables, partner_search_rows(before) if before else {}, partner_search_rows(after)
        )

    async def _put_searchable(
        self,
        partition: str,
        records: Mapping[str, T],
        codec: Codec[T],
        search_rows: Callable[[T], Mapping[Place, Row]],
    ) -> None:
        """Write records by their ids, and their search rows.

        The old record shows which search rows to delete, so it is replaced last: if this is interrupted, the next
        import still deletes them. A record that cannot be parsed is replaced, and its old search rows stay.
        """
        for group in in_transactions((keys.bounded(each), record) for each, record in records.items()):
            stored = await asyncio.gather(
                *(self._tables.get(keys.DIRECTORY, partition, key) for key, _ in group)
            )
            old = codec.each_readable(row for row in stored if row)
            before = [place for record in old for place in search_rows(record)]
            after = {place: row for _, record in group for place, row in search_rows(record).items()}
            await update_search_rows(self._tables, before, after)
            await self._put(partition, [codec.row(key, record) for key, record in group])

    async def _solution(self, solution_id: str) -> CatalogueSolution | None:
        async def read() -> CatalogueSolution | None:
            row = await self._tables.get(keys.DIRECTORY, "solutions", keys.bounded(solution_id))
            return _SOLUTIONS.read(row) if row else None

        return await self._cached("solution", solution_id, read)

    async def _put(self, partition: str, rows: list[Row]) -> None:
        await self._write(partition, map(Upsert, rows))

    async def _write(self, partition: str, operations: Iterable[Operation]) -> None:
        for transaction in in_transactions(operations):
            await self._tables.write(keys.DIRECTORY, partition, transaction)

    async def _cached(self, kind: str, key: str, read: Callable[[], Awaitable[T]]) -> T:
        now = self._clock()
        cached = self._cache.get((kind, key))
        if cached and now - cached[0] < CACHE_SECONDS:
            return cached[1]  # type: ignore[return-value] # values of one kind have one type
        value = await read()
        if value:  # no misses: an import may follow, and unknown ids must not fill the memory
            self._cache[kind, key] = (now, value)
        return value
