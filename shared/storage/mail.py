"""Mail records: one per entry, audience and group of recipients.

Recipients and content are fixed before anything is sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from shared.domain.ids import OperationId, ReferralId, is_operation_within
from shared.domain.messages import MailKind, OutcomeFact
from shared.domain.referral import ReferralKey
from shared.errors import StoreConflict
from shared.storage import keys
from shared.storage.codec import Codec, Stored
from shared.storage.tables import Insert, Replace, Row, Tables

MailState = Literal[
    "planned",
    "waiting",
    "sending",
    "accepted",
    "delivered",
    "bounced",
    "refused",
    "skipped",
    "split",
    "summarized",
]
"""`waiting`: for the summary of the next day (M9). The others are those of one mail and its delivery."""
FINAL_STATES: frozenset[MailState] = frozenset(
    {"accepted", "delivered", "bounced", "refused", "skipped", "split", "summarized"}
)
"""The final states. `split`: replaced by one mail for each recipient; `summarized`: a summary said it instead."""
ACCEPTED_STATES: frozenset[MailState] = frozenset({"accepted", "delivered", "bounced"})
"""The states after the mail service has accepted the mail."""
DeliveryStatus = Literal[
    "Delivered", "Expanded", "Bounced", "Failed", "FilteredSpam", "Quarantined", "Suppressed"
]
"""The delivery status of one recipient, as the mail service reports it."""
ARRIVED: frozenset[DeliveryStatus] = frozenset({"Delivered", "Expanded"})
_MAX_MAIL_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryLine:
    """What a summary says in place of a mail to a customer, and in which language the mail is."""

    fact: OutcomeFact
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRecord:
    """One mail and its progress.

    - `key`: the message (label, audience and reader) and the number of the group of recipients, for a part of a
      split mail also the part's number; joined by `:`. The groups of a message are counted from 00, whatever their
      languages, so that whoever plans it again conflicts with whoever planned it before.
    - `operation_id`: derived from the key, so that all attempts are the same send operation, and carries the leading
      bits of the referral's id, so that the record is found by it.
    - `reader`: the reader's referral. A failure is recorded in its timeline, and its mails form one thread.
    - `private_of`: whose addresses these are, if the reader's organization may not see them.
    - `planned_at`: domain clock; `first_sent_at` and `lease_until`: wall clock.
    - `reports`: the reported status by recipient.
    - `line`: set for a mail to one customer's address, which counts there (M9); None for all others, and for mails
      that were planned before there was a limit. `summary`: the number of the summary that it waits for.

    The record of a summary has the address's `keys.mailbox` instead of a referral's id.
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
    line: SummaryLine | None = None
    summary: int | None = None

    @property
    def is_counted(self) -> bool:
        """Whether it counts among the mails of a day to one address (M9)."""
        return self.line is not None or self.message == "customerSummary"

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
    """The referral of a mail whose operation id does not say it: of mails that version 1 of the data had.

    It is needed until no more reports about such mails come: they are sent or given up within seven days of the
    migration, and reports follow within days. A migration after that can delete the rows.
    """

    referral_id: ReferralId


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
        place = keys.mail_partition(referral_id)
        rows = await self._tables.between(keys.MAIL, place, *keys.mails_of(referral_id, prefix))
        return [Stored(_RECORDS.read(row), row.etag) for row in rows]

    async def list_for_referral(self, referral_id: ReferralId) -> list[Stored[MailRecord]]:
        """All records about a referral."""
        return await self.list_for_message(referral_id, "")

    async def insert(self, records: Sequence[MailRecord]) -> list[Stored[MailRecord]]:
        """Insert all records of one message. Raises `StoreConflict` if the message has been planned already.

        That is so whatever it was planned with, as the first record of a message always has the same key.
        """
        place = keys.mail_partition(records[0].referral_id)
        inserts = [Insert(row_of_mail(record)) for record in records]
        etags = await self._tables.write(keys.MAIL, place, inserts)
        return [await self._written(record, etag) for record, etag in zip(records, etags, strict=True)]

    async def split(self, record: MailRecord, etag: str, parts: Sequence[MailRecord]) -> None:
        """Replace a record by its parts, in one transaction. Raises `StoreConflict` if it has changed."""
        place = keys.mail_partition(record.referral_id)
        inserts = [Insert(row_of_mail(part)) for part in parts]
        await self._tables.write(keys.MAIL, place, [Replace(row_of_mail(record), etag), *inserts])

    async def save(self, record: MailRecord, etag: str) -> Stored[MailRecord]:
        """Update a record. Raises `StoreConflict` if it has changed."""
        place = keys.mail_partition(record.referral_id)
        (new_etag,) = await self._tables.write(keys.MAIL, place, [Replace(row_of_mail(record), etag)])
        return await self._written(record, new_etag)

    async def get(self, referral_id: ReferralId, key: str) -> Stored[MailRecord] | None:
        """One record, or None."""
        place = keys.mail_partition(referral_id)
        row = await self._tables.get(keys.MAIL, place, keys.mail(referral_id, key))
        return Stored(_RECORDS.read(row), row.etag) if row else None

    async def get_by_operation(self, operation_id: str) -> Stored[MailRecord] | None:
        """The record of an operation id, which is all that a delivery report has; None if it cannot be parsed."""
        place = await self._partition_of(operation_id)
        rows = await self._tables.between(keys.MAIL, place, *keys.every_mail()) if place else []
        for row in rows:
            record = _RECORDS.readable(row)
            if record and record.operation_id == operation_id:
                return Stored(record, row.etag)
        return None

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

    async def _partition_of(self, operation_id: str) -> str | None:
        """The partition of the record of an operation, or None if that is unknown."""
        if is_operation_within(operation_id):
            return keys.mail_partition(operation_id)
        place = f"operation:{keys.safe(operation_id, beside=len('operation:'))}"
        row = await self._tables.get(keys.MAIL, place, _POINTER)
        pointer = _POINTERS.readable(row)
        return keys.mail_partition(pointer.referral_id) if pointer else None

    async def _written(self, record: MailRecord, etag: str | None) -> Stored[MailRecord]:
        """A record as it was just written. Where storage did not say its ETag, it is read.

        Raises `StoreConflict` if it has changed since.
        """
        if etag is not None:
            return Stored(record, etag)
        stored = await self.get(record.referral_id, record.key)
        if stored is None or stored.value != record:
            raise StoreConflict(f"The record of mail {record.operation_id} has changed.")
        return stored


def row_of_mail(record: MailRecord) -> Row:
    """The row of a mail record, for a transaction with other rows of its partition."""
    return _RECORDS.row(keys.mail(record.referral_id, record.key), record)
