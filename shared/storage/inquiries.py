"""Requests for information as they were taken in (R2): the decision, and the leads that it makes.

A request lies with the application that took it in, in one transaction with its leads as they will begin, the work
of delivering them, and its idempotency key.
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

_TAKEN = Codec[SubmittedInquiry](SubmittedInquiry)


class Inquiries:
    """The repository of requests for information. Its methods raise as `Tables` does, and `RecordUnreadable`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def take(
        self,
        taken: SubmittedInquiry,
        leads: Sequence[Referral],
        work: Work,
        key: RequestKey | None,
    ) -> None:
        """Store a request whole.

        Raises `StoreConflict` if it, or one under its key, is there already; `RecordTooLarge`, before anything is
        sent, if a lead takes more than an invitation may, or all of them more than a transaction.
        """
        record = inquiry_key(taken)
        operations: list[Operation] = [
            Insert(_TAKEN.row(keys.inquiry(taken.id), taken)),
            Insert(WORK.row(keys.work(record.referral_id, work.label), work)),
            *(Insert(REFERRALS.row(keys.invitation(record.referral_id, lead.id), lead)) for lead in leads),
        ]
        if key:
            operations.append(key.operation())
        partition = keys.partition_of(record.organization_id, record.referral_id)
        require_lead_sizes(partition, leads, operations)
        await self._tables.write(keys.REFERRALS, partition, operations)

    async def get(self, organization_id: OrganizationId, inquiry_id: InquiryId) -> SubmittedInquiry | None:
        """A request of an application's."""
        partition = keys.partition_of(organization_id, ReferralId(inquiry_id))
        row = await self._tables.get(keys.REFERRALS, partition, keys.inquiry(inquiry_id))
        return _TAKEN.read(row) if row else None

    async def scan_all(self, set_aside: SetAside = log_set_aside) -> AsyncIterator[SubmittedInquiry]:
        """Every request of every application; for an operator's check, since it reads the whole table.

        `set_aside` is told of each that cannot be read.
        """
        async for row in self._tables.scan_table(keys.REFERRALS):
            is_inquiry = row.key.startswith(keys.inquiry(InquiryId("")))
            if is_inquiry and (taken := _TAKEN.readable(row, set_aside)):
                yield taken


def inquiry_key(taken: SubmittedInquiry) -> ReferralKey:
    """Where a request lies: its work and its orchestration are found as a referral's are."""
    return ReferralKey(organization_id=taken.organization_id, referral_id=ReferralId(taken.id))
