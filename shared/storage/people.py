"""The people of organizations, changed so that no organization loses its last admin (V7)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.domain.directory import Person
from shared.domain.ids import ApplicationId, OrganizationId, PersonId
from shared.domain.refusals import NotAllowed
from shared.errors import Contended
from shared.storage import keys
from shared.storage.addresses import list_addresses
from shared.storage.codec import Codec
from shared.storage.directory import Directory
from shared.storage.members import ETagMismatch, change_members, etag_of_row
from shared.storage.tables import Discard, Operation, StoredRow, Tables, Upsert

_PEOPLE = Codec[Person](Person)


@dataclass(frozen=True, slots=True)
class StoredPerson:
    """A person as read, with the ETag for clients."""

    person: Person
    etag: str


class People:
    """The people of organizations, without the directory's cache. Methods raise as `Tables` does."""

    def __init__(self, tables: Tables, directory: Directory) -> None:
        self._tables = tables
        self._directory = directory

    async def get(self, organization_id: OrganizationId, person_id: PersonId) -> StoredPerson | None:
        """One person, or None. A row that cannot be parsed counts as missing, and `put` replaces it."""
        row = await self._tables.get(keys.DIRECTORY, keys.safe(organization_id), keys.person(person_id))
        return next(iter(_to_people([row] if row else [])), None)

    async def all(self, organization_id: OrganizationId) -> list[StoredPerson]:
        """All people of an organization, without rows that cannot be parsed."""
        partition = keys.safe(organization_id)
        rows = await self._tables.between(keys.DIRECTORY, partition, *keys.starting_with(keys.PEOPLE))
        return _to_people(rows)

    async def put(self, person: Person, etag: str | None) -> StoredPerson:
        """Insert a person (`etag` None), or replace one that still has this ETag.

        Raises `ETagMismatch`; `NotAllowed` for the last admin's role, and for the id of an application; `Contended`.
        """
        await self._change(person.organization_id, person.id, person, etag)
        return await self._stored(person.organization_id, person.id)

    async def remove(self, organization_id: OrganizationId, person_id: PersonId, etag: str) -> None:
        """Remove a person that still has this ETag. Raises as `put` does."""
        await self._change(organization_id, person_id, None, etag)

    async def prefer(
        self,
        person: Person,
        etag: str | None,
        *,
        locale: str | None = None,
        disable_notifications: bool | None = None,
    ) -> StoredPerson:
        """Change what people decide about themselves (V8); None keeps what is stored, `etag` None fits any version.

        Raises `ETagMismatch` if they are not in the directory any more, or have another ETag; `Contended`.
        """
        organization_id, key = person.organization_id, keys.person(person.id)

        async def decide() -> Operation:
            before = await self.get(organization_id, person.id)
            if before is None or etag not in {None, before.etag}:
                raise ETagMismatch(before.etag if before else None)
            after = replace(
                before.person,
                locale=before.person.locale if locale is None else locale,
                disable_notifications=(
                    before.person.disable_notifications
                    if disable_notifications is None
                    else disable_notifications
                ),
            )
            return Upsert(_PEOPLE.row(key, after))

        await change_members(self._tables, organization_id, decide)
        self._directory.invalidate_people(organization_id, person.id)
        return await self._stored(organization_id, person.id)

    async def _stored(self, organization_id: OrganizationId, person_id: PersonId) -> StoredPerson:
        stored = await self.get(organization_id, person_id)
        if stored is None:
            raise Contended("The person was removed at the same time: read it again.")
        return stored

    async def _change(
        self, organization_id: OrganizationId, person_id: PersonId, after: Person | None, etag: str | None
    ) -> None:
        async def decide() -> Operation:
            others = {each.person.id: each for each in await self.all(organization_id)}
            before = others.pop(person_id, None)
            current_etag = before.etag if before else None
            if current_etag != etag:
                raise ETagMismatch(current_etag)
            _require_admin([each.person for each in others.values()], after)
            if after is None:
                return Discard(keys.person(person_id))
            await self._require_no_application(organization_id, person_id)
            return Upsert(_PEOPLE.row(keys.person(person_id), after))

        if after:
            await list_addresses(self._tables, [after])
        await change_members(self._tables, organization_id, decide)
        self._directory.invalidate_people(organization_id, person_id)

    async def _require_no_application(self, organization_id: OrganizationId, person_id: PersonId) -> None:
        key = keys.application(ApplicationId(person_id))
        if await self._tables.get(keys.DIRECTORY, keys.safe(organization_id), key):
            raise NotAllowed("This is the id of an application of your organization: delete that one first.")


def _require_admin(others: list[Person], after: Person | None) -> None:
    remaining = [*others, after] if after else others
    if not any("MpnPartnerAdmin" in person.roles for person in remaining):
        raise NotAllowed("An organization needs an MpnPartnerAdmin: give another person this role first.")


def _to_people(rows: Iterable[StoredRow]) -> list[StoredPerson]:
    people = ((_PEOPLE.readable(row), row) for row in rows)
    return [StoredPerson(person, etag_of_row(row)) for person, row in people if person]
