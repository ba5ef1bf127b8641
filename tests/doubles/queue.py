"""What stands in the reviewers' queue, and in an organization's list, read to the end."""

from collections.abc import Callable, Sequence

from shared.domain.ids import OrganizationId
from shared.domain.registration import Registration
from shared.domain.vocabulary import RegistrationStatus
from shared.storage.referral_lists import Scan
from shared.storage.registration_rows import REGISTRATIONS
from shared.storage.registrations import QUEUE_ROWS, Queued, Registrations
from shared.storage.tables import StoredRow


async def in_queue(registrations: Registrations, statuses: Sequence[RegistrationStatus]) -> list[Queued]:
    """The rows of these statuses, the longest waiting first."""
    rows = await _to_the_end(lambda after: registrations.queue(statuses, after))
    return [QUEUE_ROWS.read(row) for row in rows]


async def registered_by(registrations: Registrations, organization_id: OrganizationId) -> list[Registration]:
    """An organization's registrations, deal by deal."""
    rows = await _to_the_end(lambda after: registrations.of_organization(organization_id, after))
    return [REGISTRATIONS.read(row) for row in rows]


async def _to_the_end(read: Callable[[str | None], Scan]) -> list[StoredRow]:
    found: list[StoredRow] = []
    scan = read(None)
    while not scan.complete:
        found += [row async for row in scan.rows(50)]
        scan = scan if scan.complete else read(scan.place)
    return found
