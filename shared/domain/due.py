"""What is due on a referral at a given time, and the work of reminders and escalations (L4, M3, G7)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.eligibility import wants_registration
from shared.domain.ids import ReferralId, RegistrationId, derived_operation
from shared.domain.lifecycle import is_overdue
from shared.domain.referral import Referral
from shared.domain.work import Notify, Work, work_of

FIRST_REMINDER = timedelta(hours=24)
"""The time after creation when the first reminder is due (M3)."""
LAST_REMINDER = timedelta(days=3)
"""The time before expiry when the last reminder is due (M3)."""
_TO_REGISTER, _DAYS_TO_REGISTER = "eligible-", (0, 7, 30)
"""The label of a mail about a won deal that can be registered, and on which days these come (M12)."""
_OF_REFERRAL = ("reminder-first", "reminder-last")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """A reminder or an escalation: the fixed label of its work row, and its due time."""

    label: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is due now, and when to check again (None: never)."""

    expiry: bool = False
    reminder: Reminder | None = None
    next_at: datetime | None = None


def due_on_referral(referral: Referral, labels: Collection[str], now: datetime) -> Due:
    """What is due at `now`. `labels` are the labels of the existing work rows.

    If several reminders are past their time, only the latest is due: one that was missed while the service was down
    is not sent together with the next.
    """
    if wants_registration(referral):
        return _due_of(reminders_to_register(referral), labels, now)
    if referral.status != "New" or referral.expires_at is None:
        return Due()
    if is_overdue(referral, now):
        return Due(expiry=True)
    due = _due_of(reminders_of(referral), labels, now)
    return replace(due, next_at=min(due.next_at or referral.expires_at, referral.expires_at))


def _due_of(reminders: Sequence[Reminder], labels: Collection[str], now: datetime) -> Due:
    past = [reminder for reminder in reminders if reminder.at <= now]
    upcoming = [reminder.at for reminder in reminders if reminder.at > now]
    latest = past[-1] if past and past[-1].label not in labels else None
    return Due(reminder=latest, next_at=min(upcoming, default=None))


def reminders_to_register(deal: Referral) -> tuple[Reminder, ...]:
    """The mails to the team of a won deal that can be registered, the first of them at once (M12)."""
    if deal.eligible_at is None:
        return ()
    return tuple(
        Reminder(label=f"{_TO_REGISTER}{days:02d}", at=deal.eligible_at + timedelta(days=days))
        for days in _DAYS_TO_REGISTER
    )


def reminders_of(referral: Referral) -> tuple[Reminder, ...]:
    """The reminders of a referral in order of time, without those that a short response window rules out."""
    if referral.expires_at is None:
        return ()
    first, last = _OF_REFERRAL
    planned = (
        Reminder(label=first, at=referral.created_at + FIRST_REMINDER),
        Reminder(label=last, at=referral.expires_at - LAST_REMINDER),
    )
    in_window = (r for r in planned if referral.created_at < r.at < referral.expires_at)
    return tuple(sorted(in_window, key=lambda reminder: reminder.at))


def is_last_reminder(referral: Referral, label: str) -> bool:
    """Whether no reminder comes after the one with this label (M3, M12)."""
    reminders = reminders_to_register(referral) or reminders_of(referral)
    return [reminder.label for reminder in reminders][-1:] == [label]


def is_first_to_register(label: str) -> bool:
    """Whether this labels the first mail about a deal that can be registered, which reminds of none before (M12)."""
    return label == f"{_TO_REGISTER}{_DAYS_TO_REGISTER[0]:02d}"


def reminder_work(referral_id: ReferralId, label: str) -> Work:
    """The work of the reminder or escalation with this label: one mail.

    An escalation goes to the lead of the review team, a reminder to those who can answer or correct.
    """
    if label.startswith(_TO_REGISTER):
        told = Notify(message="registrationEligible", audience="party")
        return work_of(referral_id, label, derived_operation(label, referral_id), (told,))
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
