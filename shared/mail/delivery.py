"""Getting one mail to the mail service: one attempt at a time, never lost, never sent twice where that can be known.

planned → sending → accepted; planned or sending → refused or skipped. The record says what is known before each
request is made, so that an attempt that dies can be taken up by the next. A mail to several people that is refused
is split into one for each, so that one bad address keeps nobody else's mail away.
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

PART = ":"
"""Between a record's key and the numbers of its parts."""
GIVE_UP_AFTER = timedelta(days=7)
"""After so long a mail that cannot be handed over counts as refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Delivers mail records. `wall_clock` tells the real time; `lease` is how long one attempt owns a record."""

    records: MailRecords
    service: MailService
    gate: MailGate
    wall_clock: Callable[[], datetime]
    lease: timedelta

    async def attempt(self, stored: Stored[MailRecord], now: datetime, *, pointless: bool) -> MailRecord:
        """Try once to hand a mail over, and give the record as it is then, in a final state.

        A mail that is `pointless` by now is skipped, unless the service has taken it already. Raises
        `MailUnavailable` when it has to be tried later, and says when if that is known; after seven days it is
        refused instead.
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
                "Another attempt may be under way.", retry_after=record.lease_until - started
            )
        if pointless and record.state == "planned":
            return await self._skip(stored)
        trial = await self.gate.enter(now)
        try:
            done = await self._hand_over(stored, pointless=pointless)
        except MailUnavailable as failed:
            # The call may have hung: what it closes, it closes from the end of it.
            await self.gate.failed(trial, failed, now + (self.wall_clock() - started))
            raise
        await self.gate.answered(trial)
        return done

    async def _hand_over(self, stored: Stored[MailRecord], *, pointless: bool) -> MailRecord:
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
        written = await self._written(sending)
        try:
            await self.service.send(sending, wall)
        except MailRefused as refused:
            if len(sending.recipients) > 1:
                return await self._split(sending, written.etag, refused.reason)
            return await self._save(replace(sending, state="refused", reason=refused.reason), written.etag)
        return await self._save(replace(sending, state="accepted"), written.etag)

    async def _give_up(self, record: MailRecord) -> MailRecord:
        written = await self._written(record)
        late = replace(written.value, state="refused", reason="notAcceptedWithinSevenDays")
        return await self._save(late, written.etag)

    async def _written(self, record: MailRecord) -> Stored[MailRecord]:
        written = await self.records.get(record.referral_id, record.key)
        if written is None:
            raise StoreUnavailable(f"The record of mail {record.operation_id} is gone.")
        return written

    async def _split(self, record: MailRecord, etag: str, reason: str) -> MailRecord:
        parts = [
            replace(
                record,
                key=f"{record.key}{PART}{number:02d}",
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
        """Whether another attempt may still be under way."""
        leased = record.state == "sending" and record.lease_until
        return bool(leased and self.wall_clock() < leased)

    async def _save(self, record: MailRecord, etag: str) -> MailRecord:
        await self.records.save(record, etag)
        return record
