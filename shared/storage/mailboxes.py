"""What is sent to one customer's address in all, whichever requests it is about (rule M9).

An address has a partition of table `mail`: its state, a row for each mail that waits for a summary, and the mail
records of its summaries. So a summary and the mails that it tells of are decided in one transaction.
"""

from dataclasses import dataclass
from datetime import date

from shared.domain.ids import OperationId, ReferralId
from shared.domain.messages import OutcomeFact
from shared.storage import keys
from shared.storage.codec import Codec, Stored
from shared.storage.mail import MailRecord, row_of_mail
from shared.storage.tables import Insert, Operation, Replace, Row, Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """The state of an address.

    - `day`: the last day (UTC, domain clock) on which a mail was to be sent; `sent`: the operations that count there.
    - `summary`: the number of the next summary, from 0; so all before it exist.
    - `waiting_since`: the day of the first mail that waits for the next summary, None if none does.
    """

    day: date
    sent: tuple[OperationId, ...] = ()
    summary: int = 0
    waiting_since: date | None = None


_MAILBOXES, _FACTS = Codec[Mailbox](Mailbox), Codec[OutcomeFact](OutcomeFact)


def mailbox_of(address: str) -> ReferralId:
    """The id of an address, which the mail records of its summaries have in place of a referral's."""
    return keys.mailbox(address)


def key_of_summary(number: int) -> str:
    """The key of the mail record of a summary."""
    return f"summary:{number:06d}"


class Mailboxes:
    """The repository of mailboxes, by their ids. Its methods raise as `Tables` does, and `RecordUnreadable`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, mailbox: ReferralId) -> Stored[Mailbox] | None:
        """The state of an address, or None if nothing was sent to it yet."""
        place = keys.mail_partition(mailbox)
        row = await self._tables.get(keys.MAIL, place, keys.mailbox_state(mailbox))
        return Stored(_MAILBOXES.read(row), row.etag) if row else None

    async def save(self, mailbox: ReferralId, new: Mailbox, read: Stored[Mailbox] | None) -> None:
        """Insert or replace the state. Raises `StoreConflict` if it is not as `read` any more."""
        await self._write(mailbox, new, read)

    async def is_waiting(self, mailbox: ReferralId, number: int, operation_id: OperationId) -> bool:
        """Whether a mail is among those that a summary tells of."""
        place = keys.mail_partition(mailbox)
        row = await self._tables.get(keys.MAIL, place, keys.waiting_mail(mailbox, number, operation_id))
        return row is not None

    async def add_waiting(
        self,
        mailbox: ReferralId,
        new: Mailbox,
        read: Stored[Mailbox] | None,
        operation_id: OperationId,
        fact: OutcomeFact,
    ) -> None:
        """Let a mail wait for the next summary. Raises `StoreConflict` if the state is not as `read` any more."""
        row = _FACTS.row(keys.waiting_mail(mailbox, new.summary, operation_id), fact)
        await self._write(mailbox, new, read, Insert(row))

    async def waiting(self, mailbox: ReferralId, number: int) -> list[OutcomeFact]:
        """What the mails that wait for a summary would have told."""
        place = keys.mail_partition(mailbox)
        rows = await self._tables.between(keys.MAIL, place, *keys.waiting_mails(mailbox, number))
        return [_FACTS.read(row) for row in rows]

    async def add_summary(
        self, mailbox: ReferralId, new: Mailbox, read: Stored[Mailbox], record: MailRecord
    ) -> None:
        """Plan a summary. Raises `StoreConflict` if the state is not as `read` any more."""
        await self._write(mailbox, new, read, Insert(row_of_mail(record)))

    async def _write(
        self, mailbox: ReferralId, new: Mailbox, read: Stored[Mailbox] | None, *more: Operation
    ) -> None:
        row: Row = _MAILBOXES.row(keys.mailbox_state(mailbox), new)
        state = Replace(row, read.etag) if read else Insert(row)
        await self._tables.write(keys.MAIL, keys.mail_partition(mailbox), [state, *more])
