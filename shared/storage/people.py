"""Changing an organization's directory of people, one at a time, so that it never loses its last admin (V7)."""

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
    """A person as read, and the tag of what was read."""

    person: Person
    etag: str


class ETagMismatch(Exception):
    """The person is not as the tag says; `etag` is its present tag, None if there is no such person."""

    def __init__(self, etag: str | None) -> None:
        super().__init__("The person has changed meanwhile.")
        self.etag = etag


class People:
    """The people of organizations, past the directory's cache. Methods raise as `Tables` does.

    Every change replaces one guard row in its transaction, so changes of one organization follow each other and the
    rule about the last admin is asked of what is there.
    """

    def __init__(self, tables: Tables, directory: Directory) -> None:
        self._tables = tables
        self._directory = directory

    async def get(self, organization_id: OrganizationId, person_id: str) -> StoredPerson | None:
        """One person, as stored now; whoever cannot be read is as new, and entering them writes them anew."""
        row = await self._tables.get(keys.DIRECTORY, keys.safe(organization_id), _key(person_id))
        return next(iter(_readable([row] if row else [])), None)

    async def all(self, organization_id: OrganizationId) -> list[StoredPerson]:
        """Everybody who can be read, as stored now."""
        partition = keys.safe(organization_id)
        rows = await self._tables.between(keys.DIRECTORY, partition, *keys.starting_with("p:"))
        return _readable(rows)

    async def put(self, person: Person, known: str | None) -> StoredPerson:
        """Write a person who is new (`known` None) or still as `known` says.

        Raises `ETagMismatch`, `NotAllowed` for the last admin's role, `Contended`.
        """
        await self._change(person.organization_id, person.id, person, known)
        stored = await self.get(person.organization_id, person.id)
        if stored is None:
            raise Contended("The person was removed at the same moment; read it again.")
        return stored

    async def remove(self, organization_id: OrganizationId, person_id: PersonId, known: str) -> None:
        """Remove a person who is still as `known` says. Raises as `put` does."""
        await self._change(organization_id, person_id, None, known)

    async def _change(
        self, organization_id: OrganizationId, person_id: PersonId, after: Person | None, known: str | None
    ) -> None:
        partition = keys.safe(organization_id)
        for _ in range(_ATTEMPTS):
            guard = await self._tables.get(keys.DIRECTORY, partition, _GUARD)
            everybody = {each.person.id: each for each in await self.all(organization_id)}
            before = everybody.pop(person_id, None)
            present = before.etag if before else None
            if present != known:
                raise ETagMismatch(present)
            _require_admin([each.person for each in everybody.values()], after)
            row = Discard(_key(person_id)) if after is None else Upsert(_PEOPLE.row(_key(person_id), after))
            try:
                await self._tables.write(keys.DIRECTORY, partition, [row, _guarding(guard)])
            except StoreConflict:
                continue
            self._directory.invalidate_people(organization_id, person_id)
            return
        raise Contended("The organization's people kept changing; repeat the request in a second.")


def _require_admin(others: list[Person], after: Person | None) -> None:
    remaining = [*others, after] if after else others
    if not any("MpnPartnerAdmin" in person.roles for person in remaining):
        raise NotAllowed("An organization keeps at least one MpnPartnerAdmin: name another one first.")


def _guarding(guard: StoredRow | None) -> Operation:
    row = Row(_GUARD, {"json0": "1"})
    return Replace(row, guard.etag) if guard else Insert(row)


def _key(person_id: str) -> str:
    return f"p:{keys.safe(person_id)}"


def _readable(rows: Iterable[StoredRow]) -> list[StoredPerson]:
    found = ((_PEOPLE.readable(row), row.etag) for row in rows)
    return [StoredPerson(person, f'"{digest(etag)[:16]}"') for person, etag in found if person]
