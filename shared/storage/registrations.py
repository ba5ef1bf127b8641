"""Registrations, and the reviewers' queue (rules G4, G5, G8).

A registration is stored with its deal, or without a deal in its organization's partition. Every change of a
registration with a deal is part of the deal's transaction. Table `reviews` has an index entry for each registration,
and the queue; both are updated after the registration.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.domain.ids import OrganizationId, ReferralId, RegistrationId
from shared.domain.referral import ReferralKey
from shared.domain.registration import Registration, ReviewRound
from shared.domain.vocabulary import RegistrationStatus
from shared.errors import StoreConflict
from shared.storage import keys
from shared.storage.codec import Codec, SetAside, log_set_aside
from shared.storage.idempotency import RequestKey
from shared.storage.referral_lists import Scan
from shared.storage.registration_rows import REGISTRATIONS, ROUNDS, registration_operations
from shared.storage.tables import (
    Discard,
    Insert,
    Operation,
    Replace,
    StoredRow,
    Tables,
    Upsert,
    in_transactions,
)

logger = logging.getLogger(__name__)

QUEUE = "queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """Where a registration is stored, which version of it is indexed, and the assigned reviewer.

    `queued` is the key of its queue row, None without one. Only Microsoft sees `assigned_to`. The entry of a deleted
    registration stays with `removed`, so that a write of an earlier version that comes late does not index it again.
    """

    organization_id: OrganizationId
    referral_id: ReferralId
    version: int
    queued: str | None = None
    assigned_to: str | None = None
    removed: bool = False

    @property
    def place(self) -> ReferralKey:
        """The key of the deal that the registration is stored with."""
        return ReferralKey(organization_id=self.organization_id, referral_id=self.referral_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A registration in the reviewers' queue, and the assigned reviewer."""

    registration: Registration
    assigned_to: str | None = None


_INDEX, QUEUE_ROWS = Codec[IndexEntry](IndexEntry), Codec[Queued](Queued, limit=168 * 1024)


class Registrations:
    """The repository of registrations. Its methods raise as `Tables` does, and `RecordUnreadable`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, record: ReferralKey, registration_id: RegistrationId) -> Registration | None:
        """A registration, or None. `record` is the key that it is stored with, see `stored_with`."""
        row = await self._row(record, registration_id)
        return REGISTRATIONS.read(row) if row else None

    async def list_for_deal(self, record: ReferralKey) -> list[Registration]:
        """All registrations of a deal, oldest first, without rows that cannot be parsed."""
        partition = keys.partition_of(record.organization_id)
        start, end = keys.starting_with(f"{keys.REGISTRATIONS}{record.referral_id}:")
        rows = await self._tables.between(keys.REFERRALS, partition, start, end)
        return REGISTRATIONS.each_readable(rows)

    async def rounds(self, registration: Registration) -> list[ReviewRound]:
        """All rounds of a registration, oldest first."""
        latest = registration.latest
        if latest is None or latest.number == 1:
            return [latest] if latest else []
        record = stored_with(registration)
        partition = keys.partition_of(record.organization_id)
        first, end = (keys.review_round(registration.id, number) for number in (1, latest.number))
        rows = await self._tables.between(keys.REFERRALS, partition, first, end)
        return [*ROUNDS.each_readable(rows), latest]

    def scan_organization(self, organization_id: OrganizationId, after: str | None) -> Scan[Registration]:
        """A scan of all registrations of an organization, those of the oldest deals first."""
        partition = keys.partition_of(organization_id)
        return Scan(self._tables, partition, (keys.REGISTRATIONS,), REGISTRATIONS, after=after)

    async def insert_without_deal(self, registration: Registration, key: RequestKey | None) -> None:
        """Store a registration without a deal (G8). Raises `StoreConflict` if it, or its idempotency key, exists."""
        record, *rounds = registration_operations(keys.NO_DEAL, registration)
        operations: list[Operation] = [Insert(record.row), *rounds]
        if key:
            operations.append(key.operation())
        partition = keys.partition_of(registration.organization_id)
        await self._tables.write(keys.REFERRALS, partition, operations)

    async def index_entry(self, registration_id: str) -> IndexEntry | None:
        """The index entry of a registration; None if it does not exist, is deleted or cannot be parsed."""
        entry = _INDEX.readable(await self._tables.get(keys.REVIEWS, QUEUE, _entry_key(registration_id)))
        return None if entry is None or entry.removed else entry

    async def index(self, registration: Registration) -> None:
        """Update index entry and queue row to this version; an older or a deleted one changes nothing.

        Raises `StoreConflict` if another version is indexed at the same time: repeat it then.
        """
        key = _entry_key(registration.id)
        row = await self._tables.get(keys.REVIEWS, QUEUE, key)
        before = _INDEX.readable(row)
        if before and (before.removed or before.version > registration.version):
            return
        await self._tables.write(keys.REVIEWS, QUEUE, _operations(registration, before, row))

    async def remove(self, record: ReferralKey, registration_id: RegistrationId) -> None:
        """Remove what is left of a deleted registration: its rounds, its queue row, and its index entry.

        `record` is the key that it was stored with. Raises `StoreConflict` if it is indexed at the same time: repeat
        it then.
        """
        partition = keys.partition_of(record.organization_id)
        start, end = keys.starting_with(f"{keys.ROUNDS}{registration_id}:")
        rounds = await self._tables.between(keys.REFERRALS, partition, start, end, keys_only=True)
        for group in in_transactions(rounds):
            await self._tables.write(keys.REFERRALS, partition, [Discard(row.key) for row in group])
        row = await self._tables.get(keys.REVIEWS, QUEUE, _entry_key(registration_id))
        before = _INDEX.readable(row)
        if before is None or not before.removed:
            operations = _removal(record, registration_id, before, row)
            await self._tables.write(keys.REVIEWS, QUEUE, operations)

    async def reindex(self, record: ReferralKey, registration_id: RegistrationId) -> None:
        """Update index entry and queue row to the stored registration, even from a newer version (after a restore).

        Raises `StoreConflict` if it is indexed at the same time: repeat it then.
        """
        row = await self._tables.get(keys.REVIEWS, QUEUE, _entry_key(registration_id))
        registration = await self.get(
            record, registration_id
        )  # read after the row, so that a newer index entry conflicts
        before = _INDEX.readable(row)
        if registration is not None:
            await self._tables.write(keys.REVIEWS, QUEUE, _operations(registration, before, row))

    async def prune(self, set_aside: SetAside = log_set_aside) -> int:
        """Delete index entries without a registration, and queue rows without an index entry; return their number.

        Entries of deleted registrations stay.
        They only exist after tables were restored: a registration is stored before it is indexed, and both rows are
        written in one transaction. Reads the whole table. Rows that cannot be parsed stay, and `set_aside` is called
        for them: indexing the registration replaces them.
        """
        deleted = 0
        async for row in self._tables.scan_table(keys.REVIEWS):
            is_entry = row.key.startswith(_entry_key(""))
            is_needed = self._has_registration if is_entry else self._has_entry
            if not await is_needed(row, set_aside):
                await self._tables.discard(keys.REVIEWS, QUEUE, row.key)
                deleted += 1
        return deleted

    async def _has_registration(self, entry_row: StoredRow, set_aside: SetAside) -> bool:
        entry = _INDEX.readable(entry_row, set_aside)
        if entry is None or entry.removed:
            return True
        place = ReferralKey(organization_id=entry.organization_id, referral_id=entry.referral_id)
        return await self._row(place, entry_row.key.removeprefix(_entry_key(""))) is not None

    async def _has_entry(self, queued: StoredRow, set_aside: SetAside) -> bool:
        in_queue = QUEUE_ROWS.readable(queued, set_aside)
        if in_queue is None:
            return True
        entry_row = await self._tables.get(keys.REVIEWS, QUEUE, _entry_key(in_queue.registration.id))
        if entry_row is None:
            return False
        entry = _INDEX.readable(entry_row, set_aside)
        if entry and entry.queued != queued.key:
            return False
        return await self._row(stored_with(in_queue.registration), in_queue.registration.id) is not None

    async def _row(self, record: ReferralKey, registration_id: str) -> StoredRow | None:
        partition = keys.partition_of(record.organization_id)
        key = keys.registration(record.referral_id, RegistrationId(registration_id))
        return await self._tables.get(keys.REFERRALS, partition, key)

    async def is_indexed(self, registration: Registration) -> bool:
        """Whether index entry and queue row are of this version of a registration."""
        entry = await self.index_entry(registration.id)
        if entry is None or entry.version != registration.version or entry.queued != _queue_key(registration):
            return False
        if entry.queued is None:
            return True
        row = await self._tables.get(keys.REVIEWS, QUEUE, entry.queued)
        in_queue = QUEUE_ROWS.readable(row)
        return in_queue is not None and in_queue.registration == registration

    async def assign(self, registration: Registration, email: str | None, before: IndexEntry) -> None:
        """Assign a registration to a reviewer, or with None to nobody; `before` is the index entry as read.

        Raises `StoreConflict` if it is indexed at the same time, if a newer version is indexed, or if it has been
        assigned to another reviewer: read the registration and repeat it then.
        """
        row = await self._tables.get(keys.REVIEWS, QUEUE, _entry_key(registration.id))
        entry = _INDEX.readable(row)
        if (
            entry is None
            or entry.removed
            or entry.assigned_to != before.assigned_to
            or entry.version > registration.version
        ):
            raise StoreConflict("a newer version is indexed, or the assignment has changed")
        if entry.assigned_to != email:
            assigned = replace(entry, assigned_to=email)
            await self._tables.write(keys.REVIEWS, QUEUE, _operations(registration, assigned, row))

    def queue(self, statuses: Sequence[RegistrationStatus], after: str | None) -> Scan[Queued]:
        """A scan of the queue: registrations with one of these statuses, the longest waiting first."""
        prefixes = tuple(_queue_prefix(status) for status in statuses)
        return Scan(self._tables, QUEUE, prefixes, QUEUE_ROWS, after=after, table=keys.REVIEWS)


def stored_with(registration: Registration) -> ReferralKey:
    """The key that a registration is stored with: its deal's, or that of `without_deal` (G8)."""
    return registration.referral or without_deal(registration.organization_id)


def without_deal(organization_id: OrganizationId) -> ReferralKey:
    """The key that an organization's registrations without a deal are stored with (G8)."""
    return ReferralKey(organization_id=organization_id, referral_id=keys.NO_DEAL)


def _operations(
    registration: Registration, before: IndexEntry | None, row: StoredRow | None
) -> list[Operation]:
    place, queued = stored_with(registration), _queue_key(registration)
    assigned_to = before.assigned_to if before else None
    entry = IndexEntry(
        organization_id=place.organization_id,
        referral_id=place.referral_id,
        version=registration.version,
        queued=queued,
        assigned_to=assigned_to,
    )
    entry_row = _INDEX.row(_entry_key(registration.id), entry)
    operations: list[Operation] = [Replace(entry_row, row.etag) if row else Insert(entry_row)]
    if queued:
        in_queue = Queued(registration=registration, assigned_to=assigned_to)
        operations.append(Upsert(QUEUE_ROWS.row(queued, in_queue)))
    if before and before.queued and before.queued != queued:
        operations.append(Discard(before.queued))
    return operations


def _removal(
    record: ReferralKey, registration_id: RegistrationId, before: IndexEntry | None, row: StoredRow | None
) -> list[Operation]:
    entry = IndexEntry(
        organization_id=record.organization_id,
        referral_id=record.referral_id,
        version=before.version if before else 0,
        removed=True,
    )
    entry_row = _INDEX.row(_entry_key(registration_id), entry)
    operations: list[Operation] = [Replace(entry_row, row.etag) if row else Insert(entry_row)]
    if before and before.queued:
        operations.append(Discard(before.queued))
    return operations


def _queue_key(registration: Registration) -> str | None:
    """The key of the queue row, the longest waiting first; None for ISV Connect and drafts: nothing to review."""
    since = registration.submitted_at
    if registration.kind != "IpCoSell" or registration.status == "Draft" or since is None:
        return None
    return f"{_queue_prefix(registration.status)}{int(since.timestamp() * 1000):012x}:{registration.id}"


def _entry_key(registration_id: str) -> str:
    return f"r:{keys.safe(registration_id, beside=len('r:'))}"


def _queue_prefix(status: RegistrationStatus) -> str:
    return f"s:{status}:"
