"""What the clock makes due on a referral, and the work of reminders and escalations (L4, M3, G7)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.ids import ReferralId, RegistrationId, derived_operation
from shared.domain.lifecycle import is_overdue
from shared.domain.referral import Referral
from shared.domain.work import Notify, Work, work_of

FIRST_REMINDER = timedelta(hours=24)
"""After how long without an answer the first reminder goes out (M3)."""
LAST_REMINDER = timedelta(days=3)
"""How long before expiry the last one does (M3)."""
_OF_REFERRAL = ("reminder-first", "reminder-last")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """A reminder or an escalation: the fixed label of its work row, and when it is due."""

    label: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is due now, and when the clock has to be looked at next (None: never)."""

    expiry: bool = False
    reminder: Reminder | None = None
    next_at: datetime | None = None


def due_on_referral(referral: Referral, labels: Collection[str], now: datetime) -> Due:
    """What the clock asks for at `now`; `labels` are those of the work rows that exist.

    Of several reminders whose time has come only the latest is due: one that was missed while the service was
    down is not sent on top of the next.
    """
    if referral.status != "New" or referral.expires_at is None:
        return Due()
    if is_overdue(referral, now):
        return Due(expiry=True)
    reminders = reminders_of(referral)
    past = [reminder for reminder in reminders if reminder.at <= now]
    to_come = [reminder.at for reminder in reminders if reminder.at > now]
    latest = past[-1] if past and past[-1].label not in labels else None
    return Due(reminder=latest, next_at=min([*to_come, referral.expires_at]))


def reminders_of(referral: Referral) -> tuple[Reminder, ...]:
    """The reminders of a referral in order of time; a short response window leaves out those that make no sense."""
    if referral.expires_at is None:
        return ()
    first, last = _OF_REFERRAL
    planned = (
        Reminder(label=first, at=referral.created_at + FIRST_REMINDER),
        Reminder(label=last, at=referral.expires_at - LAST_REMINDER),
    )
    sensible = (r for r in planned if referral.created_at < r.at < referral.expires_at)
    return tuple(sorted(sensible, key=lambda reminder: reminder.at))


def reminder_work(referral_id: ReferralId, label: str) -> Work:
    """The work of the reminder or escalation of this label: a mail to whoever has to act.

    An escalation goes to the review team's lead, a reminder to those who can answer or correct.
    """
    if label in _OF_REFERRAL:
        task = Notify(message="reminder", audience="answerers")
        return work_of(referral_id, label, derived_operation(label, referral_id), (task,))
    message, registration_id, *_ = label.split(":")
    registration = RegistrationId(registration_id)
    if message == "registrationEscalated":
        task = Notify(message="registrationEscalated", audience="reviewLead", registration=registration)
    else:
        task = Notify(message="actionReminder", audience="registrants", registration=registration)
    return work_of(referral_id, label, derived_operation(label), (task,))
