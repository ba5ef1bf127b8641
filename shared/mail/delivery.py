"""Delivery of one mail to the mail service: one attempt at a time, and not twice where that can be detected.

planned → sending → accepted; planned or sending → refused or skipped. The record is updated before each request, so
that the next attempt can continue after a crash. If a mail to several recipients is rejected, it is split into one
mail for each, so that one bad address does not affect the others.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.ids import derived_operation
from shared.errors import MailRefused, MailUnavailable, StoreUnavailable
from shared.mail.gate import MailGate
from shared.mail.service import MailService
from shared.storage.codec import Stored
from shared.storage.mail import FINAL_STATES, MailRecord, MailRecords

logger = logging.getLogger(__name__)

PART_SEPARATOR = ":"
"""Separates the key of a record from the number of its part."""
GIVE_UP_AFTER = timedelta(days=7)
"""A mail that the service has not accepted after this time counts as refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Delivers mail records. `wall_clock` returns the real time; `lease` is how long one attempt owns a record."""

    records: MailRecords
    service: MailService
    gate: MailGate
    wall_clock: Callable[[], datetime]
    lease: timedelta

    async def attempt(self, stored: Stored[MailRecord], now: datetime, *, pointless: bool) -> MailRecord:
        """Try once to deliver a mail, and return its record in a final state.

        A `pointless` mail is skipped, unless the service has already accepted it. Raises `MailUnavailable` if it must
        be retried later, with the delay if it is known; after `GIVE_UP_AFTER` it is refused instead.
        """
        record = stored.value
        if record.state in FINAL_STATES:
            return record
        try:
            return await self._attempt(stored, now, pointless=pointless)
        except MailUnavailable:
            if now - record.planned_at < GIVE_UP_AFTER or self._is_leased(record):
                raise
            logger.exception("mail_given_up operation=%s after=%s", record.operation_id, GIVE_UP_AFTER)
            return await self._give_up(record)

    async def _attempt(self, stored: Stored[MailRecord], now: datetime, *, pointless: bool) -> MailRecord:
        record, started = stored.value, self.wall_clock()
        if self._is_leased(record) and record.lease_until:
            raise MailUnavailable(
                "Another attempt may be in progress.", retry_after=record.lease_until - started
            )
        if pointless and record.state == "planned":
            return await self._skip(stored)
        trial = await self.gate.enter(now)
        try:
            delivered = await self._deliver(stored, pointless=pointless)
        except MailUnavailable as error:
            # The call may have taken long, so a pause starts at its end.
            await self.gate.failed(trial, error, now + (self.wall_clock() - started))
            raise
        await self.gate.answered(trial)
        return delivered

    async def _deliver(self, stored: Stored[MailRecord], *, pointless: bool) -> MailRecord:
        record = stored.value
        if record.state == "sending" and await self.service.knows(record):
            return await self._save(replace(record, state="accepted"), stored.etag)
        if pointless:
            return await self._skip(stored)
        return await self._send(stored)

    async def _skip(self, stored: Stored[MailRecord]) -> MailRecord:
        return await self._save(replace(stored.value, state="skipped", reason="pointless"), stored.etag)

    async def _send(self, stored: Stored[MailRecord]) -> MailRecord:
        wall = self.wall_clock()
        sending = replace(
            stored.value,
            state="sending",
            first_sent_at=stored.value.first_sent_at or wall,
            lease_until=wall + self.lease,
            attempts=stored.value.attempts + 1,
        )
        await self._save(sending, stored.etag)
        saved = await self._reload(sending)
        try:
            await self.service.send(sending, wall)
        except MailRefused as refused:
            if len(sending.recipients) > 1:
                return await self._split(sending, saved.etag, refused.reason)
            return await self._save(replace(sending, state="refused", reason=refused.reason), saved.etag)
        return await self._save(replace(sending, state="accepted"), saved.etag)

    async def _give_up(self, record: MailRecord) -> MailRecord:
        current = await self._reload(record)
        refused = replace(current.value, state="refused", reason="notAcceptedWithinSevenDays")
        return await self._save(refused, current.etag)

    async def _reload(self, record: MailRecord) -> Stored[MailRecord]:
        stored = await self.records.get(record.referral_id, record.key)
        if stored is None:
            raise StoreUnavailable(f"The record of mail {record.operation_id} does not exist any more.")
        return stored

    async def _split(self, record: MailRecord, etag: str, reason: str) -> MailRecord:
        parts = [
            replace(
                record,
                key=f"{record.key}{PART_SEPARATOR}{number:02d}",
                operation_id=derived_operation("mail", record.operation_id, address),
                recipients=(address,),
                state="planned",
                first_sent_at=None,
                lease_until=None,
                attempts=0,
            )
            for number, address in enumerate(record.recipients)
        ]
        whole = replace(record, state="split", reason=reason)
        await self.records.split(whole, etag, parts)
        return whole

    def _is_leased(self, record: MailRecord) -> bool:
        """Whether another attempt may still be in progress."""
        lease_until = record.state == "sending" and record.lease_until
        return bool(lease_until and self.wall_clock() < lease_until)

    async def _save(self, record: MailRecord, etag: str) -> MailRecord:
        await self.records.save(record, etag)
        return record
