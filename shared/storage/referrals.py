"""An organization's referrals: documents, list rows, timeline, work, invitations, idempotency keys.

All rows of one referral share a partition, so one entity-group transaction holds a whole step.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Generic, TypeVar

from shared.domain.change import Change
from shared.domain.directory import Person
from shared.domain.ids import OrganizationId, ReferralId
from shared.domain.permissions import Reach
from shared.domain.referral import Party, Referral
from shared.domain.timeline import Entry
from shared.domain.work import Work
from shared.storage import keys
from shared.storage.codec import MAX_BYTES, Codec
from shared.storage.tables import Delete, Insert, Operation, Replace, Row, StoredRow, Tables, Upsert

T = TypeVar("T")
_ENTRIES, _WORK = Codec[Entry](Entry), Codec[Work](Work)
_AS_SENT = Codec[Referral](Referral)
_REFERRALS = Codec[Referral](Referral, limit=MAX_BYTES + 4096)
"""People's changes are held to the limit; what the clock or another party adds must never fail for its size."""


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A record as read, and the tag that writing it back needs."""

    value: T
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRecord:
    """A creation that was carried out under a key (C5): which body, when, and which referral it made."""

    organization_id: OrganizationId
    key_hash: str
    body_hash: str
    referral_id: ReferralId
    at: datetime


_KEYS = Codec[IdempotencyRecord](IdempotencyRecord)


class Referrals:
    """The repository of referrals. Its methods raise as `Tables` does."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, party: Party) -> Stored[Referral] | None:
        """A referral, or None if its organization has none of this id."""
        row = await self._get(party, keys.document(party.referral_id))
        return Stored(_REFERRALS.read(row), row.etag) if row else None

    async def commit(
        self,
        change: Change,
        read: Stored[Referral] | None,
        idempotency: IdempotencyRecord | None = None,
        replaced: Stored[IdempotencyRecord] | None = None,
    ) -> None:
        """Store one step whole: document, list rows, entry, work, invitations, idempotency key.

        `read` is what the step was decided on, None for a new referral; `replaced` an idempotency record that has
        expired. Raises `StoreConflict` when either changed meanwhile, `RecordTooLarge` before anything is sent.
        """
        after = change.after
        if change.entry.actor.name:
            _AS_SENT.values(after)
        operations: list[Operation] = [_document_operation(after, read), *_list_operations(change)]
        operations.append(Insert(_ENTRIES.row(keys.entry(after.id, change.entry.sequence), change.entry)))
        if change.work:
            operations.append(Insert(_work_row(change.work)))
        operations.extend(
            Insert(_REFERRALS.row(keys.invitation(after.id, invitation.id), invitation))
            for invitation in change.invitations
        )
        if idempotency:
            operations.append(_idempotency_operation(idempotency, replaced))
        await self._tables.write(keys.REFERRALS, _partition(after.party), operations)

    async def entry(self, party: Party, sequence: int) -> Entry | None:
        """One timeline entry."""
        row = await self._get(party, keys.entry(party.referral_id, sequence))
        return _ENTRIES.read(row) if row else None

    async def entries(self, party: Party, after: int = 0, limit: int | None = None) -> list[Entry]:
        """The timeline after a sequence, oldest first."""
        _, end = keys.children("t", party.referral_id)
        start = keys.entry(party.referral_id, after + 1)
        return [_ENTRIES.read(row) for row in await self._between(party, start, end, limit)]

    async def work(self, party: Party) -> list[Stored[Work]]:
        """All work of a referral, done or not, in order of label."""
        rows = await self._between(party, *keys.children("w", party.referral_id))
        return [Stored(_WORK.read(row), row.etag) for row in rows]

    async def work_row(self, party: Party, label: str) -> Stored[Work] | None:
        """One row of work."""
        row = await self._get(party, keys.work(party.referral_id, label))
        return Stored(_WORK.read(row), row.etag) if row else None

    async def insert_work(self, party: Party, work: Work) -> None:
        """Open work that no entry caused (a reminder). Raises `StoreConflict` if it exists."""
        await self._tables.write(keys.REFERRALS, _partition(party), [Insert(_work_row(work))])

    async def save_work(self, party: Party, work: Work, etag: str) -> None:
        """Keep how far work is. Raises `StoreConflict` if somebody else did meanwhile."""
        await self._tables.write(keys.REFERRALS, _partition(party), [Replace(_work_row(work), etag)])

    async def invitations(self, party: Party) -> list[Referral]:
        """The referrals that a deal's creator invited, as they were decided, oldest first."""
        rows = await self._between(party, *keys.children("i", party.referral_id))
        return [_REFERRALS.read(row) for row in rows]

    async def idempotency(
        self, organization_id: OrganizationId, key_hash: str
    ) -> Stored[IdempotencyRecord] | None:
        """What was carried out under an idempotency key."""
        partition = keys.partition_of(organization_id, ReferralId(key_hash))
        row = await self._tables.get(keys.REFERRALS, partition, keys.idempotency(key_hash))
        return Stored(_KEYS.read(row), row.etag) if row else None

    async def newest(
        self,
        organization_id: OrganizationId,
        person: Person,
        reach: Reach,
        *,
        after: ReferralId | None,
        limit: int,
    ) -> list[Referral]:
        """A caller's referrals, newest first, at most `limit`, older than `after` (V4, N4).

        A global reader's are one range; a scoped reader's the merge of its locations; a team member's those that
        name it, filtered by location.
        """
        if reach.everything:
            return await self._page(organization_id, "n:", after, limit)
        pages = [
            self._page(organization_id, keys.location_prefix(place), after, limit)
            for place in reach.locations
        ]
        if reach.team_locations:
            pages.append(self._member_page(organization_id, person, reach, after, limit))
        newest_first = merge(*await asyncio.gather(*pages), key=lambda referral: referral.id, reverse=True)
        distinct = {referral.id: referral for referral in newest_first}
        return list(islice(distinct.values(), limit))

    async def everyone(self) -> AsyncIterator[Referral]:
        """Every referral of every organization; for an operator's check, since it reads the whole table."""
        async for row in self._tables.everything(keys.REFERRALS):
            if row.key.startswith(keys.document(ReferralId(""))):
                yield _REFERRALS.read(row)

    async def _member_page(
        self,
        organization_id: OrganizationId,
        person: Person,
        reach: Reach,
        after: ReferralId | None,
        limit: int,
    ) -> list[Referral]:
        """Pages of a member's rows until enough of them are in its locations."""
        found: list[Referral] = []
        while len(found) < limit:
            page = await self._page(organization_id, keys.member_prefix(person.email), after, limit)
            found += [referral for referral in page if referral.location in reach.team_locations]
            if len(page) < limit:
                break
            after = page[-1].id
        return found[:limit]

    async def _page(
        self, organization_id: OrganizationId, prefix: str, after: ReferralId | None, limit: int
    ) -> list[Referral]:
        start, end = keys.starting_with(prefix)
        if after:
            start = keys.next_after(prefix, after)
        partition = keys.partition_of(organization_id, ReferralId(""))
        rows = await self._tables.between(keys.REFERRALS, partition, start, end, limit)
        return [_REFERRALS.read(row) for row in rows]

    async def _get(self, party: Party, key: str) -> StoredRow | None:
        return await self._tables.get(keys.REFERRALS, _partition(party), key)

    async def _between(
        self, party: Party, start: str, end: str, limit: int | None = None
    ) -> Sequence[StoredRow]:
        return await self._tables.between(keys.REFERRALS, _partition(party), start, end, limit)


def _partition(party: Party) -> str:
    return keys.partition_of(party.organization_id, party.referral_id)


def _document_operation(after: Referral, read: Stored[Referral] | None) -> Operation:
    row = _REFERRALS.row(keys.document(after.id), after)
    return Replace(row, read.etag) if read else Insert(row)


def _list_operations(change: Change) -> list[Operation]:
    """The list rows of the record as it is now, and the removal of those that it had before and has no more."""
    values = _REFERRALS.values(change.after)
    wanted = _list_keys(change.after)
    stale = _list_keys(change.before) - wanted if change.before else set[str]()
    return [
        *(Upsert(Row(key, values)) for key in sorted(wanted)),
        *(Delete(key) for key in sorted(stale)),
    ]


def _list_keys(referral: Referral) -> set[str]:
    found = {keys.newest(referral.id)}
    if referral.location:
        found.add(keys.of_location(referral.location, referral.id))
    return found | {keys.of_member(contact.email, referral.id) for contact in referral.team}


def _work_row(work: Work) -> Row:
    return _WORK.row(keys.work(work.referral_id, work.label), work)


def _idempotency_operation(
    record: IdempotencyRecord, replaced: Stored[IdempotencyRecord] | None
) -> Operation:
    row = _KEYS.row(keys.idempotency(record.key_hash), record)
    return Replace(row, replaced.etag) if replaced else Insert(row)
