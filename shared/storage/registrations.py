"""Registrations, and the reviewers' queue (rules G4, G5, G8).

A registration lies with its deal, or alone with its organization; every change of one with a deal goes through the
deal's own transaction. Table `reviews` says where each of a deal is, and holds the queue: both follow what is true
there.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.domain.ids import OrganizationId, ReferralId, RegistrationId
from shared.domain.referral import ReferralKey
from shared.domain.registration import Registration, ReviewRound
from shared.domain.vocabulary import RegistrationStatus
from shared.errors import StoreConflict, StoreUnavailable
from shared.storage import keys
from shared.storage.codec import Codec, SetAside, log_set_aside
from shared.storage.idempotency import RequestKey
from shared.storage.referral_lists import Scan
from shared.storage.registration_rows import REGISTRATIONS, ROUNDS, registration_operations
from shared.storage.tables import Discard, Insert, Operation, Replace, StoredRow, Tables, Upsert

logger = logging.getLogger(__name__)

QUEUE = "queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """Where a registration is, which version of it queue and look-up follow, and to which reviewer it was given.

    `queued` is the key of its row in the queue, None if it has none. `assigned_to` is Microsoft's own to know.
    """

    organization_id: OrganizationId
    referral_id: ReferralId
    version: int
    queued: str | None = None
    assigned_to: str | None = None

    @property
    def place(self) -> ReferralKey:
        """The deal that the registration is stored with."""
        return ReferralKey(organization_id=self.organization_id, referral_id=self.referral_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A registration as reviewers find it, and to whom of them it was given."""

    registration: Registration
    assigned_to: str | None = None


_INDEX, QUEUE_ROWS = Codec[IndexEntry](IndexEntry), Codec[Queued](Queued, limit=168 * 1024)


class Registrations:
    """The repository of registrations. Its methods raise as `Tables` does, and `RecordUnreadable`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, record: ReferralKey, registration_id: RegistrationId) -> Registration | None:
        """A registration of a deal; `party` is the deal's, or that of registrations without one."""
        row = await self._row(record, registration_id)
        return REGISTRATIONS.read(row) if row else None

    async def list_for_deal(self, record: ReferralKey) -> list[Registration]:
        """All registrations of a deal that can be read, oldest first."""
        partition = keys.partition_of(record.organization_id, record.referral_id)
        start, end = keys.starting_with(f"{keys.REGISTRATIONS}{record.referral_id}:")
        rows = await self._tables.between(keys.REFERRALS, partition, start, end)
        return REGISTRATIONS.each_readable(rows)

    async def rounds(self, registration: Registration) -> list[ReviewRound]:
        """All rounds of a registration as it was read, oldest first."""
        latest = registration.latest
        if latest is None or latest.number == 1:
            return [latest] if latest else []
        record = stored_with(registration)
        partition = keys.partition_of(record.organization_id, record.referral_id)
        first, end = (keys.review_round(registration.id, number) for number in (1, latest.number))
        rows = await self._tables.between(keys.REFERRALS, partition, first, end)
        return [*ROUNDS.each_readable(rows), latest]

    def scan_organization(self, organization_id: OrganizationId, after: str | None) -> Scan[Registration]:
        """A reading of all registrations of an organization, deal by deal, those of the earliest deals first."""
        partition = keys.partition_of(organization_id, ReferralId(""))
        return Scan(self._tables, partition, (keys.REGISTRATIONS,), REGISTRATIONS, after=after)

    async def insert_without_deal(self, registration: Registration, key: RequestKey | None) -> None:
        """Store a registration without a deal (G8). Raises `StoreConflict` if it, or one of its key, is there."""
        record, *rounds = registration_operations(keys.NO_DEAL, registration)
        operations: list[Operation] = [Insert(record.row), *rounds]
        if key:
            operations.append(key.operation())
        partition = keys.partition_of(registration.organization_id, keys.NO_DEAL)
        await self._tables.write(keys.REFERRALS, partition, operations)

    async def index_entry(self, registration_id: str) -> IndexEntry | None:
        """Where a registration is; what cannot be read is as not filed, and filing writes it anew."""
        return _INDEX.readable(await self._tables.get(keys.REVIEWS, QUEUE, _look_up(registration_id)))

    async def index(self, registration: Registration) -> None:
        """Let look-up and queue follow a registration; an older version changes nothing.

        Raises `StoreConflict` if another version is being filed at the same moment; to be repeated then.
        """
        key = _look_up(registration.id)
        row = await self._tables.get(keys.REVIEWS, QUEUE, key)
        before = _INDEX.readable(row)
        if before and before.version > registration.version:
            return
        await self._tables.write(keys.REVIEWS, QUEUE, _operations(registration, before, row))

    async def reindex(self, record: ReferralKey, registration_id: RegistrationId) -> None:
        """Let look-up and queue follow a registration as it lies there, whatever was filed: tables were restored.

        Raises `StoreConflict` if it is being filed at the same moment; to be repeated then.
        """
        row = await self._tables.get(keys.REVIEWS, QUEUE, _look_up(registration_id))
        registration = await self.get(
            record, registration_id
        )  # after the row: what is filed since, conflicts
        before = _INDEX.readable(row)
        if registration is not None:
            await self._tables.write(keys.REVIEWS, QUEUE, _operations(registration, before, row))

    async def prune(self, set_aside: SetAside = log_set_aside) -> int:
        """Forget look-ups whose registrations are not there, and places in the queue that no look-up names.

        Tables were restored then: a registration is there before it is filed, and both rows are written together.
        Reads the whole table; says how many rows were lost. What cannot be read stays, and `set_aside` is told of
        it: filing its registration again writes it anew.
        """
        lost = 0
        async for row in self._tables.scan_table(keys.REVIEWS):
            is_look_up = row.key.startswith(_look_up(""))
            is_needed = self._leads_somewhere if is_look_up else self._is_named
            if not await is_needed(row, set_aside):
                await self._tables.discard(keys.REVIEWS, QUEUE, row.key)
                lost += 1
        return lost

    async def _leads_somewhere(self, look_up: StoredRow, set_aside: SetAside) -> bool:
        entry = _INDEX.readable(look_up, set_aside)
        if entry is None:
            return True
        place = ReferralKey(organization_id=entry.organization_id, referral_id=entry.referral_id)
        return await self._row(place, look_up.key.removeprefix(_look_up(""))) is not None

    async def _is_named(self, queued: StoredRow, set_aside: SetAside) -> bool:
        shown = QUEUE_ROWS.readable(queued, set_aside)
        if shown is None:
            return True
        look_up = await self._tables.get(keys.REVIEWS, QUEUE, _look_up(shown.registration.id))
        if look_up is None:
            return False
        entry = _INDEX.readable(look_up, set_aside)
        if entry and entry.queued != queued.key:
            return False
        return await self._row(stored_with(shown.registration), shown.registration.id) is not None

    async def _row(self, record: ReferralKey, registration_id: str) -> StoredRow | None:
        partition = keys.partition_of(record.organization_id, record.referral_id)
        key = keys.registration(record.referral_id, RegistrationId(registration_id))
        return await self._tables.get(keys.REFERRALS, partition, key)

    async def is_indexed(self, registration: Registration) -> bool:
        """Whether look-up and queue are of this version of a registration."""
        entry = await self.index_entry(registration.id)
        if entry is None or entry.version != registration.version or entry.queued != _queue_key(registration):
            return False
        if entry.queued is None:
            return True
        row = await self._tables.get(keys.REVIEWS, QUEUE, entry.queued)
        shown = QUEUE_ROWS.readable(row)
        return shown is not None and shown.registration == registration

    async def assign(self, registration: Registration, email: str | None, before: IndexEntry) -> None:
        """Give a registration to a reviewer, or with None to nobody; `before` is how it was filed.

        Raises `StoreConflict` if it is being filed at the same moment, a newer version of it was, or it was given to
        somebody else; to be repeated with the registration as it is then.
        """
        row = await self._tables.get(keys.REVIEWS, QUEUE, _look_up(registration.id))
        entry = _INDEX.readable(row)
        if entry is None or entry.assigned_to != before.assigned_to or entry.version > registration.version:
            raise StoreConflict("the registration went on, or was given to somebody else")
        if entry.assigned_to != email:
            given = replace(entry, assigned_to=email)
            await self._tables.write(keys.REVIEWS, QUEUE, _operations(registration, given, row))

    async def index_or_defer(self, registration: Registration) -> None:
        """`file` at once; what storage refuses now, the orchestration does later."""
        try:
            await self.index(registration)
        except (StoreConflict, StoreUnavailable):
            logger.warning("filing_pending registration=%s: the orchestration will file it", registration.id)

    def queue(self, statuses: Sequence[RegistrationStatus], after: str | None) -> Scan[Queued]:
        """A reading of what was submitted for review and has one of these statuses, the longest waiting first."""
        prefixes = tuple(_queue(status) for status in statuses)
        return Scan(self._tables, QUEUE, prefixes, QUEUE_ROWS, after=after, table=keys.REVIEWS)


def stored_with(registration: Registration) -> ReferralKey:
    """The deal that a registration is stored with, or the place of those without a deal (G8)."""
    return registration.referral or without_deal(registration.organization_id)


def without_deal(organization_id: OrganizationId) -> ReferralKey:
    """Where an organization's registrations without a deal are stored (G8)."""
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
    look_up = _INDEX.row(_look_up(registration.id), entry)
    operations: list[Operation] = [Replace(look_up, row.etag) if row else Insert(look_up)]
    if queued:
        shown = Queued(registration=registration, assigned_to=assigned_to)
        operations.append(Upsert(QUEUE_ROWS.row(queued, shown)))
    if before and before.queued and before.queued != queued:
        operations.append(Discard(before.queued))
    return operations


def _queue_key(registration: Registration) -> str | None:
    """Where reviewers find it, whoever waits longest first; of ISV Connect and drafts there is nothing to review."""
    since = registration.submitted_at
    if registration.kind != "IpCoSell" or since is None:
        return None
    return f"{_queue(registration.status)}{int(since.timestamp() * 1000):012x}:{registration.id}"


def _look_up(registration_id: str) -> str:
    return f"r:{keys.safe(registration_id)}"


def _queue(status: RegistrationStatus) -> str:
    return f"s:{status}:"
