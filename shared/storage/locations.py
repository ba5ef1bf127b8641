"""The locations of an organization, changed by its own admins; imports replace them with the whole organization."""

from collections.abc import Callable

from shared.domain.directory import Organization
from shared.domain.ids import LocationId, OrganizationId
from shared.domain.refusals import NotAllowed
from shared.errors import Contended, RecordUnreadable, StoreConflict
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.directory import Directory
from shared.storage.directory_search import partner_search_rows, update_search_rows
from shared.storage.tables import Insert, Replace, StoredRow, Tables

_ORGANIZATIONS, _OWNERS = Codec[Organization](Organization), Codec[str](str)
_OWNERS_OF_LOCATIONS = "locations"
_ATTEMPTS = 5


class Locations:
    """The organizations with their locations, without the directory's cache. Methods raise as `Tables` does."""

    def __init__(self, tables: Tables, directory: Directory) -> None:
        self._tables = tables
        self._directory = directory

    async def organization(self, organization_id: OrganizationId) -> Organization:
        """An organization as it is now. Raises `RecordUnreadable`."""
        return _ORGANIZATIONS.read(await self._row(organization_id))

    async def change(
        self, organization_id: OrganizationId, decide: Callable[[Organization], Organization]
    ) -> Organization:
        """Replace an organization by what `decide` makes of it, and return it.

        `decide` is called again if another change comes first. Raises as `decide` does; `NotAllowed` if the id of a
        new location is another organization's; `Contended`; `RecordUnreadable`.

        A location's id belongs to its organization from before the location exists until it is gone. If this is
        interrupted, the id stays with the organization, which can create the location again.
        """
        for _ in range(_ATTEMPTS):
            row = await self._row(organization_id)
            before = _ORGANIZATIONS.read(row)
            after = decide(before)
            for added in _ids(after) - _ids(before):
                await self._claim(added, organization_id)
            await update_search_rows(self._tables, partner_search_rows(before), partner_search_rows(after))
            try:
                replaced = Replace(_ORGANIZATIONS.row(row.key, after), row.etag)
                await self._tables.write(keys.DIRECTORY, row.partition, [replaced])
            except StoreConflict:
                continue
            for removed in _ids(before) - _ids(after):
                await self._tables.discard(keys.DIRECTORY, _OWNERS_OF_LOCATIONS, keys.safe(removed))
                self._directory.invalidate_location(removed)
            self._directory.invalidate_organization(organization_id)
            return after
        raise Contended("The organization's locations kept changing: repeat the request in a second.")

    async def _row(self, organization_id: OrganizationId) -> StoredRow:
        row = await self._tables.get(keys.DIRECTORY, keys.safe(organization_id), keys.ORGANIZATION)
        if row is None:
            raise RecordUnreadable(f"{keys.DIRECTORY}/{organization_id}", "the organization is missing")
        return row

    async def _claim(self, location_id: LocationId, organization_id: OrganizationId) -> None:
        row = _OWNERS.row(keys.safe(location_id), organization_id)
        try:
            await self._tables.write(keys.DIRECTORY, _OWNERS_OF_LOCATIONS, [Insert(row)])
        except StoreConflict:
            stored = await self._tables.get(keys.DIRECTORY, _OWNERS_OF_LOCATIONS, row.key)
            if stored is None or _OWNERS.read(stored) != organization_id:
                raise NotAllowed("This id is taken: choose another one for the location.") from None


def _ids(organization: Organization) -> set[LocationId]:
    return {location.id for location in organization.locations}
