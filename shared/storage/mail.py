"""The mail records: one per entry, audience and locale, with recipients and bytes frozen before anything is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.domain.ids import OperationId, ReferralId
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.referrals import Stored
from shared.storage.tables import Insert, Replace, Tables, Upsert

MailState = Literal["planned", "sending", "accepted", "refused", "skipped"]
FINAL: frozenset[MailState] = frozenset({"accepted", "refused", "skipped"})
_MAX_MAIL_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRecord:
    """One mail and how far it is.

    `key` is that of its row; `operation_id` is made of it, so every attempt is the same send. `planned_at` is the
    domain clock's; `first_sent_at` and `lease_until` are the wall clock's.
    """

    referral_id: ReferralId
    key: str
    operation_id: OperationId
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


_RECORDS = Codec[MailRecord](MailRecord, limit=_MAX_MAIL_BYTES)
_TIMES = Codec[datetime](datetime)
_GATE = "gate"


class MailRecords:
    """The repository of mail records, and of the gate. Its methods raise as `Tables` does."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def of_message(self, referral_id: ReferralId, prefix: str) -> list[Stored[MailRecord]]:
        """The records of one message, one per locale; empty if it has not been planned."""
        rows = await self._tables.between(keys.MAIL, referral_id, *keys.starting_with(prefix))
        return [Stored(_RECORDS.read(row), row.etag) for row in rows]

    async def plan(self, records: Sequence[MailRecord]) -> None:
        """Write all records of one message at once. Raises `StoreConflict` if it has been planned."""
        operations = [Insert(_RECORDS.row(record.key, record)) for record in records]
        await self._tables.write(keys.MAIL, records[0].referral_id, operations)

    async def save(self, record: MailRecord, etag: str) -> None:
        """Keep how far a mail is. Raises `StoreConflict` if somebody else did meanwhile."""
        operation = Replace(_RECORDS.row(record.key, record), etag)
        await self._tables.write(keys.MAIL, record.referral_id, [operation])

    async def get(self, referral_id: ReferralId, key: str) -> Stored[MailRecord] | None:
        """One record."""
        row = await self._tables.get(keys.MAIL, referral_id, key)
        return Stored(_RECORDS.read(row), row.etag) if row else None

    async def gate(self) -> datetime | None:
        """Before when nobody sends, because the mail service said so (domain clock)."""
        row = await self._tables.get(keys.MAIL, _GATE, _GATE)
        return _TIMES.read(row) if row else None

    async def close_gate(self, until: datetime) -> None:
        """Let nobody send before a time: refused requests use up the quota as well."""
        await self._tables.write(keys.MAIL, _GATE, [Upsert(_TIMES.row(_GATE, until))])
