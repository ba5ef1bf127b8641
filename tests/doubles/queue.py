"""What stands in the reviewers' queue, and in an organization's list, read to the end."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from shared.domain.ids import OrganizationId
from shared.domain.registration import Registration
from shared.domain.vocabulary import RegistrationStatus
from shared.storage.referral_lists import Scan
from shared.storage.registrations import Queued, Registrations

T = TypeVar("T")


async def in_queue(registrations: Registrations, statuses: Sequence[RegistrationStatus]) -> list[Queued]:
    """What stands in the queue with these statuses, the longest waiting first."""
    return await _to_the_end(lambda after: registrations.queue(statuses, after))


async def registered_by(registrations: Registrations, organization_id: OrganizationId) -> list[Registration]:
    """An organization's registrations, deal by deal."""
    return await _to_the_end(lambda after: registrations.scan_organization(organization_id, after))


async def _to_the_end(read: Callable[[str | None], Scan[T]]) -> list[T]:
    found: list[T] = []
    scan = read(None)
    while not scan.complete:
        found += [record async for record in scan.records(50)]
        scan = scan if scan.complete else read(scan.place)
    return found
