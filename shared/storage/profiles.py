"""Business profiles by country: partner search, and contacts to notify (rules P1, P4).

A country's profiles share a partition, so that a search reads one range; each profile is one row, so that it changes
atomically.
"""

import asyncio
from collections.abc import Iterable

from shared.domain.directory import Profile
from shared.domain.ids import OrganizationId
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import StoredRow, Tables, Upsert
from shared.storage.versions import put_next_version

_PROFILES = Codec[Profile](Profile)


class Profiles:
    """The repository of business profiles, without a cache.

    Its methods raise as `Tables` does, and `RecordUnreadable`.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, organization_id: OrganizationId, country: str) -> Profile | None:
        """An organization's profile in a country (ISO 3166-1 alpha-2), or None."""
        row = await self._row(organization_id, country)
        return _PROFILES.read(row) if row else None

    async def get_many(self, ids: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Profile]:
        """The profiles with these ids (organization, country) that exist and can be parsed."""
        distinct = sorted(set(ids))
        rows = await asyncio.gather(*(self._row(OrganizationId(id_), country) for id_, country in distinct))
        profiles = {key: _PROFILES.readable(row) for key, row in zip(distinct, rows, strict=True)}
        return {key: profile for key, profile in profiles.items() if profile}

    async def in_country(self, country: str) -> list[Profile]:
        """All profiles of a country, by organization id, without rows that cannot be parsed.

        One request for each 1,000.
        """
        rows = await self._tables.between(keys.DIRECTORY, _partition(country), "", "\x7f")
        return _PROFILES.each_readable(rows)

    async def put(self, profile: Profile) -> None:
        """Replace a profile by its next version. Raises `StoreConflict` if another version is stored."""
        partition, key = _partition(profile.country), keys.safe(profile.organization_id)
        await put_next_version(self._tables, _PROFILES, partition, key, profile)

    async def overwrite(self, profiles: Iterable[Profile]) -> None:
        """Insert or replace profiles without a version check, for imports."""
        for profile in profiles:
            row = _PROFILES.row(keys.safe(profile.organization_id), profile)
            await self._tables.write(keys.DIRECTORY, _partition(profile.country), [Upsert(row)])

    async def _row(self, organization_id: OrganizationId, country: str) -> StoredRow | None:
        return await self._tables.get(keys.DIRECTORY, _partition(country), keys.safe(organization_id))


def _partition(country: str) -> str:
    return f"profiles:{keys.safe(country, beside=len('profiles:'))}"
