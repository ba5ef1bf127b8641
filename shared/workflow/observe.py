"""What an orchestration has to do now, and when to look again: read from the tables each time."""

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
    """One activity to run: the transition that is due, or the work row of this label, as it is with this `etag`."""

    kind: StepKind
    label: str = ""
    etag: str = ""

    @property
    def mark(self) -> str:
        """What tells this step from every other, and from itself after a try."""
        return f"{self.kind}:{self.label}:{self.etag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps to take now, in order. Without any: `finished`, or wait until `next_at` (None: only for events).

    `missing` if there is no such record at all.
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
    """The plan of a record's orchestration, or of that of the review of one of its registrations."""
    if registration_id is None:
        return await _observe_record(referrals, record, now)
    return await _observe_review(referrals, registrations, record, registration_id, now)


async def _observe_record(referrals: Referrals, record: ReferralKey, now: datetime) -> Plan:
    """Look at record, open work and clock: transitions first, then open work in order of sequence.

    Requests for information have work but no deadline. An orchestration that was started for a creation that was
    refused finds neither, and ends.
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
    """Look at registration, clock and the open work that the clock made; other work is the deal's."""
    registration = await registrations.get(deal, registration_id)
    if registration is None:
        return Plan(finished=True, missing=True)
    rows = [row for row in await referrals.work(deal) if f":{registration_id}:" in row.value.label]
    due = due_on_registration(registration, _labels(rows), now, review_calendar())
    _warn_of_a_calendar_that_ends(due.next_at)
    return _plan(due, rows, now, closed=registration.closed)


def _plan(due: Due, rows: Sequence[Stored[Work]], now: datetime, *, closed: bool) -> Plan:
    steps = [PlannedStep(kind="expire")] if due.expiry else []
    if due.reminder:
        steps.append(PlannedStep(kind="remind", label=due.reminder.label))
    steps += steps_of(rows, now)
    work = [row.value for row in rows if row.value.open]
    to_come = [at for at in (due.next_at, *(each.next_at for each in work)) if at]
    return Plan(
        steps=tuple(steps),
        next_at=min(to_come, default=None),
        finished=closed and not work and not steps,
    )


def steps_of(rows: Iterable[Stored[Work]], now: datetime) -> list[PlannedStep]:
    """The steps that work rows ask for now."""
    return [
        PlannedStep(kind="perform", label=row.value.label, etag=row.etag)
        for row in rows
        if row.value.open and row.value.is_due(now)
    ]


def _labels(rows: Iterable[Stored[Work]]) -> set[str]:
    return {row.value.label for row in rows}


def _warn_of_a_calendar_that_ends(next_at: datetime | None) -> None:
    if next_at and next_at.year > last_year_with_holidays():
        logger.warning("review_calendar_ends: add the holidays of %d to review_calendar.toml", next_at.year)
