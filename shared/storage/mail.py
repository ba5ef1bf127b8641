"""Mail records: one per entry, audience and locale, with recipients and content fixed before anything is sent."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from shared.domain.ids import OperationId, ReferralId
from shared.domain.messages import MailKind
from shared.domain.referral import ReferralKey
from shared.storage import keys
from shared.storage.codec import Codec, Stored
from shared.storage.tables import Insert, Replace, Tables, Upsert

MailState = Literal["planned", "sending", "accepted", "delivered", "bounced", "refused", "skipped", "split"]
FINAL_STATES: frozenset[MailState] = frozenset(
    {"accepted", "delivered", "bounced", "refused", "skipped", "split"}
)
"""The final states. `split`: replaced by one mail for each recipient."""
ACCEPTED_STATES: frozenset[MailState] = frozenset({"accepted", "delivered", "bounced"})
"""The states after the mail service has accepted the mail."""
DeliveryStatus = Literal[
    "Delivered", "Expanded", "Bounced", "Failed", "FilteredSpam", "Quarantined", "Suppressed"
]
"""The delivery status of one recipient, as the mail service reports it."""
ARRIVED: frozenset[DeliveryStatus] = frozenset({"Delivered", "Expanded"})
_MAX_MAIL_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRecord:
    """One mail and its progress.

    - `key`: the key of its row. `operation_id` is derived from it, so that all attempts are the same send operation.
    - `reader`: the reader's referral. A failure is recorded in its timeline, and its mails form one thread.
    - `private_of`: whose addresses these are, if the reader's organization may not see them.
    - `planned_at`: domain clock; `first_sent_at` and `lease_until`: wall clock.
    - `reports`: the reported status by recipient.
    """

    referral_id: ReferralId
    key: str
    operation_id: OperationId
    message: MailKind
    reader: ReferralKey
    private_of: Literal["customer", "reviewTeam"] | None = None
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str
    planned_at: datetime
    state: MailState = "planned"
    first_sent_at: datetime | None = None
    lease_until: datetime | None = None
    attempts: int = 0
    reason: str | None = None
    reports: Mapping[str, DeliveryStatus] = field(default_factory=dict[str, DeliveryStatus])

    @property
    def may_have_arrived(self) -> bool:
        """Whether the service accepted it and reports no failure for at least one recipient."""
        failed = {address for address, status in self.reports.items() if status not in ARRIVED}
        return self.state in ACCEPTED_STATES and any(
            each.casefold() not in failed for each in self.recipients
        )

    @property
    def is_failure_recorded(self) -> bool:
        """Whether a failure is recorded in the reader's timeline (M6): not for mails to the review team."""
        return self.private_of != "reviewTeam"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPointer:
    """The key of a mail record, stored under its operation id."""

    referral_id: ReferralId
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Whether mail may be sent. While closed, nothing is sent before `until` (domain clock); then one trial mail.

    `pause` is the length of the last pause, and zero if the gate is open: the service has answered since.
    """

    until: datetime
    pause: timedelta

    @property
    def open(self) -> bool:
        """Whether all mails may be sent."""
        return not self.pause


_OPEN = Gate(until=datetime.min.replace(tzinfo=UTC), pause=timedelta())
_RECORDS = Codec[MailRecord](MailRecord, limit=_MAX_MAIL_BYTES)
_POINTERS, _GATES = Codec[MailPointer](MailPointer), Codec[Gate](Gate)
_GATE, _STATE, _POINTER = "gate", "state", "place"


class MailRecords:
    """The repository of mail records and the gate. Its methods raise as `Tables` does, and `RecordUnreadable`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def list_for_message(self, referral_id: ReferralId, prefix: str) -> list[Stored[MailRecord]]:
        """The records with a key prefix: those of one message, or the parts of one record."""
        rows = await self._tables.between(keys.MAIL, referral_id, *keys.starting_with(prefix))
        return [Stored(_RECORDS.read(row), row.etag) for row in rows]

    async def list_for_referral(self, referral_id: ReferralId) -> list[Stored[MailRecord]]:
        """All records about a referral."""
        rows = await self._tables.between(keys.MAIL, referral_id, *keys.every_mail())
        return [Stored(_RECORDS.read(row), row.etag) for row in rows]

    async def plan(self, records: Sequence[MailRecord]) -> None:
        """Insert all records of one message. Raises `StoreConflict` if it has been planned already."""
        await self._put_pointers(records)
        operations = [Insert(_RECORDS.row(record.key, record)) for record in records]
        await self._tables.write(keys.MAIL, records[0].referral_id, operations)

    async def split(self, record: MailRecord, etag: str, parts: Sequence[MailRecord]) -> None:
        """Replace a record by its parts, in one transaction. Raises `StoreConflict` if it has changed."""
        await self._put_pointers(parts)
        inserts = [Insert(_RECORDS.row(part.key, part)) for part in parts]
        replaced = Replace(_RECORDS.row(record.key, record), etag)
        await self._tables.write(keys.MAIL, record.referral_id, [replaced, *inserts])

    async def save(self, record: MailRecord, etag: str) -> None:
        """Update a record. Raises `StoreConflict` if it has changed."""
        operation = Replace(_RECORDS.row(record.key, record), etag)
        await self._tables.write(keys.MAIL, record.referral_id, [operation])

    async def get(self, referral_id: ReferralId, key: str) -> Stored[MailRecord] | None:
        """One record, or None."""
        row = await self._tables.get(keys.MAIL, referral_id, key)
        return Stored(_RECORDS.read(row), row.etag) if row else None

    async def get_by_operation(self, operation_id: str) -> Stored[MailRecord] | None:
        """The record of an operation id, which is all that a delivery report has; None if it cannot be parsed."""
        pointer = _POINTERS.readable(await self._tables.get(keys.MAIL, _operation(operation_id), _POINTER))
        row = await self._tables.get(keys.MAIL, pointer.referral_id, pointer.key) if pointer else None
        record = _RECORDS.readable(row)
        return Stored(record, row.etag) if row and record else None

    async def is_leased(self, referral_id: ReferralId, now: datetime) -> bool:
        """Whether an attempt to send a mail about a referral may be in progress; `now` is the wall clock's."""
        rows = await self._tables.between(keys.MAIL, referral_id, "", "~")
        return any(
            each.state == "sending" and each.lease_until and each.lease_until > now
            for each in _RECORDS.each_readable(rows)
        )

    async def gate(self) -> Stored[Gate] | None:
        """The gate, or None if it was never closed.

        A gate that cannot be parsed counts as open; it is replaced when the service asks for a pause again.
        """
        row = await self._tables.get(keys.MAIL, _GATE, _STATE)
        return Stored(_GATES.readable(row) or _OPEN, row.etag) if row else None

    async def save_gate(self, gate: Gate, read: Stored[Gate] | None) -> None:
        """Insert or replace the gate. Raises `StoreConflict` if it is not as `read` any more."""
        row = _GATES.row(_STATE, gate)
        await self._tables.write(keys.MAIL, _GATE, [Replace(row, read.etag) if read else Insert(row)])

    async def _put_pointers(self, records: Sequence[MailRecord]) -> None:
        """Make the mails findable by operation id, before they can be sent."""
        await asyncio.gather(*(self._put_pointer(record) for record in records))

    async def _put_pointer(self, record: MailRecord) -> None:
        row = _POINTERS.row(_POINTER, MailPointer(referral_id=record.referral_id, key=record.key))
        await self._tables.write(keys.MAIL, _operation(record.operation_id), [Upsert(row)])


def _operation(operation_id: str) -> str:
    return f"operation:{keys.safe(operation_id)}"
