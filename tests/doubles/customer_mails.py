"""Mails to one customer's address, each about another request at another company, and a clock to send them by."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache

from shared.domain.ids import OrganizationId, ReferralId, digest, operation_within, uuid7
from shared.domain.messages import CustomerFacts, OutcomeFact
from shared.domain.referral import ReferralKey
from shared.errors import StoreConflict
from shared.mail.daily_limit import DailyLimit
from shared.mail.delivery import Delivery
from shared.mail.gate import MailGate
from shared.mail.rendering import RenderedMail, render
from shared.storage.mail import FINAL_STATES, MailRecord, MailRecords, SummaryLine
from shared.storage.mailboxes import Mailboxes
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Tables
from tests.doubles.mail_service import MemoryMailService

BEGIN = datetime(2026, 11, 30, 9, tzinfo=UTC)
ADDRESS = "cara@relecloud.com"


@cache
def _composed(number: int) -> tuple[OutcomeFact, RenderedMail]:
    """The mail about the request that Company {number} declined."""
    fact = OutcomeFact(outcome="customerDeclined", company=f"Company {number};", requested_on=BEGIN.date())
    return fact, render(CustomerFacts(fact=fact), "en")


class DatedMailService(MemoryMailService):
    """Remembers on which day (domain clock) it took each mail."""

    def __init__(self) -> None:
        super().__init__()
        self.today = BEGIN.date()
        self.days: dict[str, date] = {}

    async def send(self, record: MailRecord, now: datetime) -> None:
        await super().send(record, now)
        self.days.setdefault(record.operation_id, self.today)

    def on(self, day: date) -> list[MailRecord]:
        """The mails of a day."""
        return [self.taken[operation] for operation, each in self.days.items() if each == day]


class CustomerMails:
    """Delivers mails to one address with a limit of `most` a day."""

    def __init__(
        self, tables: Tables, most: int, service: DatedMailService | None = None, address: str = ADDRESS
    ) -> None:
        self.now, self.address = BEGIN, address
        self.service = service or DatedMailService()
        self.records = MailRecords(tables)
        self.mailboxes = Mailboxes(tables)
        self.delivery = Delivery(
            records=self.records,
            service=self.service,
            gate=MailGate(MailRecords(MemoryTables()), lambda: self.now),
            limit=DailyLimit(self.mailboxes, most),
            wall_clock=lambda: self.now,
            lease=timedelta(),
        )

    def mail(self, number: int, **fields: object) -> MailRecord:
        """The mail about the request that Company {number} declined."""
        referral_id = ReferralId(uuid7(BEGIN, bytes.fromhex(digest(self.address, str(number))[:32])))
        fact, mail = _composed(number)
        record = MailRecord(
            referral_id=referral_id,
            key="000002:customer:own:00",
            operation_id=operation_within(referral_id, "mail"),
            message="customerDeclined",
            reader=ReferralKey(organization_id=OrganizationId(f"company-{number}"), referral_id=referral_id),
            private_of="customer",
            recipients=(self.address,),
            subject=mail.subject,
            text=mail.text,
            html=mail.html,
            planned_at=self.now,
            line=SummaryLine(fact=fact, language="en"),
        )
        return replace(record, **fields)  # type: ignore[arg-type]

    def at(self, now: datetime) -> None:
        """Move the clocks."""
        self.now, self.service.today = now, now.date()

    async def attempt(self, number: int) -> MailRecord:
        """What a task does for a mail: plan it unless that was done, and try to deliver it once."""
        record = self.mail(number)
        stored = await self.records.get(record.referral_id, record.key)
        if stored is None:
            try:
                (first,) = await self.delivery.insert([record], self.now)
            except StoreConflict:
                return await self.attempt(number)
            return await first()
        return await self.delivery.attempt(stored, self.now, pointless=False)

    async def state(self, number: int) -> MailRecord | None:
        """The record of a mail."""
        record = self.mail(number)
        stored = await self.records.get(record.referral_id, record.key)
        return stored.value if stored else None

    async def is_done(self, number: int) -> bool:
        """Whether nothing is left to do for a mail."""
        record = await self.state(number)
        return record is not None and record.state in FINAL_STATES

    def times_told(self, number: int) -> int:
        """How often the customer read what became of a request."""
        return sum(
            f"Company {number};" in " ".join(mail.text.split()) for mail in self.service.taken.values()
        )
