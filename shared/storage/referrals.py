"""An organization's referrals: documents, list rows, timeline, work, invitations, idempotency keys.

All rows of one referral share a partition, so one entity-group transaction holds a whole step.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from json import dumps
from typing import TypeVar

from shared.domain.change import Change
from shared.domain.directory import Person
from shared.domain.eligibility import registrable
from shared.domain.ids import OperationId, OrganizationId, ReferralId, reverted
from shared.domain.referral import Referral, ReferralKey
from shared.domain.response_speed import minutes_to_answer
from shared.domain.timeline import Entry
from shared.domain.vocabulary import MICROSOFT
from shared.domain.work import Work
from shared.errors import RecordTooLarge
from shared.storage import keys
from shared.storage.codec import MAX_BYTES, Codec, SetAside, Stored, log_set_aside
from shared.storage.idempotency import RequestKey
from shared.storage.referral_lists import REFERRALS, Scan, list_keys
from shared.storage.registration_rows import registration_operations
from shared.storage.sizes import MAX_TRANSACTION_BYTES, wire_size
from shared.storage.tables import Discard, Insert, Operation, Replace, Row, StoredRow, Tables, Upsert

T = TypeVar("T")
_ENTRIES, WORK = Codec[Entry](Entry), Codec[Work](Work)
_ANSWERS = Codec[int](int)
_AS_SENT, _AS_INVITED = Codec[Referral](Referral), Codec[Referral](Referral, limit=MAX_BYTES - 4096)
"""What people may send, and what of it an invitation may take: its reader's answer must find room in it."""
_ROOM, _ROOM_IN_ROW, _ROOM_IN_INVITED, _ROOM_IN_REGISTERED = 384 * 1024, 1024, 64, 256
"""Bytes on the wire that people leave free in a transaction, for what comes to a record without them, or when they
cannot shorten it any more: an entry, a registration with what reviewers say of it, and in every row that holds the
record how it ended, what was heard of each party, and what is registered."""


_PARTIES = Codec[ReferralKey](ReferralKey)


class Referrals:
    """The repository of referrals. Its methods raise as `Tables` does, and `RecordUnreadable`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, record: ReferralKey) -> Stored[Referral] | None:
        """A referral, or None if its organization has none of this id."""
        row = await self._get(record, keys.document(record.referral_id))
        return Stored(REFERRALS.read(row), row.etag) if row else None

    async def commit(
        self,
        change: Change,
        read: Stored[Referral] | None,
        key: RequestKey | None = None,
    ) -> None:
        """Store one step whole: document, list rows, entry, work, invitations, idempotency key.

        `read` is what the step was decided on, None for a new referral. Raises `StoreConflict` when it, or what lies
        under the key, changed meanwhile, `RecordTooLarge` before anything is sent.

        Only people's steps are held to limits of size, and these leave room for those of the clock and of other
        parties, which must never fail for it, and for registrations, which come when the deal is closed.
        """
        after = change.after
        operations: list[Operation] = [_document_operation(after, read), *_list_operations(change)]
        operations.extend(
            Insert(_ENTRIES.row(keys.entry(after.id, entry.sequence), entry)) for entry in change.entries
        )
        if change.work:
            operations.append(Insert(_work_row(change.work)))
        if (minutes := minutes_to_answer(change)) is not None:
            operations.append(Upsert(_ANSWERS.row(keys.answer(after.id), minutes)))
        operations.extend(
            Insert(REFERRALS.row(keys.invitation(after.id, invitation.id), invitation))
            for invitation in change.invitations
        )
        for registration in change.registrations:
            operations.extend(registration_operations(after.id, registration))
        if key:
            operations.append(key.operation())
        if change.entry.actor.name and not change.registrations:
            _require_room(change, operations)
        await self._tables.write(keys.REFERRALS, _partition(after.key), operations)

    async def entry(self, record: ReferralKey, sequence: int) -> Entry | None:
        """One timeline entry; one that cannot be read is as one that is not there."""
        return _ENTRIES.readable(await self._get(record, keys.entry(record.referral_id, sequence)))

    async def entries(self, record: ReferralKey, after: int = 0, limit: int | None = None) -> list[Entry]:
        """The timeline after a sequence, oldest first, without entries that cannot be read."""
        _, end = keys.children("t", record.referral_id)
        start = keys.entry(record.referral_id, after + 1)
        return _ENTRIES.each_readable(await self._between(record, start, end, limit))

    async def work(self, record: ReferralKey) -> list[Stored[Work]]:
        """All work of a referral, done or not, in order of label; what cannot be read counts as done."""
        rows = await self._between(record, *keys.children("w", record.referral_id))
        return [_stored_work(row, record) for row in rows]

    async def get_work(self, record: ReferralKey, label: str) -> Stored[Work] | None:
        """One row of work; what cannot be read counts as done."""
        row = await self._get(record, keys.work(record.referral_id, label))
        return _stored_work(row, record) if row else None

    async def insert_work(self, record: ReferralKey, work: Work) -> None:
        """Open work that no entry caused (a reminder). Raises `StoreConflict` if it exists."""
        await self._tables.write(keys.REFERRALS, _partition(record), [Insert(_work_row(work))])

    async def save_work(self, record: ReferralKey, work: Work, etag: str) -> None:
        """Keep how far work is. Raises `StoreConflict` if somebody else did meanwhile."""
        await self._tables.write(keys.REFERRALS, _partition(record), [Replace(_work_row(work), etag)])

    async def invitations(self, record: ReferralKey) -> list[Referral]:
        """The referrals that a deal's creator invited, as they were decided, oldest first.

        Those that cannot be read are left out.
        """
        return REFERRALS.each_readable(await self._between(record, *keys.children("i", record.referral_id)))

    def scan(
        self,
        organization_id: OrganizationId,
        prefixes: tuple[str, ...],
        *,
        after: str | None = None,
        first: str | None = None,
        keys_only: bool = False,
    ) -> Scan[Referral]:
        """A reading of list ranges as one list; `after` and `first` are places of rows."""
        partition = keys.partition_of(organization_id, ReferralId(""))
        return Scan(
            self._tables, partition, prefixes, REFERRALS, after=after, first=first, keys_only=keys_only
        )

    async def several(self, parties: Iterable[ReferralKey]) -> list[Referral]:
        """Those of these referrals that exist and can be read, read at once, in the order asked."""
        rows = await asyncio.gather(
            *(self._get(record, keys.document(record.referral_id)) for record in parties)
        )
        return REFERRALS.each_readable(row for row in rows if row)

    async def answers(self, organization_id: OrganizationId, limit: int) -> list[int]:
        """In how many minutes an organization answered what it received, of the latest that it did (P4)."""
        partition = keys.partition_of(organization_id, ReferralId(""))
        start, end = keys.starting_with(keys.ANSWERS)
        rows = await self._tables.between(keys.REFERRALS, partition, start, end, limit)
        return _ANSWERS.each_readable(rows)

    async def favorites(self, person: Person) -> frozenset[ReferralId]:
        """The referrals that a person marked (N2)."""
        prefix = keys.favorite_prefix(person.id)
        partition = keys.partition_of(person.organization_id, ReferralId(""))
        rows = await self._tables.between(
            keys.REFERRALS, partition, *keys.starting_with(prefix), keys_only=True
        )
        return frozenset(ReferralId(reverted(row.key[len(prefix) :])) for row in rows)

    async def is_favorite(self, person: Person, record: ReferralKey) -> bool:
        """Whether a person marked a referral."""
        return await self._get(record, keys.favorite(person.id, record.referral_id)) is not None

    async def mark_favorite(self, person: Person, record: ReferralKey) -> None:
        """Mark a referral for a person; twice is the same as once."""
        row = Row(keys.favorite(person.id, record.referral_id), {})
        await self._tables.write(keys.REFERRALS, _partition(record), [Upsert(row)])

    async def unmark_favorite(self, person: Person, record: ReferralKey) -> None:
        """Remove a person's mark, if there is one."""
        key = keys.favorite(person.id, record.referral_id)
        await self._tables.discard(keys.REFERRALS, _partition(record), key)

    async def add_partner_led(self, deal: ReferralKey) -> None:
        """List a deal as partner-led for Microsoft's sellers (V3); its details stay where they are."""
        row = _PARTIES.row(keys.partner_led(deal.referral_id), deal)
        await self._tables.write(keys.REFERRALS, _sellers(), [Upsert(row)])

    async def remove_partner_led(self, deal: ReferralKey) -> None:
        """List a deal as partner-led no longer."""
        await self._tables.discard(keys.REFERRALS, _sellers(), keys.partner_led(deal.referral_id))

    async def list_partner_led(self, after: str | None, limit: int) -> list[tuple[str, ReferralKey | None]]:
        """The deals that are listed as partner-led, newest first, each with its place; None cannot be read."""
        start, end = keys.starting_with(keys.PARTNER_LED)
        if after:
            start = keys.after(f"{keys.PARTNER_LED}{after}")
        rows = await self._tables.between(keys.REFERRALS, _sellers(), start, end, limit)
        return [(row.key[len(keys.PARTNER_LED) :], _PARTIES.readable(row)) for row in rows]

    async def scan_all(self, set_aside: SetAside = log_set_aside) -> AsyncIterator[Referral]:
        """Every referral of every organization; for an operator's check, since it reads the whole table.

        `set_aside` is told of each that cannot be read.
        """
        async for row in self._tables.scan_table(keys.REFERRALS):
            is_document = row.key.startswith(keys.document(ReferralId("")))
            if is_document and (referral := REFERRALS.readable(row, set_aside)):
                yield referral

    async def _get(self, record: ReferralKey, key: str) -> StoredRow | None:
        return await self._tables.get(keys.REFERRALS, _partition(record), key)

    async def _between(
        self, record: ReferralKey, start: str, end: str, limit: int | None = None
    ) -> Sequence[StoredRow]:
        return await self._tables.between(keys.REFERRALS, _partition(record), start, end, limit)


def _partition(record: ReferralKey) -> str:
    return keys.partition_of(record.organization_id, record.referral_id)


def _require_room(change: Change, operations: Sequence[Operation]) -> None:
    """Refuse a step of somebody's that takes more than people may take of a record, or of a transaction."""
    after = change.after
    _AS_SENT.values(after)
    for invitation in change.invitations:
        _AS_INVITED.values(invitation)
    registered = sum(2 * (_ROOM_IN_REGISTERED + len(dumps(s.id))) for s in registrable(after))
    room = _ROOM + len(operations) * (_ROOM_IN_ROW + _ROOM_IN_INVITED * len(after.invited) + registered)
    size = wire_size(_partition(after.key), operations)
    if size > MAX_TRANSACTION_BYTES - room:
        raise RecordTooLarge(size, MAX_TRANSACTION_BYTES - room)


def require_lead_sizes(partition: str, leads: Iterable[Referral], operations: Sequence[Operation]) -> None:
    """Refuse a request whose leads leave their readers no room to answer, or that takes more than a transaction.

    Raises `RecordTooLarge`, before anything is sent.
    """
    for lead in leads:
        _AS_INVITED.values(lead)
    if (size := wire_size(partition, operations)) > MAX_TRANSACTION_BYTES:
        raise RecordTooLarge(size, MAX_TRANSACTION_BYTES)


def _document_operation(after: Referral, read: Stored[Referral] | None) -> Operation:
    row = REFERRALS.row(keys.document(after.id), after)
    return Replace(row, read.etag) if read else Insert(row)


def _list_operations(change: Change) -> list[Operation]:
    """The list rows of the record as it is now, and the removal of those that it had before and has no more.

    A step that nobody sees in the record itself (an entry about somebody else) leaves them as they are.
    """
    before, after = change.before, change.after
    if before and replace(before, sequence=after.sequence) == after:
        return []
    values = REFERRALS.values(after)
    wanted = list_keys(after)
    stale = list_keys(before) - wanted if before else set[str]()
    return [
        *(Upsert(Row(key, values)) for key in sorted(wanted)),
        *(Discard(key) for key in sorted(stale)),
    ]


def _sellers() -> str:
    return keys.partition_of(OrganizationId(MICROSOFT), ReferralId(""))


def _stored_work(row: StoredRow, record: ReferralKey) -> Stored[Work]:
    """A row of work; of one that cannot be read the label, so that nobody opens it again, and nothing to do.

    To fail over it would keep all else from the record: its expiry, and what other rows want done.
    """
    label = row.key.removeprefix(keys.work(record.referral_id, ""))
    unknown = Work(referral_id=record.referral_id, label=label, operation_id=OperationId(""), tasks=())
    return Stored(WORK.readable(row) or unknown, row.etag)


def _work_row(work: Work) -> Row:
    return WORK.row(keys.work(work.referral_id, work.label), work)
