"""Store a request for information, and deliver its leads (R2).

As with a deal's invitations, the request is stored in one transaction, after which its leads will be delivered: by
the handler at once, or else by the work of the request. Delivering twice is safe because leads are only inserted.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.inquiry import SubmittedInquiry
from shared.domain.referral import Referral, ReferralKey
from shared.domain.work import Deliver, label_of, work_of
from shared.errors import StoreConflict, StoreUnavailable
from shared.storage.engagements import Engagements
from shared.storage.idempotency import IdempotencyKeys, RequestKey
from shared.storage.inquiries import Inquiries, inquiry_key
from shared.storage.referrals import Referrals
from shared.workflow.announce import Announcements, announced_step
from shared.workflow.arrivals import arrival_of_lead
from shared.workflow.commit import Commits, Committed, complete_all, create_once

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
        arrivals = [arrival_of_lead(lead, taken.organization_id, taken.at) for lead in leads]
        work = await self.announcements.announce_work(record, work, taken.at, arrivals)
        key = key and key.with_result(taken.id)

        async def attempt() -> SubmittedInquiry | None:
            try:
                await self.inquiries.insert(taken, leads, work, key)
            except (StoreConflict, StoreUnavailable) as failed:
                logger.info("intake_uncertain inquiry=%s: %s", taken.id, failed)
                return await self.inquiries.get(taken.organization_id, taken.id)
            return taken

        stored = await create_once(attempt, self.idempotency_keys, key)
        if stored is None and key:  # the request that used the key may be this one, stored late
            stored = await self.inquiries.get(taken.organization_id, taken.id)
        if stored is None:
            await self.announcements.withdraw_work(record, work)
        return stored

    async def deliver_new(
        self, taken: SubmittedInquiry, leads: Sequence[Referral]
    ) -> Sequence[Committed] | None:
        """Deliver the leads right after the request was stored, which has announced them; None if storage fails."""
        arrivals = [arrival_of_lead(lead, taken.organization_id, taken.at) for lead in leads]
        try:
            await complete_all(self.engagements.join(lead, []) for lead in leads)
            return await self.commits.insert_once([announced_step(each, taken.at) for each in arrivals])
        except StoreUnavailable:
            logger.warning("leads_pending inquiry=%s: left to its work", taken.id)
            return None

    async def deliver(self, record: ReferralKey, leads: Sequence[Referral], now: datetime) -> list[Committed]:
        """Deliver those leads of a request that are not delivered yet, and return them.

        Raises `StoreUnavailable` if one could not be delivered.
        """
        delivered = {each.id for each in await self.referrals.get_many(lead.key for lead in leads)}
        missing = [lead for lead in leads if lead.id not in delivered]
        if not missing:
            return []
        arrivals = [arrival_of_lead(lead, record.organization_id, now) for lead in missing]
        announced = await self.announcements.announce_all(arrivals, now)
        await complete_all(self.engagements.join(lead, []) for lead in missing)
        return await self.commits.insert_once(announced)
