"""Store a request for information, and deliver its leads (R2).

As with a deal's invitations, the request is stored in one transaction, after which its leads will be delivered. The
handler delivers them at once and the orchestration again; that is safe because leads are only inserted.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.change import CommandContext
from shared.domain.ids import OrganizationId, derived_operation
from shared.domain.inquiry import SubmittedInquiry
from shared.domain.lead import receive_lead
from shared.domain.lifecycle import SYSTEM_ACTOR
from shared.domain.referral import Referral, ReferralKey
from shared.domain.work import Deliver, label_of, work_of
from shared.errors import StoreConflict, StoreUnavailable
from shared.storage.engagements import Engagements
from shared.storage.idempotency import IdempotencyKeys, RequestKey
from shared.storage.inquiries import Inquiries, inquiry_key
from shared.storage.referrals import Referrals
from shared.workflow.announce import Announcements
from shared.workflow.commit import Commits, create_once
from shared.workflow.invitations import complete_all

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Stores requests for information and delivers their leads."""

    inquiries: Inquiries
    idempotency_keys: IdempotencyKeys
    referrals: Referrals
    engagements: Engagements
    announcements: Announcements
    commits: Commits

    async def take(
        self, taken: SubmittedInquiry, leads: Sequence[Referral], key: RequestKey | None
    ) -> SubmittedInquiry | None:
        """Store a request; None if another request with the same key was stored first.

        Raises `Contended` after five tries, `StoreUnavailable`, `RecordTooLarge`.
        """
        record = inquiry_key(taken)
        work = work_of(record.referral_id, label_of(1), taken.operation_id, (Deliver(),))
        work = await self.announcements.announce_work(record, work, taken.at)
        key = key and key.with_result(taken.id)

        async def attempt() -> SubmittedInquiry | None:
            try:
                await self.inquiries.insert(taken, leads, work, key)
            except (StoreConflict, StoreUnavailable) as failed:
                logger.info("intake_uncertain inquiry=%s: %s", taken.id, failed)
                return await self.inquiries.get(taken.organization_id, taken.id)
            return taken

        stored = await create_once(attempt, self.idempotency_keys, key)
        if stored is None:
            await self.announcements.withdraw_work(record, work)
        return stored

    async def deliver(self, record: ReferralKey, now: datetime) -> Sequence[Referral]:
        """Deliver a request's leads, and return them. Raises `StoreUnavailable` if one could not be delivered."""
        leads = await self.referrals.invitations(record)
        await complete_all(self._deliver(lead, record.organization_id, now) for lead in leads)
        return leads

    async def deliver_or_leave_to_work(self, record: ReferralKey, now: datetime) -> None:
        """As `deliver`; if storage fails, the orchestration delivers the leads later."""
        try:
            await self.deliver(record, now)
        except StoreUnavailable:
            logger.warning(
                "leads_pending inquiry=%s: the orchestration will deliver them", record.referral_id
            )

    async def _deliver(self, lead: Referral, by: OrganizationId, now: datetime) -> None:
        await self.engagements.join(lead, [])
        context = CommandContext(actor=SYSTEM_ACTOR, now=now, operation_id=derived_operation("lead", lead.id))
        await self.commits.insert_record_once(receive_lead(lead, by, context), now)
