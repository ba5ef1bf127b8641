"""A mail service in memory: it remembers every operation that it took, and how often it was handed each."""

from collections import Counter
from datetime import datetime

from shared.errors import MailRefused, MailServiceDown
from shared.storage.mail import MailRecord


class MemoryMailService:
    """Implements `shared.mail.service.MailService`; a repeated operation is the same send.

    While it is `away` it takes nothing and answers no question; to the addresses that it `refuses` it never takes
    anything.
    """

    def __init__(self) -> None:
        self.away = False
        self.refuses: set[str] = set()
        self.taken: dict[str, MailRecord] = {}
        self.attempts: Counter[str] = Counter()

    async def send(self, record: MailRecord, now: datetime) -> None:
        self.attempts[record.operation_id] += 1
        if self.away:
            raise MailServiceDown("away")
        if self.refuses.intersection(record.recipients):
            raise MailRefused("InvalidRecipient")
        self.taken.setdefault(record.operation_id, record)

    async def knows(self, record: MailRecord) -> bool:
        if self.away:
            raise MailServiceDown("away")
        return record.operation_id in self.taken

    def told(self) -> Counter[tuple[str, str]]:
        """How many mails of which subject went to whom."""
        return Counter((", ".join(mail.recipients), mail.subject) for mail in self.taken.values())
