"""Whether a message is pointless by the time it would be sent (rules M1, M3, L7, L8, G7)."""

from collections.abc import Callable, Mapping
from datetime import datetime

from shared.domain.due import reminders_of, reminders_to_register
from shared.domain.eligibility import wants_registration
from shared.domain.lifecycle import is_overdue
from shared.domain.messages import MailKind
from shared.domain.review_due import due_on_registration
from shared.domain.vocabulary import RegistrationStatus
from shared.domain.work import Notify
from shared.mail.message_context import MessageContext
from shared.reference.review_calendar import review_calendar

_Check = Callable[[MessageContext, str, datetime], bool]
"""Whether a message is pointless, given its context, the label of its work and the current time."""


def is_pointless(task: Notify, context: MessageContext, label: str, now: datetime) -> bool:
    """Whether a message is pointless; most kinds never are."""
    check = _CHECKS.get(task.message)
    return check is not None and check(context, label, now)


def _invitation(context: MessageContext, _label: str, now: datetime) -> bool:
    """After the deadline, whether or not the expiry is stored."""
    return context.subject.substatus == "Expired" or is_overdue(context.subject, now)


def _lead(context: MessageContext, _label: str, now: datetime) -> bool:
    """After it is closed, or after the deadline."""
    return context.subject.is_closed or is_overdue(context.subject, now)


def _alert(context: MessageContext, _label: str, now: datetime) -> bool:
    """After the answer, or after the deadline."""
    return context.subject.status != "New" or is_overdue(context.subject, now)


def _contact_alert(context: MessageContext, label: str, now: datetime) -> bool:
    """As `_alert`, and once the customer was contacted (R5)."""
    return context.subject.contacted_at is not None or _alert(context, label, now)


def _reminder(context: MessageContext, label: str, now: datetime) -> bool:
    """After the answer, after the deadline, or when the next reminder is due.

    A reminder is never too early: the worker that found it due may have a clock ahead of this one.
    """
    reminders = reminders_of(context.subject)
    labels = [reminder.label for reminder in reminders]
    if label not in labels:
        return True
    later = reminders[labels.index(label) + 1 :]
    return _alert(context, label, now) or any(reminder.at <= now for reminder in later)


def _eligible(context: MessageContext, label: str, now: datetime) -> bool:
    """Once the deal is registered, or when the next reminder is due; never too early (M12)."""
    reminders = reminders_to_register(context.subject)
    later = [reminder for reminder in reminders if reminder.label > label]
    return not wants_registration(context.subject) or any(reminder.at <= now for reminder in later)


def _status_check(status: RegistrationStatus) -> _Check:
    """When the registration is in another status, or another round."""

    def check(context: MessageContext, _label: str, _now: datetime) -> bool:
        registration = context.registration
        return (
            registration is None
            or registration.status != status
            or context.round not in {None, registration.rounds}
        )

    return check


def _review_reminder(context: MessageContext, label: str, now: datetime) -> bool:
    """When the registration is in another status or round, or the next reminder is due; never too early."""
    message, _, number, _ = label.split(":")
    registration = context.registration
    if (
        registration is None
        or registration.status != _REMINDED_STATUS[message]
        or registration.rounds != int(number)
    ):
        return True
    due = due_on_registration(registration, (), now, review_calendar()).reminder
    return due is not None and due.label > label


_REMINDED_STATUS: Mapping[str, RegistrationStatus] = {
    "registrationEscalated": "ReviewPending",
    "actionReminder": "ActionRequired",
}
"""The status of the registration for each kind of reminder and escalation."""


_CHECKS: Mapping[MailKind, _Check] = {
    "reminder": _reminder,
    "invited": _invitation,
    "leadReceived": _lead,
    "hotLead": _contact_alert,
    "won": lambda context, _label, _now: context.reader.substatus in {"Declined", "Expired"},
    "lost": lambda context, _label, _now: context.reader.substatus in {"Declined", "Expired"},
    "registrationEligible": _eligible,
    "registrationSubmitted": _status_check("ReviewPending"),
    "actionRequired": _status_check("ActionRequired"),
    "registrationEscalated": _review_reminder,
    "actionReminder": _review_reminder,
}
