"""Process the mail service's delivery reports (M6).

A report may come twice, late and in any order. It is stored in the mail's record. A failed delivery is recorded once
in the timeline of the referral whose people the mail was for.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.change import Change, CommandContext
from shared.domain.ids import derived_operation
from shared.domain.lifecycle import record_failed_mail
from shared.domain.referral import Referral
from shared.errors import Contended, StoreConflict
from shared.storage.codec import Stored
from shared.storage.mail import ARRIVED, DeliveryStatus, MailRecord, MailRecords, MailState
from shared.workflow.commit import Commits

logger = logging.getLogger(__name__)

_ATTEMPTS = 5
_LONGEST_DETAIL = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """The report about one recipient of a send operation; `detail` is the receiving server's response."""

    operation_id: str
    recipient: str
    status: DeliveryStatus
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Reports:
    """Processes delivery reports. Raises `StoreUnavailable`, `Contended`; the mail service then reports again."""

    records: MailRecords
    commits: Commits

    async def take(self, report: DeliveryReport, now: datetime) -> bool:
        """Store a report, and record a failed delivery in the timeline; False if the mail is unknown."""
        for _ in range(_ATTEMPTS):
            stored = await self.records.get_by_operation(report.operation_id)
            if stored is None or not _is_to(stored.value, report.recipient):
                logger.info("mail_report_unknown operation=%s", report.operation_id)
                return False
            try:
                await self._store(stored, report)
            except StoreConflict:
                continue
            if report.status not in ARRIVED:
                await self._record_failure(stored.value, report, now)
            return True
        raise Contended("The mail's record kept changing; report again in a minute.")

    async def _store(self, stored: Stored[MailRecord], report: DeliveryReport) -> None:
        record, address = stored.value, report.recipient.casefold()
        known = record.reports.get(address)
        if known == report.status or (known and known not in ARRIVED):  # a failure is final
            return
        reports = {**record.reports, address: report.status}
        state = _state(record, reports)
        await self.records.save(replace(record, reports=reports, state=state), stored.etag)

    async def _record_failure(self, record: MailRecord, report: DeliveryReport, now: datetime) -> None:
        if not record.is_failure_recorded:
            logger.warning(
                "mail_of_reviewers_failed operation=%s reason=%s", record.operation_id, report.status
            )
            return
        address = record.private_of or report.recipient
        # A server's response often quotes the address, so it is as private as the address.
        detail = None if record.private_of else (report.detail or "")[:_LONGEST_DETAIL] or None

        def failed(referral: Referral, context: CommandContext) -> Change:
            return record_failed_mail(
                referral, record.message, address, report.status, context, detail=detail
            )

        operation_id = derived_operation("mailReport", record.operation_id, report.recipient.casefold())
        await self.commits.append_entry_once(record.reader, operation_id, failed, now)


def _state(record: MailRecord, reports: Mapping[str, DeliveryStatus]) -> MailState:
    if any(status not in ARRIVED for status in reports.values()):
        return "bounced"
    recipients = {address.casefold() for address in record.recipients}
    return "delivered" if recipients <= reports.keys() else record.state


def _is_to(record: MailRecord, recipient: str) -> bool:
    return recipient.casefold() in {address.casefold() for address in record.recipients}
