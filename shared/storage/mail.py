"""The mail records: one per entry, audience and locale, with recipients and bytes frozen before anything is sent."""

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
FINAL: frozenset[MailState] = frozenset({"accepted", "delivered", "bounced", "refused", "skipped", "split"})
"""In these states nothing is left to be sent. `split`: a mail for each recipient took its place."""
ACCEPTED_STATES: frozenset[MailState] = frozenset({"accepted", "delivered", "bounced"})
"""In these states the mail service has taken it."""
DeliveryStatus = Literal[
    "Delivered", "Expanded", "Bounced", "Failed", "FilteredSpam", "Quarantined", "Suppressed"
]
"""What the mail service reports of one recipient, in its words."""
ARRIVED: frozenset[DeliveryStatus] = frozenset({"Delivered", "Expanded"})
_MAX_MAIL_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRecord:
    """One mail and how far it is.

    `key` is that of its row; `operation_id` is made of it, so every attempt is the same send. `reader` is the record
    of whoever reads it: its timeline tells of a failure, and its mails are one thread. `private_of` says whose
    addresses they are, where the reader's organization does not see them. `planned_at` is the domain clock's;
    `first_sent_at` and `lease_until` are the wall clock's. `reports` keeps what the mail service said of each.
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
        """Whether the service took it and reports no failure for at least one of its recipients."""
        failed = {address for address, status in self.reports.items() if status not in ARRIVED}
        return self.state in ACCEPTED_STATES and any(
            each.casefold() not in failed for each in self.recipients
        )

    @property
    def is_failure_recorded(self) -> bool:
        """Whether the reader's timeline tells that it did not arrive (M6): not of what reviewers alone know."""
        return self.private_of != "reviewTeam"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPointer:
    """Where a mail record is, for whoever knows only its operation."""

    referral_id: ReferralId
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Whether mail may be sent: nobody sends before `until` (domain clock), and whoever comes first then, alone.

    `pause` is how long it was closed last; zero once the service has answered since, which opens it for all.
    """

    until: datetime
    pause: timedelta

    @property
    def open(self) -> bool:
        """Whether everybody may send."""
        return not self.pause


_OPEN = Gate(until=datetime.min.replace(tzinfo=UTC), pause=timedelta())
_RECORDS = Codec[MailRecord](MailRecord, limit=_MAX_MAIL_BYTES)
_PLACES, _GATES = Codec[MailPointer](MailPointer), Codec[Gate](Gate)
_GATE, _STATE, _PLACE = "gate", "state", "place"


class MailRecords:
    """The repository of mail records, and of the gate. Its methods raise as `Tables` does, and `RecordUnreadable`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def list_for_message(self, referral_id: ReferralId, prefix: str) -> list[Stored[MailRecord]]:
        """The records whose keys start so: of one message, or the parts of one record. Empty if there are none."""
        rows = await self._tables.between(keys.MAIL, referral_id, *keys.starting_with(prefix))
        return [Stored(_RECORDS.read(row), row.etag) for row in rows]

    async def list_for_referral(self, referral_id: ReferralId) -> list[Stored[MailRecord]]:
        """All records about a referral."""
        rows = await self._tables.between(keys.MAIL, referral_id, *keys.every_mail())
        return [Stored(_RECORDS.read(row), row.etag) for row in rows]

    async def plan(self, records: Sequence[MailRecord]) -> None:
        """Write all records of one message at once. Raises `StoreConflict` if it has been planned."""
        await self._mark_places(records)
        operations = [Insert(_RECORDS.row(record.key, record)) for record in records]
        await self._tables.write(keys.MAIL, records[0].referral_id, operations)

    async def split(self, record: MailRecord, etag: str, parts: Sequence[MailRecord]) -> None:
        """Put other records in the place of one, whole. Raises `StoreConflict` if somebody changed it meanwhile."""
        await self._mark_places(parts)
        inserts = [Insert(_RECORDS.row(part.key, part)) for part in parts]
        replaced = Replace(_RECORDS.row(record.key, record), etag)
        await self._tables.write(keys.MAIL, record.referral_id, [replaced, *inserts])

    async def save(self, record: MailRecord, etag: str) -> None:
        """Keep how far a mail is. Raises `StoreConflict` if somebody else did meanwhile."""
        operation = Replace(_RECORDS.row(record.key, record), etag)
        await self._tables.write(keys.MAIL, record.referral_id, [operation])

    async def get(self, referral_id: ReferralId, key: str) -> Stored[MailRecord] | None:
        """One record."""
        row = await self._tables.get(keys.MAIL, referral_id, key)
        return Stored(_RECORDS.read(row), row.etag) if row else None

    async def get_by_operation(self, operation_id: str) -> Stored[MailRecord] | None:
        """The record of an operation, which is all that a delivery report names; None if it cannot be read."""
        place = _PLACES.readable(await self._tables.get(keys.MAIL, _operation(operation_id), _PLACE))
        row = await self._tables.get(keys.MAIL, place.referral_id, place.key) if place else None
        record = _RECORDS.readable(row)
        return Stored(record, row.etag) if row and record else None

    async def is_leased(self, referral_id: ReferralId, now: datetime) -> bool:
        """Whether an attempt to hand over a mail of a record may be under way; `now` is the wall clock's."""
        rows = await self._tables.between(keys.MAIL, referral_id, "", "~")
        return any(
            each.state == "sending" and each.lease_until and each.lease_until > now
            for each in _RECORDS.each_readable(rows)
        )

    async def gate(self) -> Stored[Gate] | None:
        """The gate, or None if it was never closed.

        A gate that cannot be read is open, and is written anew: the service asks again for the pause that it wants.
        """
        row = await self._tables.get(keys.MAIL, _GATE, _STATE)
        return Stored(_GATES.readable(row) or _OPEN, row.etag) if row else None

    async def save_gate(self, gate: Gate, read: Stored[Gate] | None) -> None:
        """Keep the gate as decided on what was read. Raises `StoreConflict` if somebody else did meanwhile."""
        row = _GATES.row(_STATE, gate)
        await self._tables.write(keys.MAIL, _GATE, [Replace(row, read.etag) if read else Insert(row)])

    async def _mark_places(self, records: Sequence[MailRecord]) -> None:
        """Before a mail can be sent it can be found by its operation."""
        await asyncio.gather(*(self._mark_place(record) for record in records))

    async def _mark_place(self, record: MailRecord) -> None:
        row = _PLACES.row(_PLACE, MailPointer(referral_id=record.referral_id, key=record.key))
        await self._tables.write(keys.MAIL, _operation(record.operation_id), [Upsert(row)])


def _operation(operation_id: str) -> str:
    return f"operation:{keys.safe(operation_id)}"
