"""Which message has lost its point by the time it would be sent, case by case (M1, M3, L7, L8)."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.messages import MailKind
from shared.domain.registration import Registration, review, submit
from shared.domain.work import Notify
from shared.mail.message_context import MessageContext
from shared.mail.pointless import is_pointless
from tests.examples.referrals import NOW, creators, referral
from tests.examples.registrations import APPROVAL, FORM, REQUEST, in_review, sent_back

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEW = {"status": "New", "substatus": "Pending"}
ACCEPTED = {"status": "Active", "substatus": "Accepted"}
DECLINED = {"status": "Closed", "substatus": "Declined"}
EXPIRED = {"status": "Closed", "substatus": "Expired"}
WON = {"status": "Closed", "substatus": "Won"}
FIRST, LAST, ENTRY = "reminder-first", "reminder-last", "000001"

# One case to a line reads as the table that it is.
OF_THE_SUBJECT: list[tuple[MailKind, dict[str, str], str, timedelta, bool]] = [
    ("invited", NEW, ENTRY, DAY, False),
    ("invited", NEW, ENTRY, 14 * DAY - HOUR, False),
    ("invited", NEW, ENTRY, 14 * DAY, True),
    ("invited", ACCEPTED, ENTRY, DAY, False),
    ("invited", ACCEPTED, ENTRY, 15 * DAY, False),
    ("invited", DECLINED, ENTRY, DAY, False),
    ("invited", EXPIRED, ENTRY, 14 * DAY, True),
    ("leadReceived", NEW, ENTRY, DAY, False),
    ("leadReceived", NEW, ENTRY, 14 * DAY, True),
    ("leadReceived", ACCEPTED, ENTRY, DAY, False),
    ("leadReceived", DECLINED, ENTRY, DAY, True),
    ("leadReceived", EXPIRED, ENTRY, 14 * DAY, True),
    ("leadReceived", WON, ENTRY, DAY, True),
    ("hotLead", NEW, ENTRY, 4 * DAY, False),
    ("hotLead", NEW, ENTRY, 14 * DAY, True),
    ("hotLead", ACCEPTED, ENTRY, HOUR, True),
    ("hotLead", DECLINED, ENTRY, HOUR, True),
    ("hotLead", EXPIRED, ENTRY, 14 * DAY, True),
    ("reminder", NEW, FIRST, 23 * HOUR, False),  # opened by the clock of another worker
    ("reminder", NEW, FIRST, 24 * HOUR, False),
    ("reminder", NEW, FIRST, 11 * DAY - HOUR, False),
    ("reminder", NEW, FIRST, 11 * DAY, True),
    ("reminder", NEW, LAST, 11 * DAY, False),
    ("reminder", NEW, LAST, 14 * DAY, True),
    ("reminder", ACCEPTED, FIRST, 24 * HOUR, True),
    ("reminder", DECLINED, FIRST, 24 * HOUR, True),
    ("reminder", EXPIRED, LAST, 14 * DAY, True),
    *((message, state, ENTRY, 20 * DAY, False)
      for message in ("accepted", "declined", "expired", "withdrawn", "customerDeclined", "customerExpired")
      for state in (ACCEPTED, DECLINED, EXPIRED)),
]  # fmt: skip
OF_THE_READER: list[tuple[dict[str, str], bool]] = [
    (NEW, False),
    (ACCEPTED, False),
    (WON, False),
    (DECLINED, True),
    (EXPIRED, True),
]


@pytest.mark.parametrize(("message", "state", "label", "later", "pointless"), OF_THE_SUBJECT)
def test_a_message_has_no_point_once_what_it_asks_for_is_done_or_too_late(
    message: MailKind, state: dict[str, Any], label: str, later: timedelta, pointless: bool
) -> None:
    record = referral(**state)
    scene = MessageContext(subject=record, reader=record, entry=None)
    task = Notify(message=message, audience="invitee")
    assert is_pointless(task, scene, label, NOW + later) == pointless


def test_an_alert_has_no_point_once_the_customer_was_contacted() -> None:
    """R5: the lead is still announced, and its reminders still ask for the answer."""
    record = referral(contacted_at=NOW + HOUR)
    scene = MessageContext(subject=record, reader=record, entry=None)
    told = {
        message: is_pointless(Notify(message=message, audience="invitee"), scene, FIRST, NOW + DAY)
        for message in ("hotLead", "leadReceived", "reminder")
    }
    assert told == {"hotLead": True, "leadReceived": False, "reminder": False}


WAITING, ASKED = in_review(NOW), sent_back(NOW)
AGAIN = submit(ASKED, FORM, NOW + DAY)
ESCALATION, REMINDER = f"registrationEscalated:{WAITING.id}:001:001", f"actionReminder:{WAITING.id}:001:001"
OF_A_REGISTRATION: list[tuple[MailKind, Registration | None, int | None, str, int, bool]] = [
    ("registrationSubmitted", WAITING, 1, ENTRY, 1, False),
    ("registrationSubmitted", WAITING, None, ENTRY, 1, False),
    ("registrationSubmitted", ASKED, 1, ENTRY, 1, True),
    ("registrationSubmitted", AGAIN, 1, ENTRY, 1, True),
    ("registrationSubmitted", AGAIN, 2, ENTRY, 1, False),
    ("registrationSubmitted", None, 1, ENTRY, 1, True),
    ("actionRequired", ASKED, 1, ENTRY, 1, False),
    ("actionRequired", AGAIN, 1, ENTRY, 1, True),
    ("actionRequired", review(AGAIN, REQUEST, NOW + 2 * DAY), 1, ENTRY, 3, True),
    ("registrationApproved", review(WAITING, APPROVAL, NOW), 1, ENTRY, 30, False),
    ("registrationEscalated", WAITING, None, ESCALATION, 1, False),
    ("registrationEscalated", WAITING, None, ESCALATION, 10, False),
    ("registrationEscalated", WAITING, None, ESCALATION, 17, True),
    ("registrationEscalated", ASKED, None, ESCALATION, 10, True),
    ("registrationEscalated", AGAIN, None, ESCALATION, 11, True),
    ("registrationEscalated", None, None, ESCALATION, 10, True),
    ("actionReminder", ASKED, None, REMINDER, 29, False),
    ("actionReminder", ASKED, None, REMINDER, 30, False),
    ("actionReminder", ASKED, None, REMINDER, 37, True),
    ("actionReminder", AGAIN, None, REMINDER, 30, True),
]


@pytest.mark.parametrize(("message", "record", "number", "label", "days", "pointless"), OF_A_REGISTRATION)
def test_a_message_of_a_registration_has_no_point_once_its_review_went_on(
    message: MailKind,
    record: Registration | None,
    number: int | None,
    label: str,
    days: int,
    *,
    pointless: bool,
) -> None:
    """G5, G7: by a decision, a correction, or the next escalation or reminder."""
    scene = MessageContext(
        subject=creators(), reader=creators(), entry=None, registration=record, round=number
    )
    task = Notify(message=message, audience="registrants")
    assert is_pointless(task, scene, label, NOW + days * DAY) == pointless


@pytest.mark.parametrize("message", ["won", "lost"])
@pytest.mark.parametrize(("state", "pointless"), OF_THE_READER)
def test_an_outcome_is_told_to_those_who_did_not_turn_the_deal_down(
    message: Any, state: dict[str, Any], pointless: bool
) -> None:
    """M4, L7."""
    scene = MessageContext(subject=creators(), reader=referral(**state), entry=None)
    task = Notify(message=message, audience="party")
    assert is_pointless(task, scene, ENTRY, NOW + DAY) == pointless
