"""What the clock makes due on a registration: escalations and reminders (rule G7)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from shared.domain.ids import RegistrationId
from shared.domain.messages import MailKind
from shared.domain.registration import Registration
from shared.domain.work import Notify
from shared.domain.working_days import WorkingCalendar

ESCALATED_EVERY = 5
"""Working days without a decision."""
FIRST_REMINDER, REMINDED_EVERY, MOST_REMINDERS = timedelta(days=30), timedelta(days=7), 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Nudge:
    """A mail that the clock asks for: the fixed label of its work row, and what it says."""

    label: str
    message: MailKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewDue:
    """What is due now, and when the clock has to be looked at next (None: never)."""

    nudge: Nudge | None = None
    next_at: datetime | None = None


def what_is_due(
    registration: Registration, labels: Collection[str], now: datetime, calendar: WorkingCalendar
) -> ReviewDue:
    """What the clock asks for at `now`; `labels` are those of the work rows that exist, `calendar` the reviewers'.

    Of several whose time has come only the latest is due: what was missed while the service was down is not sent on
    top of the next.
    """
    if registration.status == "ReviewPending" and registration.submitted_at:
        return _escalation(registration, registration.submitted_at, labels, now, calendar)
    if registration.status == "ActionRequired" and registration.decided_at:
        return _reminder(registration, registration.decided_at, labels, now)
    return ReviewDue()


def nudge_task(label: str) -> Notify:
    """What a nudge's work row has to do: an escalation goes to the team's lead, a reminder to the partner."""
    message, registration_id, *_ = label.split(":")
    if message == "registrationEscalated":
        return Notify(
            message="registrationEscalated",
            audience="reviewLead",
            registration=RegistrationId(registration_id),
        )
    return Notify(
        message="actionReminder", audience="registrants", registration=RegistrationId(registration_id)
    )


def _escalation(
    registration: Registration,
    since: datetime,
    labels: Collection[str],
    now: datetime,
    calendar: WorkingCalendar,
) -> ReviewDue:
    at = since
    for number in count():
        following = calendar.after(at, ESCALATED_EVERY)
        if following > now:
            nudge = _nudge(registration, "registrationEscalated", number) if number else None
            return _unless_done(nudge, labels, following)
        at = following
    return ReviewDue()


def _reminder(
    registration: Registration, since: datetime, labels: Collection[str], now: datetime
) -> ReviewDue:
    first = since + FIRST_REMINDER
    if now < first:
        return ReviewDue(next_at=first)
    number = min((now - first) // REMINDED_EVERY + 1, MOST_REMINDERS)
    following = first + number * REMINDED_EVERY if number < MOST_REMINDERS else None
    return _unless_done(_nudge(registration, "actionReminder", number), labels, following)


def _nudge(registration: Registration, message: MailKind, number: int) -> Nudge:
    label = f"{message}:{registration.id}:{registration.rounds:03d}:{number:03d}"
    return Nudge(label=label, message=message)


def _unless_done(nudge: Nudge | None, labels: Collection[str], next_at: datetime | None) -> ReviewDue:
    done = nudge is None or nudge.label in labels
    return ReviewDue(nudge=None if done else nudge, next_at=next_at)
