"""Changes of an organization's people, one at a time, so that it never loses its last admin (V7)."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.directory import Person
from shared.domain.ids import OrganizationId, PersonId, digest
from shared.domain.refusals import NotAllowed
from shared.errors import Contended, StoreConflict
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.directory import Directory
from shared.storage.tables import Discard, Insert, Operation, Replace, Row, StoredRow, Tables, Upsert

_PEOPLE = Codec[Person](Person)
_GUARD = "g"
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class StoredPerson:
    """A person as read, with the ETag for clients."""

    person: Person
    etag: str


class ETagMismatch(Exception):
    """The person's ETag is not the expected one; `etag` is the current one, None if the person does not exist."""

    def __init__(self, etag: str | None) -> None:
        super().__init__("The person has changed since it was read: read it again and repeat the request.")
        self.etag = etag


class People:
    """The people of organizations, without the directory's cache. Methods raise as `Tables` does.

    Every change also replaces the guard row of the organization, so that concurrent changes conflict and the rule
    about the last admin is checked on the current state.
    """

    def __init__(self, tables: Tables, directory: Directory) -> None:
        self._tables = tables
        self._directory = directory

    async def get(self, organization_id: OrganizationId, person_id: str) -> StoredPerson | None:
        """One person, or None. A row that cannot be parsed counts as missing, and `put` replaces it."""
        row = await self._tables.get(keys.DIRECTORY, keys.safe(organization_id), _key(person_id))
        return next(iter(_to_people([row] if row else [])), None)

    async def all(self, organization_id: OrganizationId) -> list[StoredPerson]:
        """All people of an organization, without rows that cannot be parsed."""
        partition = keys.safe(organization_id)
        rows = await self._tables.between(keys.DIRECTORY, partition, *keys.starting_with("p:"))
        return _to_people(rows)

    async def put(self, person: Person, etag: str | None) -> StoredPerson:
        """Insert a person (`etag` None), or replace one that still has this ETag.

        Raises `ETagMismatch`, `NotAllowed` for the last admin's role, `Contended`.
        """
        await self._change(person.organization_id, person.id, person, etag)
        stored = await self.get(person.organization_id, person.id)
        if stored is None:
            raise Contended("The person was removed at the same time: read it again.")
        return stored

    async def remove(self, organization_id: OrganizationId, person_id: PersonId, etag: str) -> None:
        """Remove a person that still has this ETag. Raises as `put` does."""
        await self._change(organization_id, person_id, None, etag)

    async def _change(
        self, organization_id: OrganizationId, person_id: PersonId, after: Person | None, etag: str | None
    ) -> None:
        partition = keys.safe(organization_id)
        for _ in range(_ATTEMPTS):
            guard = await self._tables.get(keys.DIRECTORY, partition, _GUARD)
            others = {each.person.id: each for each in await self.all(organization_id)}
            before = others.pop(person_id, None)
            current_etag = before.etag if before else None
            if current_etag != etag:
                raise ETagMismatch(current_etag)
            _require_admin([each.person for each in others.values()], after)
            row = Discard(_key(person_id)) if after is None else Upsert(_PEOPLE.row(_key(person_id), after))
            try:
                await self._tables.write(keys.DIRECTORY, partition, [row, _guard_operation(guard)])
            except StoreConflict:
                continue
            self._directory.invalidate_people(organization_id, person_id)
            return
        raise Contended("The organization's people kept changing: repeat the request in a second.")


def _require_admin(others: list[Person], after: Person | None) -> None:
    remaining = [*others, after] if after else others
    if not any("MpnPartnerAdmin" in person.roles for person in remaining):
        raise NotAllowed("An organization needs an MpnPartnerAdmin: give another person this role first.")


def _guard_operation(guard: StoredRow | None) -> Operation:
    row = Row(_GUARD, {"json0": "1"})
    return Replace(row, guard.etag) if guard else Insert(row)


def _key(person_id: str) -> str:
    return f"p:{keys.safe(person_id)}"


def _to_people(rows: Iterable[StoredRow]) -> list[StoredPerson]:
    people = ((_PEOPLE.readable(row), row.etag) for row in rows)
    return [StoredPerson(person, f'"{digest(etag)[:16]}"') for person, etag in people if person]
