"""Business profiles, by country: who can be found there, and who is told of what arrives (rules P1, P4).

A country's profiles share a partition, so that finding them is one range, and each is one row, so that it changes
whole.
"""

import asyncio
from collections.abc import Iterable

from shared.domain.directory import Profile
from shared.domain.ids import OrganizationId
from shared.errors import StoreConflict
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Insert, Operation, Replace, StoredRow, Tables, Upsert

_PROFILES = Codec[Profile](Profile)


class Profiles:
    """The repository of business profiles, read as they are now.

    Its methods raise as `Tables` does, and `RecordUnreadable`.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, organization_id: OrganizationId, country: str) -> Profile | None:
        """An organization's profile in a country (ISO 3166-1 alpha-2)."""
        row = await self._row(organization_id, country)
        return _PROFILES.read(row) if row else None

    async def several(self, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Profile]:
        """Those of these profiles that exist and can be read, by organization and country."""
        places = sorted(set(wanted))
        found = await asyncio.gather(*(self._row(OrganizationId(who), where) for who, where in places))
        profiles = {place: _PROFILES.readable(row) for place, row in zip(places, found, strict=True)}
        return {place: profile for place, profile in profiles.items() if profile}

    async def in_country(self, country: str) -> list[Profile]:
        """All profiles of a country that can be read, in order of the organizations' ids.

        Storage gives 1,000 in one request.
        """
        rows = await self._tables.between(keys.DIRECTORY, _partition(country), "", "\x7f")
        return _PROFILES.each_readable(rows)

    async def put(self, profile: Profile) -> None:
        """Write a profile's next version over the one before. Raises `StoreConflict` if that is not what is there."""
        row = _PROFILES.row(keys.safe(profile.organization_id), profile)
        partition = _partition(profile.country)
        stored = await self._tables.get(keys.DIRECTORY, partition, row.key)
        if (_PROFILES.read(stored).version if stored else 0) != profile.version - 1:
            raise StoreConflict("The profile has changed meanwhile.")
        operation: Operation = Replace(row, stored.etag) if stored else Insert(row)
        await self._tables.write(keys.DIRECTORY, partition, [operation])

    async def enter(self, profiles: Iterable[Profile]) -> None:
        """Write profiles whatever is there, for an import."""
        for profile in profiles:
            row = _PROFILES.row(keys.safe(profile.organization_id), profile)
            await self._tables.write(keys.DIRECTORY, _partition(profile.country), [Upsert(row)])

    async def _row(self, organization_id: OrganizationId, country: str) -> StoredRow | None:
        return await self._tables.get(keys.DIRECTORY, _partition(country), keys.safe(organization_id))


def _partition(country: str) -> str:
    return f"profiles:{keys.safe(country)}"
