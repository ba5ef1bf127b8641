"""Taking a request for information in, and delivering its leads (R2).

As with a deal's invitations, the request is decided in one transaction; from then on its leads exist or will. The
handler delivers them at once, the orchestration does it again, and neither harms the other: a lead is inserted only.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.change import CommandContext
from shared.domain.ids import OrganizationId, derived_operation
from shared.domain.inquiry import TakenInquiry
from shared.domain.lead import receive_lead
from shared.domain.lifecycle import BY_THE_CLOCK
from shared.domain.referral import Referral, ReferralKey
from shared.domain.work import Deliver, label_of, work_of
from shared.errors import Contended, StoreConflict, StoreUnavailable
from shared.storage.engagements import Engagements
from shared.storage.inquiries import Inquiries, party_of
from shared.storage.referrals import IdempotencyRecord, Referrals, Stored
from shared.workflow.announce import Announcements
from shared.workflow.commit import ATTEMPTS, Commits

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Takes requests in and delivers their leads."""

    inquiries: Inquiries
    referrals: Referrals
    engagements: Engagements
    announcements: Announcements
    commits: Commits

    async def take(
        self,
        taken: TakenInquiry,
        leads: Sequence[Referral],
        idempotency: IdempotencyRecord | None,
        replaced: Stored[IdempotencyRecord] | None,
    ) -> IdempotencyRecord | None:
        """Store a request; gives the record of the same key if that request was stored first, else None.

        Raises `Contended` after five tries, `StoreUnavailable`, `RecordTooLarge`.
        """
        party = party_of(taken)
        work = work_of(party.referral_id, label_of(1), taken.operation_id, (Deliver(),))
        work = await self.announcements.announce_work(party, work, taken.at)
        for _ in range(ATTEMPTS):
            try:
                await self.inquiries.take(taken, leads, work, idempotency, replaced)
            except (StoreConflict, StoreUnavailable) as failed:
                logger.info("intake_uncertain inquiry=%s: %s", taken.id, failed)
            else:
                return None
            if await self.inquiries.get(taken.organization_id, taken.id):
                return None  # storage took what it did not confirm
            if idempotency and (first := await self._under_the_same_key(idempotency, replaced)):
                await self.announcements.withdraw_work(party, work)
                return first
        raise Contended("The request could not be stored; repeat it in a second.")

    async def deliver(self, party: ReferralKey, now: datetime) -> Sequence[Referral]:
        """Bring a request's leads into being, and give them. Raises `StoreUnavailable` if one could not be."""
        leads = await self.referrals.invitations(party)
        outcomes = await asyncio.gather(
            *(self._deliver(lead, party.organization_id, now) for lead in leads), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return leads

    async def deliver_or_leave_to_work(self, party: ReferralKey, now: datetime) -> None:
        """Deliver at once; what storage refuses now, the orchestration delivers later."""
        try:
            await self.deliver(party, now)
        except StoreUnavailable:
            logger.warning("leads_pending inquiry=%s: the orchestration will deliver them", party.referral_id)

    async def _deliver(self, lead: Referral, by: OrganizationId, now: datetime) -> None:
        await self.engagements.join(lead, [])
        context = CommandContext(actor=BY_THE_CLOCK, now=now, operation_id=derived_operation("lead", lead.id))
        await self.commits.bring_in(receive_lead(lead, by, context), now)

    async def _under_the_same_key(
        self, wanted: IdempotencyRecord, replaced: Stored[IdempotencyRecord] | None
    ) -> IdempotencyRecord | None:
        found = await self.referrals.idempotency(wanted.organization_id, wanted.key_hash)
        if found is None or (replaced and found.etag == replaced.etag):
            return None
        return found.value
