"""Whether a message has lost its point by the time it would be sent (rules M1, M3, L7, L8, G7)."""

from collections.abc import Callable, Mapping
from datetime import datetime

from shared.domain.due import reminders_of
from shared.domain.lifecycle import is_overdue
from shared.domain.messages import MailKind
from shared.domain.review_due import due_on_registration
from shared.domain.vocabulary import RegistrationStatus
from shared.domain.work import Notify
from shared.mail.message_context import MessageContext
from shared.reference.review_calendar import review_calendar

Judge = Callable[[MessageContext, str, datetime], bool]
"""Given what a message is about, the label of its work and the time: whether it is pointless."""


def is_pointless(task: Notify, scene: MessageContext, label: str, now: datetime) -> bool:
    """Whether a message has lost its point; most never do."""
    judge = _JUDGES.get(task.message)
    return judge is not None and judge(scene, label, now)


def _invitation(scene: MessageContext, _label: str, now: datetime) -> bool:
    """Once its time is over, whether the expiry is stored already or not."""
    return scene.subject.substatus == "Expired" or is_overdue(scene.subject, now)


def _lead(scene: MessageContext, _label: str, now: datetime) -> bool:
    """Once it is closed or its time is over."""
    return scene.subject.is_closed or is_overdue(scene.subject, now)


def _alert(scene: MessageContext, _label: str, now: datetime) -> bool:
    """Once it is answered or its time is over."""
    return scene.subject.status != "New" or is_overdue(scene.subject, now)


def _reminder(scene: MessageContext, label: str, now: datetime) -> bool:
    """Once the referral is answered, its time is over, or the next reminder is due.

    It is never too early: another worker, whose clock may be ahead of this one's, found that its time had come.
    """
    reminders = reminders_of(scene.subject)
    labels = [reminder.label for reminder in reminders]
    if label not in labels:
        return True
    later = reminders[labels.index(label) + 1 :]
    return _alert(scene, label, now) or any(reminder.at <= now for reminder in later)


def _unless(status: RegistrationStatus) -> Judge:
    """Once the registration went on: to another status, or through another round."""

    def judge(scene: MessageContext, _label: str, _now: datetime) -> bool:
        registration = scene.registration
        return (
            registration is None
            or registration.status != status
            or scene.round not in {None, registration.rounds}
        )

    return judge


def _review_reminder(scene: MessageContext, label: str, now: datetime) -> bool:
    """Once the registration went on, or the next one is due; never too early, as with a referral's."""
    message, _, number, _ = label.split(":")
    registration = scene.registration
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
"""In which status a registration is that a reminder or an escalation is about."""


_JUDGES: Mapping[MailKind, Judge] = {
    "reminder": _reminder,
    "invited": _invitation,
    "leadReceived": _lead,
    "hotLead": _alert,
    "won": lambda scene, _label, _now: scene.reader.substatus in {"Declined", "Expired"},
    "lost": lambda scene, _label, _now: scene.reader.substatus in {"Declined", "Expired"},
    "registrationSubmitted": _unless("ReviewPending"),
    "actionRequired": _unless("ActionRequired"),
    "registrationEscalated": _review_reminder,
    "actionReminder": _review_reminder,
}
