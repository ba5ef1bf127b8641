"""An organization's referrals: documents, list rows, timeline, work, invitations, idempotency keys.

All rows of a referral share a partition, so one entity-group transaction can store a whole change.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from json import dumps
from typing import TypeVar

from shared.domain.change import Change
from shared.domain.directory import Member
from shared.domain.eligibility import registrable
from shared.domain.ids import OperationId, OrganizationId, ReferralId, reverted
from shared.domain.referral import Referral, ReferralKey
from shared.domain.response_speed import minutes_to_answer
from shared.domain.timeline import Entry
from shared.domain.vocabulary import MICROSOFT
from shared.domain.work import Work
from shared.errors import Contended, RecordTooLarge, StoreConflict
from shared.storage import keys
from shared.storage.codec import MAX_BYTES, Codec, SetAside, Stored, log_set_aside
from shared.storage.idempotency import RequestKey
from shared.storage.referral_lists import (
    MAX_PAGE_ROWS,
    MAX_PAGES,
    REFERRALS,
    Scan,
    list_keys,
    word_keys,
)
from shared.storage.registration_rows import registration_operations
from shared.storage.sizes import MAX_TRANSACTION_BYTES, wire_size
from shared.storage.tables import (
    MAX_TRANSACTION_OPERATIONS,
    Discard,
    Insert,
    Operation,
    Replace,
    Row,
    StoredRow,
    Tables,
    Upsert,
    in_transactions,
)

T = TypeVar("T")
_ENTRIES, WORK = Codec[Entry](Entry), Codec[Work](Work)
_NUMBERS = Codec[int](int)
_MARK_ATTEMPTS = 5
_ROOM_FOR_ROWS = MAX_TRANSACTION_OPERATIONS - 5 - 6
"""Rows of a transaction, without the five that are kept free, and those that a step has once: the document, its work,
what it counts, its answer, its idempotency key, and one more."""
_LIMITED_FOR_PEOPLE, _INVITATIONS = (
    Codec[Referral](Referral),
    Codec[Referral](Referral, limit=MAX_BYTES - 4096),
)
"""The limits for changes by people: of a record, and of an invitation, which must leave room for the answer."""
_ROOM, _ROOM_PER_ROW, _ROOM_PER_INVITATION, _ROOM_PER_REGISTRATION = 384 * 1024, 1024, 64, 256
"""Bytes of a transaction that changes by people must leave free, for later changes that people cannot make smaller:
an entry, and a registration with its review; and in every row that repeats the record, how it was closed, the state
of each invited party, and each registration."""


_PARTIES = Codec[ReferralKey](ReferralKey)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The new ETags of a committed change: of the record, and of its work. None if storage did not say them."""

    record: str | None
    work: str | None


class Referrals:
    """The repository of referrals. Its methods raise as `Tables` does, and `RecordUnreadable`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, record: ReferralKey) -> Stored[Referral] | None:
        """A referral, or None."""
        row = await self._get(record, keys.document(record.referral_id))
        return Stored(REFERRALS.read(row), row.etag) if row else None

    async def commit(
        self,
        change: Change,
        read: Stored[Referral] | None,
        key: RequestKey | None = None,
    ) -> Written:
        """Store a change in one transaction: document, list rows, entries, work, invitations, idempotency key.

        Invitations are counted by a row of their own for the organization's quota.

        `read` is the record that the change is based on, None for a new referral. Raises `StoreConflict` if it, or
        the record of the idempotency key, has changed since; `RecordTooLarge` before anything is sent.

        Only changes by people are limited in size. The limits leave room for changes by the system and by other
        parties, which must never fail for their size, and for registrations, which follow after the deal is closed.
        """
        after = change.after
        operations: list[Operation] = [_document_operation(after, read)]
        if change.work:
            operations.append(Insert(_work_row(change.work)))
        operations.extend(_list_operations(change))
        operations.extend(
            Insert(_ENTRIES.row(keys.entry(after.id, entry.sequence), entry)) for entry in change.entries
        )
        if (minutes := minutes_to_answer(change)) is not None:
            operations.append(Upsert(_NUMBERS.row(keys.answer(after.id), minutes)))
        operations.extend(
            Insert(REFERRALS.row(keys.invitation(after.id, invitation.id), invitation))
            for invitation in change.invitations
        )
        if change.invitations:
            operations.append(Insert(_inviting_row(change)))
        for registration in change.registrations:
            operations.extend(registration_operations(after.id, registration))
        operations.extend(Discard(keys.registration(after.id, each)) for each in change.deleted_registrations)
        if key:
            operations.append(key.operation())
        if words_fit(change):
            operations.extend(_word_operations(change))
        if change.entry.actor.name and not (change.registrations or change.deleted_registrations):
            _require_size(change, operations)
        etags = await self._tables.write(keys.REFERRALS, _partition(after.key), operations)
        return Written(record=etags[0], work=etags[1] if change.work else None)

    async def index_words(self, referral: Referral, earlier: Iterable[str]) -> None:
        """Write the rows by which a referral is found, and delete those of words that it lacks now; idempotent."""
        current = word_keys(referral)
        stale = {keys.of_word(word, referral.id) for word in earlier} - current
        operations: list[Operation] = [
            *(Upsert(Row(key, {})) for key in sorted(current)),
            *(Discard(key) for key in sorted(stale)),
        ]
        for group in in_transactions(operations):
            await self._tables.write(keys.REFERRALS, _partition(referral.key), group)

    async def found_by(self, organization_id: OrganizationId, start: str) -> list[ReferralId] | None:
        """The referrals with a word that starts so, newest first; None if they are too many for one request (N4).

        By their keys alone: a row can be left of a word that the referral had before.
        """
        first, end = keys.starting_with(keys.words_starting_with(start))
        most = MAX_PAGES * MAX_PAGE_ROWS
        rows = await self._tables.between(
            keys.REFERRALS, keys.partition_of(organization_id), first, end, most + 1, keys_only=True
        )
        if len(rows) > most:
            return None
        return sorted({keys.referral_of_word(row.key) for row in rows}, reverse=True)

    async def touch(self, read: Stored[Referral], after: Referral) -> str | None:
        """Store a record that moved in the order of updates; returns its new ETag if storage says it.

        Raises `StoreConflict` if it has changed since.
        """
        change = Change(before=read.value, after=after, entries=())
        operations = [_document_operation(after, read), *_list_operations(change)]
        etags = await self._tables.write(keys.REFERRALS, _partition(after.key), operations)
        return etags[0]

    async def entry(self, record: ReferralKey, sequence: int) -> Entry | None:
        """One timeline entry; None if it does not exist or cannot be parsed."""
        return _ENTRIES.readable(await self._get(record, keys.entry(record.referral_id, sequence)))

    async def entries(self, record: ReferralKey, after: int = 0, limit: int | None = None) -> list[Entry]:
        """The timeline after a sequence, oldest first, without entries that cannot be parsed."""
        _, end = keys.children("t", record.referral_id)
        start = keys.entry(record.referral_id, after + 1)
        return _ENTRIES.each_readable(await self._between(record, start, end, limit))

    async def work(self, record: ReferralKey) -> list[Stored[Work]]:
        """All work of a referral, done or not, by label; rows that cannot be parsed count as done."""
        rows = await self._between(record, *keys.children("w", record.referral_id))
        return [_stored_work(row, record) for row in rows]

    async def get_work(self, record: ReferralKey, label: str) -> Stored[Work] | None:
        """One row of work, or None; a row that cannot be parsed counts as done."""
        row = await self._get(record, keys.work(record.referral_id, label))
        return _stored_work(row, record) if row else None

    async def insert_work(self, record: ReferralKey, work: Work) -> str | None:
        """Insert work without an entry (a reminder or an escalation), and return its ETag if storage says it.

        Raises `StoreConflict` if it exists.
        """
        (etag,) = await self._tables.write(keys.REFERRALS, _partition(record), [Insert(_work_row(work))])
        return etag

    async def save_work(self, record: ReferralKey, work: Work, etag: str) -> str | None:
        """Update work, and return its new ETag if storage says it. Raises `StoreConflict` if it has changed."""
        replaced = Replace(_work_row(work), etag)
        (new,) = await self._tables.write(keys.REFERRALS, _partition(record), [replaced])
        return new

    async def invitations(self, record: ReferralKey) -> list[Referral]:
        """The invitations of a deal's creator as they were sent, oldest first.

        Rows that cannot be parsed are skipped.
        """
        return REFERRALS.each_readable(await self._between(record, *keys.children("i", record.referral_id)))

    def scan(
        self,
        organization_id: OrganizationId,
        prefixes: tuple[str, ...],
        *,
        after: str | None = None,
        first: str | None = None,
    ) -> Scan[Referral]:
        """A scan of list ranges as one list; `after` and `first` are places, see `Scan`."""
        partition = keys.partition_of(organization_id)
        return Scan(self._tables, partition, prefixes, REFERRALS, after=after, first=first)

    async def get_many(self, referral_keys: Iterable[ReferralKey]) -> list[Referral]:
        """The referrals with these keys that exist and can be parsed, in the order of the keys; read concurrently."""
        rows = await asyncio.gather(
            *(self._get(record, keys.document(record.referral_id)) for record in referral_keys)
        )
        return REFERRALS.each_readable(row for row in rows if row)

    async def answers(self, organization_id: OrganizationId, limit: int) -> list[int]:
        """The response times in minutes of an organization's latest answers, newest referral first (P4)."""
        partition = keys.partition_of(organization_id)
        start, end = keys.starting_with(keys.ANSWERS)
        rows = await self._tables.between(keys.REFERRALS, partition, start, end, limit)
        return _NUMBERS.each_readable(rows)

    async def favorites(self, member: Member) -> frozenset[ReferralId]:
        """The ids of a member's favorites (N2)."""
        prefix = keys.favorite_prefix(member.id)
        partition = keys.partition_of(member.organization_id)
        rows = await self._tables.between(
            keys.REFERRALS, partition, *keys.starting_with(prefix), keys_only=True
        )
        return frozenset(ReferralId(reverted(row.key[len(prefix) :])) for row in rows)

    async def is_favorite(self, member: Member, record: ReferralKey) -> bool:
        """Whether a referral is a favorite of a member."""
        return await self._get(record, keys.favorite(member.id, record.referral_id)) is not None

    async def mark_favorite(self, member: Member, record: ReferralKey) -> None:
        """Mark a referral as a favorite of a member; idempotent."""
        row = Row(keys.favorite(member.id, record.referral_id), {})
        await self._tables.write(keys.REFERRALS, _partition(record), [Upsert(row)])

    async def unmark_favorite(self, member: Member, record: ReferralKey) -> None:
        """Remove a favorite of a member, if it exists."""
        key = keys.favorite(member.id, record.referral_id)
        await self._tables.discard(keys.REFERRALS, _partition(record), key)

    async def read_marks(self, member: Member) -> dict[ReferralId, int]:
        """Up to which message a member has read each conversation, by the member's own referral (N8)."""
        prefix = keys.read_mark_prefix(member.id)
        partition = keys.partition_of(member.organization_id)
        rows = await self._tables.between(keys.REFERRALS, partition, *keys.starting_with(prefix))
        marks = {ReferralId(reverted(row.key[len(prefix) :])): _NUMBERS.readable(row) for row in rows}
        return {referral_id: sequence for referral_id, sequence in marks.items() if sequence is not None}

    async def read_mark(self, member: Member, record: ReferralKey) -> int:
        """Up to which message a member has read the conversation of a deal; 0 without any."""
        row = await self._get(record, keys.read_mark(member.id, record.referral_id))
        return _NUMBERS.readable(row) or 0

    async def mark_read(self, member: Member, record: ReferralKey, sequence: int) -> None:
        """Store that a member has read up to a message, unless it has read more. Raises `Contended`."""
        key = keys.read_mark(member.id, record.referral_id)
        for _ in range(_MARK_ATTEMPTS):
            before = await self._get(record, key)
            if (_NUMBERS.readable(before) or 0) >= sequence:
                return
            row = _NUMBERS.row(key, sequence)
            operation: Operation = Replace(row, before.etag) if before else Insert(row)
            try:
                await self._tables.write(keys.REFERRALS, _partition(record), [operation])
            except StoreConflict:
                continue
            return
        raise Contended("What you have read was marked several times at once: repeat the request.")

    async def add_partner_led(self, deal: ReferralKey) -> None:
        """List a deal as partner-led for Microsoft's sellers (V3); the row only has its key."""
        row = _PARTIES.row(keys.partner_led(deal.referral_id), deal)
        await self._tables.write(keys.REFERRALS, _sellers(), [Upsert(row)])

    async def remove_partner_led(self, deal: ReferralKey) -> None:
        """Remove a deal from the list of partner-led deals, if it is there."""
        await self._tables.discard(keys.REFERRALS, _sellers(), keys.partner_led(deal.referral_id))

    async def list_partner_led(self, after: str | None, limit: int) -> list[tuple[str, ReferralKey | None]]:
        """The place and key of the listed partner-led deals, newest first; the key is None if it cannot be parsed."""
        start, end = keys.starting_with(keys.PARTNER_LED)
        if after:
            start = keys.after(f"{keys.PARTNER_LED}{after}")
        rows = await self._tables.between(keys.REFERRALS, _sellers(), start, end, limit)
        return [(row.key[len(keys.PARTNER_LED) :], _PARTIES.readable(row)) for row in rows]

    async def scan_all(self, set_aside: SetAside = log_set_aside) -> AsyncIterator[Referral]:
        """All referrals of all organizations, for operator tools: reads the whole table.

        `set_aside` is called for each row that cannot be parsed.
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
    return keys.partition_of(record.organization_id)


def _require_size(change: Change, operations: Sequence[Operation]) -> None:
    """Raise `RecordTooLarge` if a change by a person exceeds the limits of a record or of a transaction."""
    after = change.after
    _LIMITED_FOR_PEOPLE.values(after)
    for invitation in change.invitations:
        _INVITATIONS.values(invitation)
    registrations = sum(2 * (_ROOM_PER_REGISTRATION + len(dumps(s.id))) for s in registrable(after))
    room = _ROOM + len(operations) * (
        _ROOM_PER_ROW + _ROOM_PER_INVITATION * len(after.invited) + registrations
    )
    size = wire_size(_partition(after.key), operations)
    if size > MAX_TRANSACTION_BYTES - room:
        raise RecordTooLarge(size, MAX_TRANSACTION_BYTES - room)


def require_lead_sizes(partition: str, leads: Iterable[Referral], operations: Sequence[Operation]) -> None:
    """Raise `RecordTooLarge` if a lead leaves no room for its answer, or the operations exceed a transaction."""
    for lead in leads:
        _INVITATIONS.values(lead)
    if (size := wire_size(partition, operations)) > MAX_TRANSACTION_BYTES:
        raise RecordTooLarge(size, MAX_TRANSACTION_BYTES)


def _document_operation(after: Referral, read: Stored[Referral] | None) -> Operation:
    row = REFERRALS.row(keys.document(after.id), after)
    return Replace(row, read.etag) if read else Insert(row)


def _list_operations(change: Change) -> list[Operation]:
    """Write the list rows of the new record, and delete those that only the old record has.

    A change that only adds entries (about another party or a mail) leaves the list rows as they are.
    """
    before, after = change.before, change.after
    if before and replace(before, sequence=after.sequence) == after:
        return []
    values = REFERRALS.values(after)
    current = list_keys(after)
    stale = list_keys(before) - current if before else set[str]()
    return [
        *(Upsert(Row(key, values)) for key in sorted(current)),
        *(Discard(key) for key in sorted(stale)),
    ]


def words_fit(change: Change) -> bool:
    """Whether a step's transaction has room for its search rows besides all others, of which it keeps five free.

    If not, they are written by work of the step (N4).
    """
    current = list_keys(change.after)
    lists = len(current | (list_keys(change.before) if change.before else set()))
    others = len(change.entries) + len(change.invitations) + 4 * len(change.registrations)
    return lists + others + len(_word_operations(change)) <= _ROOM_FOR_ROWS


def _word_operations(change: Change) -> list[Operation]:
    """Write the search rows of new words, and delete those of words that the record lost."""
    current = word_keys(change.after)
    before = word_keys(change.before) if change.before else set[str]()
    return [
        *(Upsert(Row(key, {})) for key in sorted(current - before)),
        *(Discard(key) for key in sorted(before - current)),
    ]


def _inviting_row(change: Change) -> Row:
    """The row that counts the invitations of a step for the organization's quota (U1); it has only its key."""
    entry, number = change.entry, len(change.invitations)
    return Row(keys.inviting_step(entry.at, change.after.id, entry.sequence, number), {})


def _sellers() -> str:
    return keys.partition_of(OrganizationId(MICROSOFT))


def _stored_work(row: StoredRow, record: ReferralKey) -> Stored[Work]:
    """Parse a row of work. If that fails, keep its label, so that it is not opened again, without any task.

    An error instead would block everything else about the record: its expiry and the work of other rows.
    """
    label = row.key.removeprefix(keys.work(record.referral_id, ""))
    unknown = Work(referral_id=record.referral_id, label=label, operation_id=OperationId(""), tasks=())
    return Stored(WORK.readable(row) or unknown, row.etag)


def _work_row(work: Work) -> Row:
    return WORK.row(keys.work(work.referral_id, work.label), work)
