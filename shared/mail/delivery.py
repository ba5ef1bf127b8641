"""Delivery of one mail to the mail service: one attempt at a time, and not twice where that can be detected.

planned → sending → accepted; planned or sending → refused or skipped; planned → waiting → summarized (M9). The record
is `sending` before each request, so that the next attempt can continue after a crash. If a mail to several recipients
is rejected, it is split into one mail for each, so that one bad address does not affect the others.

The mails of a message are inserted together, and the first one as `sending`: so a message to one group of recipients
costs two requests of storage. Its other mails are inserted as `planned`, and each costs one more request. They are
not `sending` because that means that the service may have been asked: it would let the next run wait for a lease that
nobody uses, and ask the service about mails that nobody sent, if this run dies, has no time left or finds the gate
closed.
"""

import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from shared.domain.ids import operation_within
from shared.errors import MailPaused, MailRefused, MailUnavailable, StoreUnavailable
from shared.mail.daily_limit import DailyLimit, held_until_tomorrow
from shared.mail.gate import MailGate
from shared.mail.service import MailService
from shared.storage.codec import Stored
from shared.storage.mail import FINAL_STATES, Gate, MailRecord, MailRecords, MailState
from shared.storage.mailboxes import key_of_summary, mailbox_of

logger = logging.getLogger(__name__)

PART_SEPARATOR = ":"
"""Separates the key of a record from the number of its part."""
GIVE_UP_AFTER = timedelta(days=7)
"""A mail that the service has not accepted after this time counts as refused."""

_MOST_SUMMARIES_MISSED = 3
"""How often one attempt lets a mail wait for another summary, because the one before was planned without it."""

Attempt = Callable[[], Coroutine[Any, Any, MailRecord]]
"""One attempt to deliver a mail, as `Delivery.attempt` describes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Delivers mail records. `wall_clock` returns the real time; `lease` is how long one attempt owns a record."""

    records: MailRecords
    service: MailService
    gate: MailGate
    limit: DailyLimit
    wall_clock: Callable[[], datetime]
    lease: timedelta

    async def insert(self, records: Sequence[MailRecord], now: datetime) -> list[Attempt]:
        """Insert the mails of a message, and return the first attempt for each, in order.

        The first mail is inserted as `sending`, so its attempt must be made at once. While the gate is closed, all
        are inserted as `planned`; a first mail without a place among those of the day is inserted as `waiting`.
        Raises `StoreConflict` if the message has been planned already.
        """
        started = self.wall_clock()
        if records[0].line and (summary := await self.limit.take_place(records[0], now)) is not None:
            waiting = replace(records[0], state="waiting", summary=summary)
            return self.attempts(await self.records.insert([waiting, *records[1:]]), now)
        try:
            trial = await self.gate.enter(now)
        except MailPaused:
            return self.attempts(await self.records.insert(records), now)
        first, *others = await self.records.insert([self._sending(records[0]), *records[1:]])
        return [partial(self._attempt_first, first, trial, now, started), *self.attempts(others, now)]

    def attempts(
        self, mails: Sequence[Stored[MailRecord]], now: datetime, *, pointless: bool = False
    ) -> list[Attempt]:
        """An attempt for each mail that was planned before."""
        return [partial(self.attempt, stored, now, pointless=pointless) for stored in mails]

    async def attempt(self, stored: Stored[MailRecord], now: datetime, *, pointless: bool) -> MailRecord:
        """Try once to deliver a mail, and return its record in a final state.

        A `pointless` mail is skipped, unless the service has already accepted it. Raises `MailUnavailable` if it must
        be retried later, with the delay if it is known; after `GIVE_UP_AFTER` it is refused instead. Of a mail that
        waits for a summary, the summary is given up, and not the mail before it. What has no place on a day is not
        given up: it is tried again on the next day, as long as others take that day's places first.
        """
        if stored.value.state not in FINAL_STATES and stored.value.is_counted:
            stored = await self._with_place(stored, now)
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

    async def _with_place(self, stored: Stored[MailRecord], now: datetime) -> Stored[MailRecord]:
        """A mail with a place among those of the day; or in a final state, after a summary has said it.

        Raises `MailHeld` if it has to wait. This is outside the gate: it says nothing about the mail service.
        """
        for _ in range(_MOST_SUMMARIES_MISSED):
            record = stored.value
            number = record.summary if record.state == "waiting" else None
            if record.line and number is not None and await self.limit.wait(record, record.line, number, now):
                return await self._as_summarized(stored, number, now)
            summary = await self.limit.take_place(record, now)
            if summary is None:
                return stored
            if record.line is None or record.state == "sending":
                # A summary waits for no other one, nor does a mail that may have been sent: it would be told twice.
                raise held_until_tomorrow(now)
            stored = await self.records.save(replace(record, state="waiting", summary=summary), stored.etag)
        raise held_until_tomorrow(now)

    async def _as_summarized(
        self, stored: Stored[MailRecord], number: int, now: datetime
    ) -> Stored[MailRecord]:
        """Try to send the summary that tells of a mail, and record with the mail what became of it."""
        record = stored.value
        mailbox = mailbox_of(record.recipients[0])
        summary = await self.records.get(mailbox, key_of_summary(number))
        if summary is None:
            raise StoreUnavailable(f"The summary that tells of mail {record.operation_id} does not exist.")
        sent = await self.attempt(summary, now, pointless=False)
        if sent.state == "refused":
            changed = replace(record, state="refused", reason=sent.reason)
        else:
            changed = replace(record, state="summarized", reason=sent.operation_id)
        return await self.records.save(_settled(changed), stored.etag)

    async def _attempt(self, stored: Stored[MailRecord], now: datetime, *, pointless: bool) -> MailRecord:
        record, started = stored.value, self.wall_clock()
        if self._is_leased(record) and record.lease_until:
            raise MailUnavailable(
                "Another attempt may be in progress.", retry_after=record.lease_until - started
            )
        if pointless and record.state == "planned":
            return await self._skip(stored)
        trial = await self.gate.enter(now)
        return await self._through_gate(trial, self._deliver(stored, pointless=pointless), now, started)

    async def _attempt_first(
        self, inserted: Stored[MailRecord], trial: Gate | None, now: datetime, started: datetime
    ) -> MailRecord:
        """Send a mail that was just inserted as `sending`. It is new, so it cannot be given up yet."""
        return await self._through_gate(trial, self._hand_over(inserted), now, started)

    async def _through_gate(
        self, trial: Gate | None, delivery: Coroutine[Any, Any, MailRecord], now: datetime, started: datetime
    ) -> MailRecord:
        """Deliver a mail that the gate let pass, and tell the gate whether the service answered.

        `started` is the wall clock at `now`, when the attempt began.
        """
        try:
            delivered = await delivery
        except MailUnavailable as error:
            # The call may have taken long, so a pause starts at its end.
            await self.gate.failed(trial, error, now + (self.wall_clock() - started))
            raise
        await self.gate.answered(trial)
        return delivered

    async def _deliver(self, stored: Stored[MailRecord], *, pointless: bool) -> MailRecord:
        record = stored.value
        if record.state == "sending" and await self.service.knows(record):
            return await self._save(stored, state="accepted")
        if pointless:
            return await self._skip(stored)
        return await self._send(stored)

    async def _skip(self, stored: Stored[MailRecord]) -> MailRecord:
        return await self._save(stored, state="skipped", reason="pointless")

    async def _send(self, stored: Stored[MailRecord]) -> MailRecord:
        return await self._hand_over(await self.records.save(self._sending(stored.value), stored.etag))

    def _sending(self, record: MailRecord) -> MailRecord:
        """The record while an attempt of this moment is in progress."""
        wall = self.wall_clock()
        return replace(
            record,
            state="sending",
            first_sent_at=record.first_sent_at or wall,
            lease_until=wall + self.lease,
            attempts=record.attempts + 1,
        )

    async def _hand_over(self, sending: Stored[MailRecord]) -> MailRecord:
        """Send a mail whose record says so, and record the answer."""
        try:
            await self.service.send(sending.value, self.wall_clock())
        except MailRefused as refused:
            if len(sending.value.recipients) > 1:
                return await self._split(sending.value, sending.etag, refused.reason)
            return await self._save(sending, state="refused", reason=refused.reason)
        return await self._save(sending, state="accepted")

    async def _give_up(self, record: MailRecord) -> MailRecord:
        current = await self._reload(record)
        return await self._save(current, state="refused", reason="notAcceptedWithinSevenDays")

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
                operation_id=operation_within(record.referral_id, "mailPart", record.operation_id, address),
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

    async def _save(
        self, stored: Stored[MailRecord], *, state: MailState, reason: str | None = None
    ) -> MailRecord:
        changed = _settled(replace(stored.value, state=state, reason=reason))
        return (await self.records.save(changed, stored.etag)).value


def _settled(record: MailRecord) -> MailRecord:
    """A mail in a final state: one to a customer without its text, whose link nobody else may know (R8)."""
    return replace(record, text="", html="") if record.private_of == "customer" else record
