"""The applications of organizations: programs that call with a token of their own (V7)."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.directory import Application
from shared.domain.ids import ApplicationId, OrganizationId, PersonId
from shared.domain.refusals import NotAllowed
from shared.errors import Contended
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.directory import Directory
from shared.storage.members import ETagMismatch, change_members, etag_of_row
from shared.storage.tables import Discard, Operation, StoredRow, Tables, Upsert

_APPLICATIONS = Codec[Application](Application)


@dataclass(frozen=True, slots=True)
class StoredApplication:
    """An application as read, with the ETag for clients."""

    application: Application
    etag: str


class Applications:
    """The applications of organizations, without the directory's cache. Methods raise as `Tables` does."""

    def __init__(self, tables: Tables, directory: Directory) -> None:
        self._tables = tables
        self._directory = directory

    async def get(
        self, organization_id: OrganizationId, application_id: ApplicationId
    ) -> StoredApplication | None:
        """One application, or None. A row that cannot be parsed counts as missing, and `put` replaces it."""
        key = keys.application(application_id)
        row = await self._tables.get(keys.DIRECTORY, keys.safe(organization_id), key)
        return next(iter(_to_applications([row] if row else [])), None)

    async def all(self, organization_id: OrganizationId) -> list[StoredApplication]:
        """All applications of an organization, without rows that cannot be parsed."""
        partition = keys.safe(organization_id)
        rows = await self._tables.between(keys.DIRECTORY, partition, *keys.starting_with(keys.APPLICATIONS))
        return _to_applications(rows)

    async def put(self, application: Application, etag: str | None) -> StoredApplication:
        """Insert an application (`etag` None), or replace one that still has this ETag.

        Raises `ETagMismatch`; `NotAllowed` for the id of a person; `Contended`.
        """
        await self._change(application.organization_id, application.id, application, etag)
        stored = await self.get(application.organization_id, application.id)
        if stored is None:
            raise Contended("The application was removed at the same time: read it again.")
        return stored

    async def remove(self, organization_id: OrganizationId, application_id: ApplicationId, etag: str) -> None:
        """Remove an application that still has this ETag. Raises as `put` does."""
        await self._change(organization_id, application_id, None, etag)

    async def _change(
        self,
        organization_id: OrganizationId,
        application_id: ApplicationId,
        after: Application | None,
        etag: str | None,
    ) -> None:
        async def decide() -> Operation:
            before = await self.get(organization_id, application_id)
            current_etag = before.etag if before else None
            if current_etag != etag:
                raise ETagMismatch(current_etag)
            if after is None:
                return Discard(keys.application(application_id))
            await self._require_no_person(organization_id, application_id)
            return Upsert(_APPLICATIONS.row(keys.application(application_id), after))

        await change_members(self._tables, organization_id, decide)
        self._directory.invalidate_application(organization_id, application_id)

    async def _require_no_person(
        self, organization_id: OrganizationId, application_id: ApplicationId
    ) -> None:
        key = keys.person(PersonId(application_id))
        if await self._tables.get(keys.DIRECTORY, keys.safe(organization_id), key):
            raise NotAllowed("This is the id of a person of your organization: delete that one first.")


def _to_applications(rows: Iterable[StoredRow]) -> list[StoredApplication]:
    applications = ((_APPLICATIONS.readable(row), row) for row in rows)
    return [StoredApplication(found, etag_of_row(row)) for found, row in applications if found]
