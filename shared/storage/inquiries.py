"""Submitted requests for information (R2).

A request is stored with the application that submitted it, in one transaction with its leads, the work of delivering
them, and its idempotency key.
"""

from collections.abc import AsyncIterator, Sequence

from shared.domain.ids import InquiryId, OrganizationId, ReferralId
from shared.domain.inquiry import SubmittedInquiry
from shared.domain.referral import Referral, ReferralKey
from shared.domain.work import Work
from shared.storage import keys
from shared.storage.codec import Codec, SetAside, log_set_aside
from shared.storage.idempotency import RequestKey
from shared.storage.referral_lists import REFERRALS
from shared.storage.referrals import WORK, require_lead_sizes
from shared.storage.tables import Insert, Operation, Tables

_INQUIRIES = Codec[SubmittedInquiry](SubmittedInquiry)


class Inquiries:
    """The repository of requests for information. Its methods raise as `Tables` does, and `RecordUnreadable`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def insert(
        self,
        submitted: SubmittedInquiry,
        leads: Sequence[Referral],
        work: Work,
        key: RequestKey | None,
    ) -> None:
        """Store a request with its leads, work and idempotency key.

        Raises `StoreConflict` if it, or a request with its key, exists; `RecordTooLarge`, before anything is sent, if
        a lead exceeds the limit of an invitation, or all together that of a transaction.
        """
        record = inquiry_key(submitted)
        operations: list[Operation] = [
            Insert(_INQUIRIES.row(keys.inquiry(submitted.id), submitted)),
            Insert(WORK.row(keys.work(record.referral_id, work.label), work)),
            *(Insert(REFERRALS.row(keys.invitation(record.referral_id, lead.id), lead)) for lead in leads),
        ]
        if key:
            operations.append(key.operation())
        partition = keys.partition_of(record.organization_id)
        require_lead_sizes(partition, leads, operations)
        await self._tables.write(keys.REFERRALS, partition, operations)

    async def get(self, organization_id: OrganizationId, inquiry_id: InquiryId) -> SubmittedInquiry | None:
        """A request of an application, or None."""
        partition = keys.partition_of(organization_id)
        row = await self._tables.get(keys.REFERRALS, partition, keys.inquiry(inquiry_id))
        return _INQUIRIES.read(row) if row else None

    async def scan_all(self, set_aside: SetAside = log_set_aside) -> AsyncIterator[SubmittedInquiry]:
        """All requests of all applications, for operator tools: reads the whole table.

        `set_aside` is called for each row that cannot be parsed.
        """
        async for row in self._tables.scan_table(keys.REFERRALS):
            is_inquiry = row.key.startswith(keys.inquiry(InquiryId("")))
            if is_inquiry and (submitted := _INQUIRIES.readable(row, set_aside)):
                yield submitted


def inquiry_key(submitted: SubmittedInquiry) -> ReferralKey:
    """The key of a request; its work and orchestration have the same keys as those of a referral."""
    return ReferralKey(organization_id=submitted.organization_id, referral_id=ReferralId(submitted.id))
