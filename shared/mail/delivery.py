"""Getting one mail to the mail service: one attempt at a time, never lost, never sent twice where that can be known.

planned → sending → accepted; planned or sending → refused; planned → skipped. The record says what is known before
each request is made, so that an attempt that dies can be taken up by the next.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.errors import MailRefused, MailUnavailable
from shared.mail.service import MailService
from shared.storage.mail import FINAL, MailRecord, MailRecords
from shared.storage.referrals import Stored

logger = logging.getLogger(__name__)

GIVE_UP = timedelta(days=7)
"""After so long a mail that cannot be handed over counts as refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Delivers mail records. `wall_clock` tells the real time; `lease` is how long one attempt owns a record."""

    records: MailRecords
    service: MailService
    wall_clock: Callable[[], datetime]
    lease: timedelta

    async def attempt(self, stored: Stored[MailRecord], now: datetime) -> MailRecord:
        """Try once to hand a mail over, and give the record as it is then, in a final state.

        Raises `MailUnavailable` when it has to be tried later, and says when if that is known.
        """
        record = stored.value
        if record.state in FINAL:
            return record
        self._respect_lease(record)
        if record.state == "sending" and await self.service.knows(record):
            return await self._save(replace(record, state="accepted"), stored.etag)
        await self._respect_gate(now)
        return await self._send(stored, now)

    async def _send(self, stored: Stored[MailRecord], now: datetime) -> MailRecord:
        wall = self.wall_clock()
        sending = replace(
            stored.value,
            state="sending",
            first_sent_at=stored.value.first_sent_at or wall,
            lease_until=wall + self.lease,
            attempts=stored.value.attempts + 1,
        )
        await self._save(sending, stored.etag)
        written = await self.records.get(sending.referral_id, sending.key)
        if written is None:
            raise MailUnavailable("The mail's record is gone.")
        try:
            await self.service.send(sending, wall)
        except MailRefused as refused:
            return await self._save(replace(sending, state="refused", reason=refused.reason), written.etag)
        except MailUnavailable as failed:
            if failed.retry_after:
                await self.records.close_gate(now + failed.retry_after)
            if now - sending.planned_at >= GIVE_UP:
                logger.exception("mail_given_up operation=%s after=%s", sending.operation_id, GIVE_UP)
                late = replace(sending, state="refused", reason="notAcceptedWithinSevenDays")
                return await self._save(late, written.etag)
            raise
        return await self._save(replace(sending, state="accepted"), written.etag)

    def _respect_lease(self, record: MailRecord) -> None:
        if record.state == "sending" and record.lease_until and self.wall_clock() < record.lease_until:
            wait = record.lease_until - self.wall_clock()
            raise MailUnavailable("Another attempt may be under way.", retry_after=wait)

    async def _respect_gate(self, now: datetime) -> None:
        until = await self.records.gate()
        if until and now < until:
            raise MailUnavailable("The mail service asked for a pause.", retry_after=until - now)

    async def _save(self, record: MailRecord, etag: str) -> MailRecord:
        await self.records.save(record, etag)
        return record
