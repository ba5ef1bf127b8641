"""What a registration's orchestration has to do now, and when to look again: read from the tables each time."""

import logging
from datetime import datetime

from shared.domain.ids import RegistrationId
from shared.domain.referral import ReferralKey
from shared.domain.review_due import what_is_due
from shared.reference.review_calendar import last_year_with_holidays, review_calendar
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations
from shared.workflow.observe import Plan, Step, observe, steps_of

logger = logging.getLogger(__name__)


async def observe_review(
    referrals: Referrals,
    registrations: Registrations,
    deal: ReferralKey,
    registration_id: RegistrationId,
    now: datetime,
) -> Plan:
    """Look at registration, clock and the open work that the clock made; other work is the deal's.

    A registration that does not exist has nothing to do.
    """
    registration = await registrations.get(deal, registration_id)
    if registration is None:
        return Plan(finished=True, missing=True)
    rows = [row for row in await referrals.work(deal) if f":{registration_id}:" in row.value.label]
    work = [row.value for row in rows]
    due = what_is_due(registration, {row.label for row in work}, now, review_calendar())
    _warn_of_a_calendar_that_ends(due.next_at)
    steps = [Step(kind="nudge", label=due.nudge.label)] if due.nudge else []
    steps += steps_of(rows, now)
    to_come = [at for at in (due.next_at, *(row.next_at for row in work if row.open)) if at]
    finished = registration.closed and not any(row.open for row in work)
    return Plan(steps=tuple(steps), next_at=min(to_come, default=None), finished=finished and not steps)


async def observe_either(
    referrals: Referrals,
    registrations: Registrations,
    party: ReferralKey,
    registration_id: RegistrationId | None,
    now: datetime,
) -> Plan:
    """The plan of a referral's orchestration, or of that of the review of one of its registrations."""
    if registration_id is None:
        return await observe(referrals, party, now)
    return await observe_review(referrals, registrations, party, registration_id, now)


def _warn_of_a_calendar_that_ends(next_at: datetime | None) -> None:
    if next_at and next_at.year > last_year_with_holidays():
        logger.warning("review_calendar_ends: add the holidays of %d to review_calendar.toml", next_at.year)
