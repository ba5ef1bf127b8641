"""What the clock makes due on a registration: escalations and reminders (rule G7)."""

from collections.abc import Collection
from datetime import datetime, timedelta
from itertools import count

from shared.domain.due import Due, Reminder
from shared.domain.messages import MailKind
from shared.domain.registration import Registration
from shared.domain.working_days import WorkingCalendar

ESCALATED_EVERY = 5
"""Working days without a decision."""
FIRST_REMINDER, REMINDED_EVERY, MOST_REMINDERS = timedelta(days=30), timedelta(days=7), 12


def due_on_registration(
    registration: Registration, labels: Collection[str], now: datetime, calendar: WorkingCalendar
) -> Due:
    """What the clock asks for at `now`; `labels` are those of the work rows that exist, `calendar` the reviewers'.

    Of several whose time has come only the latest is due: what was missed while the service was down is not sent on
    top of the next.
    """
    if registration.status == "ReviewPending" and registration.submitted_at:
        return _escalation(registration, registration.submitted_at, labels, now, calendar)
    if registration.status == "ActionRequired" and registration.decided_at:
        return _reminder(registration, registration.decided_at, labels, now)
    return Due()


def _escalation(
    registration: Registration,
    since: datetime,
    labels: Collection[str],
    now: datetime,
    calendar: WorkingCalendar,
) -> Due:
    at = since
    for number in count():
        following = calendar.after(at, ESCALATED_EVERY)
        if following > now:
            escalation = _labelled(registration, "registrationEscalated", number, at) if number else None
            return _unless_done(escalation, labels, following)
        at = following
    return Due()


def _reminder(registration: Registration, since: datetime, labels: Collection[str], now: datetime) -> Due:
    first = since + FIRST_REMINDER
    if now < first:
        return Due(next_at=first)
    number = min((now - first) // REMINDED_EVERY + 1, MOST_REMINDERS)
    following = first + number * REMINDED_EVERY if number < MOST_REMINDERS else None
    at = first + (number - 1) * REMINDED_EVERY
    return _unless_done(_labelled(registration, "actionReminder", number, at), labels, following)


def _labelled(registration: Registration, message: MailKind, number: int, at: datetime) -> Reminder:
    return Reminder(label=f"{message}:{registration.id}:{registration.rounds:03d}:{number:03d}", at=at)


def _unless_done(reminder: Reminder | None, labels: Collection[str], next_at: datetime | None) -> Due:
    done = reminder is None or reminder.label in labels
    return Due(reminder=None if done else reminder, next_at=next_at)
