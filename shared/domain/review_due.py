"""What is due on a registration at a given time: escalations and reminders (rule G7)."""

from collections.abc import Collection
from datetime import datetime, timedelta
from itertools import count

from shared.domain.due import Due, Reminder
from shared.domain.messages import MailKind
from shared.domain.registration import Registration
from shared.domain.working_days import WorkingCalendar

ESCALATION_INTERVAL = 5
"""Working days between two escalations, while there is no decision."""
FIRST_REMINDER, REMINDER_INTERVAL, MAX_REMINDERS = timedelta(days=30), timedelta(days=7), 12


def due_on_registration(
    registration: Registration, labels: Collection[str], now: datetime, calendar: WorkingCalendar
) -> Due:
    """What is due at `now`. `labels` are the labels of the existing work rows, `calendar` is the reviewers'.

    If several are past their time, only the latest is due: one that was missed while the service was down is not sent
    together with the next.
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
        following = calendar.after(at, ESCALATION_INTERVAL)
        if following > now:
            escalation = _new_reminder(registration, "registrationEscalated", number, at) if number else None
            return _due(escalation, labels, following)
        at = following
    return Due()


def _reminder(registration: Registration, since: datetime, labels: Collection[str], now: datetime) -> Due:
    first = since + FIRST_REMINDER
    if now < first:
        return Due(next_at=first)
    number = min((now - first) // REMINDER_INTERVAL + 1, MAX_REMINDERS)
    following = first + number * REMINDER_INTERVAL if number < MAX_REMINDERS else None
    at = first + (number - 1) * REMINDER_INTERVAL
    return _due(_new_reminder(registration, "actionReminder", number, at), labels, following)


def _new_reminder(registration: Registration, message: MailKind, number: int, at: datetime) -> Reminder:
    return Reminder(label=f"{message}:{registration.id}:{registration.rounds:03d}:{number:03d}", at=at)


def _due(reminder: Reminder | None, labels: Collection[str], next_at: datetime | None) -> Due:
    done = reminder is None or reminder.label in labels
    return Due(reminder=None if done else reminder, next_at=next_at)
