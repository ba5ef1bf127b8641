"""Announce commits: before each commit, write intents for the work that it opens and for the next due time.

So the sweep finds the record even if the handler crashes right after the commit, and no reminder, expiry or
escalation depends on the durable engine alone. A commit that invites also announces the referrals that the
invitations become, in the same request to storage.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.change import Change
from shared.domain.due import Due, due_on_referral
from shared.domain.referral import ReferralKey
from shared.domain.review_due import due_on_registration
from shared.domain.work import Work
from shared.errors import StoreUnavailable
from shared.reference.review_calendar import review_calendar
from shared.storage.intents import Intent, IntentPlace, Intents
from shared.storage.tables import in_transactions
from shared.workflow.arrivals import arrival_of_invitation

logger = logging.getLogger(__name__)

FIRST_LOOK = timedelta(minutes=1)
"""How long after a commit the sweep looks at its work: by then it has usually been done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcements:
    """Announces commits. Intents are stamped with the `wall_clock`, which later tells their age."""

    intents: Intents
    wall_clock: Callable[[], datetime]

    async def announce(self, change: Change, now: datetime) -> Change:
        """Announce a step and what its invitations become; returns the step to commit. Raises `StoreUnavailable`."""
        announced, *_ = await self.announce_all((change, *_arrivals(change, now)), now)
        return announced

    async def announce_all(self, changes: Sequence[Change], now: datetime) -> list[Change]:
        """Announce several steps; returns the steps to commit. Raises `StoreUnavailable`."""
        announced = [announced_step(change, now) for change in changes]
        await self._write([intent for change in announced for intent in self._intents(change, now)])
        return announced

    async def announce_work(
        self, record: ReferralKey, work: Work, now: datetime, leads: Sequence[Change] = ()
    ) -> Work:
        """Announce work that is stored without a step, and the leads that it will deliver; returns the work to store.

        Raises `StoreUnavailable`.
        """
        announced = _announced(work, now)
        steps = [announced_step(lead, now) for lead in leads]
        of_leads = [intent for step in steps for intent in self._intents(step, now)]
        await self._write([self._commit_intent(record, announced), *of_leads])
        return announced

    async def announce_moment(self, record: ReferralKey, now: datetime) -> None:
        """Have the sweep look at a record soon, and from then on whenever something is due on it.

        Raises `StoreUnavailable`.
        """
        moment = Intent(
            id=record.referral_id,
            reason="moment",
            party=record,
            at=self.wall_clock(),
            due=now + FIRST_LOOK,
        )
        await self._write([moment])

    async def withdraw(self, change: Change) -> None:
        """Remove the announcement of a step that was refused; if storage fails, the sweep removes it later.

        The intents of what its invitations become stay, since the next attempt at the step announces the same.
        """
        if change.work:
            await self.withdraw_work(change.after.key, change.work)

    async def withdraw_work(self, record: ReferralKey, work: Work) -> None:
        """As `withdraw`, for work that is stored without a step."""
        place = place_of(work)
        try:
            await self.intents.remove(*([place] if place else []))
        except StoreUnavailable:
            logger.info("intent_left referral=%s: the sweep will remove it", record.referral_id)

    async def _write(self, intents: Sequence[Intent]) -> None:
        for group in in_transactions(intents):
            await self.intents.announce(*group)

    def _intents(self, change: Change, now: datetime) -> Iterator[Intent]:
        """The intents for a step's work, for the next due time of a new record, and for reviews that it changes."""
        after = change.after
        if change.work:
            yield self._commit_intent(after.key, change.work)
        if change.before is None and (due := next_due(due_on_referral(after, (), now), now)):
            yield Intent(id=after.id, reason="moment", party=after.key, at=self.wall_clock(), due=due)
        for registration in change.registrations:
            if due := next_due(due_on_registration(registration, (), now, review_calendar()), now):
                yield Intent(
                    id=registration.id,
                    reason="moment",
                    party=after.key,
                    registration=registration.id,
                    at=self.wall_clock(),
                    due=due,
                )

    def _commit_intent(self, record: ReferralKey, work: Work) -> Intent:
        return Intent(
            id=work.operation_id,
            reason="commit",
            party=record,
            label=work.label,
            at=self.wall_clock(),
            due=work.announced_for or self.wall_clock(),
        )


def announced_step(change: Change, now: datetime) -> Change:
    """A step whose work says where its intent is."""
    return replace(change, work=_announced(change.work, now)) if change.work else change


def place_of(work: Work) -> IntentPlace | None:
    """Where the intent is that announced this work, unless the sweep has moved it."""
    return (work.announced_for, work.operation_id) if work.announced_for else None


def place_of_done(work: Work) -> IntentPlace | None:
    """Where the intent is that is not needed any more, if this work is done."""
    return None if work.open else place_of(work)


def next_due(due: Due, now: datetime) -> datetime | None:
    """When something is due: now, or later; None if nothing will be."""
    return now if due.expiry or due.reminder else due.next_at


def _arrivals(change: Change, now: datetime) -> Iterator[Change]:
    return (arrival_of_invitation(invitation, change.after, now) for invitation in change.invitations)


def _announced(work: Work, now: datetime) -> Work:
    return replace(work, announced_for=now + FIRST_LOOK)
