"""Where an address is in the directory: rows that lead from the addresses of people to their entries (M11).

A row can be left of an address that a person had before, so the entry is looked at as well.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.directory import Person
from shared.domain.ids import OrganizationId, PersonId
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Tables, Upsert, in_transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An entry of the directory that has, or had, an address."""

    organization_id: OrganizationId
    person_id: PersonId


_LISTED = Codec[Listed](Listed)


async def list_addresses(tables: Tables, people: Iterable[Person]) -> None:
    """Store where the addresses of people are. Call it before their entries are written."""
    rows = [
        _LISTED.row(
            keys.email(person.email, person.organization_id, person.id),
            Listed(organization_id=person.organization_id, person_id=person.id),
        )
        for person in people
    ]
    for group in in_transactions(rows):
        await tables.write(keys.DIRECTORY, keys.EMAILS, list(map(Upsert, group)))


async def entries_with(tables: Tables, email: str) -> list[Listed]:
    """The entries that have an address, or had it; one request."""
    start, end = keys.starting_with(keys.emails_prefix(email))
    return _LISTED.each_readable(await tables.between(keys.DIRECTORY, keys.EMAILS, start, end))
