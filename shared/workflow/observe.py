"""Observe a record: read it with its work, and determine what is due now, and when to look again."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.domain.due import Due, due_on_referral
from shared.domain.ids import RegistrationId
from shared.domain.referral import Referral, ReferralKey
from shared.domain.registration import Registration
from shared.domain.review_due import due_on_registration
from shared.domain.work import Work
from shared.reference.review_calendar import last_year_with_holidays, review_calendar
from shared.storage.codec import Stored
from shared.storage.known_referrals import KnownReferrals
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations

logger = logging.getLogger(__name__)

StepKind = Literal["expire", "remind", "perform"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """Something to do: the expiry, a reminder, or the work row of this `label`."""

    kind: StepKind
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps to do now, in order; and when something becomes due, None if nothing will.

    `missing` means that the record does not exist.
    """

    steps: tuple[PlannedStep, ...] = ()
    next_at: datetime | None = None
    missing: bool = False

    @property
    def finished(self) -> bool:
        """Whether there is nothing to do, now or later."""
        return not self.steps and self.next_at is None


@dataclass(slots=True, kw_only=True)
class Observed:
    """A record as read, with its work rows by label. A request for information has work and no record."""

    record: Referral | Registration | None
    rows: dict[str, Stored[Work]]

    def plan(self, now: datetime) -> Plan:
        """Plan expiry and reminders first, then open work by sequence."""
        if self.record is None and not self.rows:
            return Plan(missing=True)
        due = self._due(now)
        steps = [PlannedStep(kind="expire")] if due.expiry else []
        if due.reminder:
            steps.append(PlannedStep(kind="remind", label=due.reminder.label))
        work = [row.value for _, row in sorted(self.rows.items()) if row.value.open]
        steps += [PlannedStep(kind="perform", label=each.label) for each in work if each.is_due(now)]
        times = [at for at in (due.next_at, *(each.next_at for each in work)) if at]
        return Plan(steps=tuple(steps), next_at=min(times, default=None))

    def awaits_engine(self, now: datetime) -> bool:
        """Whether an orchestration has something to do or to wait for.

        Of a referral that was answered or closed that is its work alone: its reminders are the sweep's.
        """
        plan = self.plan(now)
        if isinstance(self.record, Referral) and self.record.status != "New":
            return bool(plan.steps) or any(row.value.open for row in self.rows.values())
        return not plan.finished

    def _due(self, now: datetime) -> Due:
        match self.record:
            case Referral() as referral:
                return due_on_referral(referral, self.rows, now)
            case Registration() as registration:
                due = due_on_registration(registration, self.rows, now, review_calendar())
                _warn_if_holidays_missing(due.next_at)
                return due
            case None:
                return Due()


async def observe(
    referrals: Referrals,
    registrations: Registrations,
    key: ReferralKey,
    registration_id: RegistrationId | None,
    known: KnownReferrals | None = None,
) -> Observed:
    """Read a record, or with a registration id the registration in review. Raises as the repositories do.

    A review has the work of its reminders and escalations; other work belongs to the deal.
    """
    rows = await work_of_record(referrals, key, registration_id)  # the record must not be older than its work
    if registration_id is None:
        stored = await (known or KnownReferrals(referrals)).read(key)
        return Observed(record=stored.value if stored else None, rows=rows)
    return Observed(record=await registrations.get(key, registration_id), rows=rows)


async def work_of_record(
    referrals: Referrals, key: ReferralKey, registration_id: RegistrationId | None
) -> dict[str, Stored[Work]]:
    """The work rows of a record, or of the review of a registration, by label."""
    rows = await referrals.work(key)
    return {
        row.value.label: row
        for row in rows
        if registration_id is None or f":{registration_id}:" in row.value.label
    }


def _warn_if_holidays_missing(next_at: datetime | None) -> None:
    if next_at and next_at.year > last_year_with_holidays():
        logger.warning("review_calendar_ends: add the holidays of %d to review_calendar.toml", next_at.year)
