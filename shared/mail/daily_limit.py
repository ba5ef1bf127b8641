"""At most so many mails a day to one customer's address; the others are told together on the next day (rule M9).

A mail needs a place on the day (UTC, domain clock) on which it is sent, whatever day it was planned. If none is left,
it waits for the next summary: first its own record says so, then a row in the address's mailbox. The first attempt of
the next day at any of the mails that wait plans the summary, in the transaction that closes the list of those that it
tells of. From then on every one of them tries to send the summary, and takes over what becomes of it.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from shared.domain.ids import operation_within
from shared.domain.messages import CustomerSummaryFacts, OutcomeFact
from shared.errors import Contended, MailHeld, StoreConflict
from shared.mail.rendering import render
from shared.storage.codec import Stored
from shared.storage.mail import MailRecord, SummaryLine
from shared.storage.mailboxes import Mailbox, Mailboxes, key_of_summary, mailbox_of

MOST_COUNTED = 1000
"""A higher limit counts as this: the operations of a day are listed in one row."""
_ATTEMPTS = 20
"""How often a mailbox is read again because others change it: more than the mails that a sweep sends at once."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DailyLimit:
    """Gives mails their places. `most` is how many a day has, 0 for no limit."""

    mailboxes: Mailboxes
    most: int

    async def take_place(self, record: MailRecord, now: datetime) -> int | None:
        """Take a place on the day of `now` for a mail to one address, unless it has one there.

        Returns None if the mail can be sent, else the number of the summary to wait for. Raises `Contended`.
        """
        if not self.most:
            return None
        mailbox = mailbox_of(record.recipients[0])
        for _ in range(_ATTEMPTS):
            read = await self.mailboxes.get(mailbox)
            box = _on(read, now)
            if record.operation_id in box.sent:
                return None
            if not self._has_place(box, for_summary=record.line is None):
                return box.summary
            try:
                await self.mailboxes.save(mailbox, _with_sent(box, record), read)
            except StoreConflict:
                continue
            return None
        raise _contended(record)

    async def wait(self, record: MailRecord, line: SummaryLine, number: int, now: datetime) -> bool:
        """Let a mail wait for summary `number`; whether the summary is planned and tells of it.

        False if the summary was planned without it. Raises `MailHeld` until it can be planned, and `Contended`.
        """
        mailbox = mailbox_of(record.recipients[0])
        for _ in range(_ATTEMPTS):
            read = await self.mailboxes.get(mailbox)
            box = _on(read, now)
            is_waiting = await self.mailboxes.is_waiting(mailbox, number, record.operation_id)
            if box.summary > number:
                return is_waiting
            try:
                if not is_waiting:
                    joined = replace(box, waiting_since=box.waiting_since or box.day)
                    await self.mailboxes.add_waiting(mailbox, joined, read, record.operation_id, line.fact)
                elif read and _is_summary_due(box) and self._has_place(box, for_summary=True):
                    await self._plan_summary(record, line, box, read, now)
                    return True
            except StoreConflict:
                continue
            raise held_until_tomorrow(now, box.day)
        raise _contended(record)

    async def _plan_summary(
        self, maker: MailRecord, line: SummaryLine, box: Mailbox, read: Stored[Mailbox], now: datetime
    ) -> None:
        """Plan the summary that is due. `maker` is one of the mails that wait: it names address and language."""
        mailbox = mailbox_of(maker.recipients[0])
        facts = await self.mailboxes.waiting(mailbox, box.summary)
        record = _summary(maker, line, box.summary, facts, now)
        new = replace(_with_sent(box, record), summary=box.summary + 1, waiting_since=None)
        await self.mailboxes.add_summary(mailbox, new, read, record)

    def _has_place(self, box: Mailbox, *, for_summary: bool) -> bool:
        """Whether the day has a place left. The last one is kept for a summary that is due."""
        kept = 1 if _is_summary_due(box) and not for_summary else 0
        return not self.most or len(box.sent) + kept < min(self.most, MOST_COUNTED)


def held_until_tomorrow(now: datetime, day: date | None = None) -> MailHeld:
    """The error for a mail that has no place on a day, by default that of `now`."""
    tomorrow = datetime.combine((day or now.astimezone(UTC).date()) + _DAY, time(), UTC)
    return MailHeld("No more mails are sent to this address today.", tomorrow - now)


def _on(read: Stored[Mailbox] | None, now: datetime) -> Mailbox:
    """A mailbox on the day of `now`.

    A process whose clock is ahead may have begun the next day; then that counts for all, so that no day is counted
    twice. Further ahead than that, a clock was wrong, and what it wrote does not hold.
    """
    today = now.astimezone(UTC).date()
    if read is None:
        return Mailbox(day=today)
    box = read.value
    if today <= box.day <= today + _DAY:
        return box
    since = box.waiting_since
    return replace(box, day=today, sent=(), waiting_since=min(since, today) if since else None)


def _is_summary_due(box: Mailbox) -> bool:
    return box.waiting_since is not None and box.waiting_since < box.day


def _with_sent(box: Mailbox, record: MailRecord) -> Mailbox:
    return replace(box, sent=(*box.sent, record.operation_id))


def _summary(
    maker: MailRecord, line: SummaryLine, number: int, facts: list[OutcomeFact], now: datetime
) -> MailRecord:
    mailbox = mailbox_of(maker.recipients[0])
    mail = render(CustomerSummaryFacts(facts=tuple(facts)), line.language)
    return MailRecord(
        referral_id=mailbox,
        key=key_of_summary(number),
        operation_id=operation_within(mailbox, "summary", str(number)),
        message="customerSummary",
        reader=maker.reader,
        private_of="customer",
        recipients=maker.recipients,
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        planned_at=now,
    )


def _contended(record: MailRecord) -> Contended:
    return Contended(f"The mailbox of mail {record.operation_id} kept changing; try again in a minute.")
