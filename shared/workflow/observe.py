"""Determine from the tables what an orchestration has to do now, and when to look again."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.domain.due import Due, due_on_referral
from shared.domain.ids import RegistrationId
from shared.domain.referral import ReferralKey
from shared.domain.review_due import due_on_registration
from shared.domain.work import Work
from shared.reference.review_calendar import last_year_with_holidays, review_calendar
from shared.storage.codec import Stored
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations

logger = logging.getLogger(__name__)

StepKind = Literal["expire", "remind", "perform"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """An activity to run: expiry, a reminder, or the work row of this `label`, whose version is `etag`."""

    kind: StepKind
    label: str = ""
    etag: str = ""

    @property
    def mark(self) -> str:
        """Identifies the step and its version: after an attempt, the same step has another mark."""
        return f"{self.kind}:{self.label}:{self.etag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps to run now, in order. If there are none: `finished`, or wait until `next_at` (None: for events only).

    `missing` means that the record does not exist.
    """

    steps: tuple[PlannedStep, ...] = ()
    next_at: datetime | None = None
    finished: bool = False
    missing: bool = False


async def observe(
    referrals: Referrals,
    registrations: Registrations,
    record: ReferralKey,
    registration_id: RegistrationId | None,
    now: datetime,
) -> Plan:
    """The plan for a record's orchestration, or for the review of one of its registrations."""
    if registration_id is None:
        return await _observe_record(referrals, record, now)
    return await _observe_review(referrals, registrations, record, registration_id, now)


async def _observe_record(referrals: Referrals, record: ReferralKey, now: datetime) -> Plan:
    """Plan expiry and reminders first, then open work by sequence.

    Requests for information have work but no deadline. The orchestration of a refused creation finds neither, and
    ends.
    """
    stored = await referrals.get(record)
    rows = await referrals.work(record)
    due = due_on_referral(stored.value, _labels(rows), now) if stored else Due()
    if stored is None and not rows:
        return Plan(finished=True, missing=True)
    return _plan(due, rows, now, closed=stored is None or stored.value.is_closed)


async def _observe_review(
    referrals: Referrals,
    registrations: Registrations,
    deal: ReferralKey,
    registration_id: RegistrationId,
    now: datetime,
) -> Plan:
    """Plan the review's reminders and escalations and their work; other work belongs to the deal's orchestration."""
    registration = await registrations.get(deal, registration_id)
    if registration is None:
        return Plan(finished=True, missing=True)
    rows = [row for row in await referrals.work(deal) if f":{registration_id}:" in row.value.label]
    due = due_on_registration(registration, _labels(rows), now, review_calendar())
    _warn_if_holidays_missing(due.next_at)
    return _plan(due, rows, now, closed=registration.closed)


def _plan(due: Due, rows: Sequence[Stored[Work]], now: datetime, *, closed: bool) -> Plan:
    steps = [PlannedStep(kind="expire")] if due.expiry else []
    if due.reminder:
        steps.append(PlannedStep(kind="remind", label=due.reminder.label))
    steps += steps_of(rows, now)
    work = [row.value for row in rows if row.value.open]
    due_times = [at for at in (due.next_at, *(each.next_at for each in work)) if at]
    return Plan(
        steps=tuple(steps),
        next_at=min(due_times, default=None),
        finished=closed and not work and not steps,
    )


def steps_of(rows: Iterable[Stored[Work]], now: datetime) -> list[PlannedStep]:
    """The steps for the work rows that are due."""
    return [
        PlannedStep(kind="perform", label=row.value.label, etag=row.etag)
        for row in rows
        if row.value.open and row.value.is_due(now)
    ]


def _labels(rows: Iterable[Stored[Work]]) -> set[str]:
    return {row.value.label for row in rows}


def _warn_if_holidays_missing(next_at: datetime | None) -> None:
    if next_at and next_at.year > last_year_with_holidays():
        logger.warning("review_calendar_ends: add the holidays of %d to review_calendar.toml", next_at.year)
