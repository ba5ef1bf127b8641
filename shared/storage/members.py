"""Changes of the people and applications of an organization, one at a time (V7).

Every change also replaces the guard row of the organization. So concurrent changes conflict, and the rules about them
are checked on the current state.
"""

from collections.abc import Awaitable, Callable

from shared.domain.ids import OrganizationId, digest
from shared.errors import Contended, StoreConflict
from shared.storage import keys
from shared.storage.tables import Insert, Operation, Replace, Row, StoredRow, Tables

_GUARD = "g"
_ATTEMPTS = 5


class ETagMismatch(Exception):
    """The entry's ETag is not the expected one; `etag` is the current one, None if the entry does not exist."""

    def __init__(self, etag: str | None) -> None:
        super().__init__("The entry has changed since it was read: read it again and repeat the request.")
        self.etag = etag


def etag_of_row(row: StoredRow) -> str:
    """The ETag of a person or an application for clients."""
    return f'"{digest(row.etag)[:16]}"'


async def change_members(
    tables: Tables, organization_id: OrganizationId, decide: Callable[[], Awaitable[Operation]]
) -> None:
    """Carry out the operation that `decide` derives from the current state, or raises that it must not be.

    `decide` is called again if another change comes first. Raises as `decide` and `Tables` do, and `Contended`.
    """
    partition = keys.safe(organization_id)
    for _ in range(_ATTEMPTS):
        guard = await tables.get(keys.DIRECTORY, partition, _GUARD)
        operation = await decide()
        try:
            await tables.write(keys.DIRECTORY, partition, [operation, _guard_operation(guard)])
        except StoreConflict:
            continue
        return
    raise Contended(
        "The organization's people and applications kept changing: repeat the request in a second."
    )


def _guard_operation(guard: StoredRow | None) -> Operation:
    row = Row(_GUARD, {"json0": "1"})
    return Replace(row, guard.etag) if guard else Insert(row)
