"""Announce commits: before each commit, write intents for the work that it opens and for the next due time.

So the sweep finds the record even if the handler crashes right after the commit, and no reminder, expiry or
escalation depends on the durable engine alone.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.change import Change
from shared.domain.due import Due, due_on_referral
from shared.domain.referral import ReferralKey
from shared.domain.review_due import due_on_registration
from shared.domain.work import Work
from shared.errors import StoreUnavailable
from shared.reference.review_calendar import review_calendar
from shared.storage.intents import Intent, Intents

logger = logging.getLogger(__name__)

FIRST_LOOK = timedelta(minutes=1)
"""How long after a commit the sweep looks at its work: by then it has usually been done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcements:
    """Announces commits. Intents are stamped with the `wall_clock`, which later tells their age."""

    intents: Intents
    wall_clock: Callable[[], datetime]

    async def announce(self, change: Change, now: datetime) -> Change:
        """Announce a step; returns the step to commit. Raises `StoreUnavailable`."""
        work = _announced(change.work, now) if change.work else None
        intents = [*self.due_intents(change, now)]
        if work:
            intents.append(self.commit_intent(change.after.key, work))
        if intents:
            await self.intents.announce(*intents)
        return replace(change, work=work)

    async def announce_work(self, record: ReferralKey, work: Work, now: datetime) -> Work:
        """Announce work that is stored without a step; returns the work to store. Raises `StoreUnavailable`."""
        announced = _announced(work, now)
        await self.intents.announce(self.commit_intent(record, announced))
        return announced

    async def withdraw(self, change: Change) -> None:
        """Remove the announcement of a step that was refused; if storage fails, the sweep removes it later."""
        if change.work:
            await self.withdraw_work(change.after.key, change.work)

    async def withdraw_work(self, record: ReferralKey, work: Work) -> None:
        """As `withdraw`, for work that is stored without a step."""
        if work.announced_for is None:
            return
        try:
            await self.intents.remove_commit(work.operation_id, work.announced_for)
        except StoreUnavailable:
            logger.info("intent_left referral=%s: the sweep will remove it", record.referral_id)

    def commit_intent(self, record: ReferralKey, work: Work) -> Intent:
        """The intent that announces work."""
        return Intent(
            id=work.operation_id,
            reason="commit",
            party=record,
            label=work.label,
            at=self.wall_clock(),
            due=work.announced_for or self.wall_clock(),
        )

    def due_intents(self, change: Change, now: datetime) -> Iterator[Intent]:
        """The intents for the next due times of a new record, and of the reviews of changed registrations."""
        after = change.after
        if change.before is None and (due := _next(due_on_referral(after, (), now), now)):
            yield Intent(id=after.id, reason="moment", party=after.key, at=self.wall_clock(), due=due)
        for registration in change.registrations:
            if due := _next(due_on_registration(registration, (), now, review_calendar()), now):
                yield Intent(
                    id=registration.id,
                    reason="moment",
                    party=after.key,
                    registration=registration.id,
                    at=self.wall_clock(),
                    due=due,
                )


def _announced(work: Work, now: datetime) -> Work:
    return replace(work, announced_for=now + FIRST_LOOK)


def _next(due: Due, now: datetime) -> datetime | None:
    return now if due.expiry or due.reminder else due.next_at
