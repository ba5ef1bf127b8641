"""What the clock makes due on a registration: escalations and reminders (G7)."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.due import Due, reminder_work
from shared.domain.ids import ReferralId
from shared.domain.registration import Registration, review, save, submit
from shared.domain.review_due import due_on_registration
from shared.domain.work import Notify, Task
from shared.domain.working_days import WorkingCalendar
from tests.examples.registrations import (
    APPROVAL,
    FORM,
    REJECTION,
    REQUEST,
    draft,
    in_review,
    sent_back,
)

FRIDAY = datetime(2026, 11, 20, 16, tzinfo=UTC)
THANKSGIVING = date(2026, 11, 26)
CALENDAR = WorkingCalendar(zone=UTC, holidays={THANKSGIVING})
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
FIRST_AT, SECOND_AT = FRIDAY + 10 * DAY, FRIDAY + 17 * DAY
"""Five working days on, over a weekend, a holiday and a weekend; five more."""
WAITING, ASKED = in_review(FRIDAY), sent_back(FRIDAY)
ID = WAITING.id


def escalation(number: int, rounds: int = 1) -> str:
    return f"registrationEscalated:{ID}:{rounds:03d}:{number:03d}"


def reminder(number: int, rounds: int = 1) -> str:
    return f"actionReminder:{ID}:{rounds:03d}:{number:03d}"


def due(record: Registration, now: datetime, labels: Collection[str] = ()) -> Due:
    return due_on_registration(record, labels, now, CALENDAR)


def label(found: Due) -> str | None:
    return found.reminder.label if found.reminder else None


@pytest.mark.parametrize(
    ("now", "reminder", "next_at"),
    [
        (FRIDAY, None, FIRST_AT),
        (FIRST_AT - SECOND, None, FIRST_AT),
        (FIRST_AT, escalation(1), SECOND_AT),
        (SECOND_AT - SECOND, escalation(1), SECOND_AT),
        (SECOND_AT, escalation(2), SECOND_AT + 7 * DAY),
        (SECOND_AT + 7 * 52 * DAY, escalation(54), SECOND_AT + 7 * 53 * DAY),
    ],
)
def test_a_review_is_escalated_after_each_five_working_days_for_as_long_as_it_takes(
    now: datetime, reminder: str | None, next_at: datetime
) -> None:
    found = due(WAITING, now)
    assert (label(found), found.next_at) == (reminder, next_at)
    assert found.reminder is None or found.reminder.label.startswith("registrationEscalated:")


@given(st.integers(0, 400 * 24))
def test_the_number_of_escalations_is_that_of_the_working_weeks_that_passed(hours: int) -> None:
    now = FRIDAY + hours * HOUR
    found = due(WAITING, now)
    weeks = 0
    while CALENDAR.after(FRIDAY, 5 * (weeks + 1)) <= now:
        weeks += 1
    assert label(found) == (escalation(weeks) if weeks else None)
    assert found.next_at == CALENDAR.after(FRIDAY, 5 * (weeks + 1)) > now


REMINDERS = [FRIDAY + 30 * DAY + number * 7 * DAY for number in range(12)]


@pytest.mark.parametrize("number", range(1, 13))
def test_a_correction_that_is_waited_for_is_reminded_of_after_thirty_days_and_each_week(number: int) -> None:
    at = REMINDERS[number - 1]
    following = REMINDERS[number] if number < 12 else None
    for now in (at, at + 7 * DAY - SECOND):
        found = due(ASKED, now)
        assert (label(found), found.next_at) == (reminder(number), following)
        assert found.reminder
        assert found.reminder.label.startswith("actionReminder:")
        assert found.reminder.at == at
    before = due(ASKED, at - SECOND)
    assert before.next_at == at
    assert label(before) == (reminder(number - 1) if number > 1 else None)


@pytest.mark.parametrize("weeks", [12, 13, 52, 1000])
def test_there_are_twelve_reminders_and_no_more(weeks: int) -> None:
    """G7: the twelfth, if it was missed, is still due; then nothing is ever."""
    now = REMINDERS[0] + weeks * 7 * DAY
    assert due(ASKED, now) == replace(due(ASKED, REMINDERS[-1]), next_at=None)
    assert due(ASKED, now, {reminder(12)}) == Due()


@pytest.mark.parametrize(
    ("record", "times", "name"),
    [(WAITING, [FIRST_AT, SECOND_AT, SECOND_AT + 7 * DAY], escalation), (ASKED, REMINDERS[:3], reminder)],
)
def test_what_was_sent_is_not_due_again_and_what_was_missed_is_not_made_up_for(
    record: Registration, times: list[datetime], name: object
) -> None:
    assert callable(name)
    assert label(due(record, times[0], {name(1)})) is None
    assert label(due(record, times[1], {name(1)})) == name(2)
    assert label(due(record, times[2], ())) == name(3), "of three only the latest"
    assert due(record, times[2], {name(3)}).reminder is None, "the first two are missed for good"
    assert due(record, times[2], {name(3)}).next_at == due(record, times[2]).next_at


def test_a_new_round_begins_anew() -> None:
    """What was said in the first round is no reason to be silent in the second."""
    corrected = FRIDAY + 40 * DAY
    again = submit(ASKED, FORM, corrected)
    assert due(again, corrected + HOUR, {escalation(1)}).reminder is None
    at = CALENDAR.after(corrected, 5)
    assert due(again, corrected, {escalation(1)}).next_at == at
    assert label(due(again, at, {escalation(1)})) == escalation(1, rounds=2)
    back = review(again, REQUEST, at)
    assert due(back, at, {reminder(1)}).next_at == at + 30 * DAY
    assert label(due(back, at + 30 * DAY, {reminder(1)})) == reminder(1, rounds=2)


def test_a_correction_kept_for_later_is_no_answer() -> None:
    kept = save(ASKED, FORM, (), FRIDAY + 29 * DAY)
    assert label(due(kept, FRIDAY + 30 * DAY)) == reminder(1)


@pytest.mark.parametrize(
    "record",
    [
        draft(),
        submit(draft(kind="IsvConnect"), FORM, FRIDAY),
        review(WAITING, APPROVAL, FRIDAY),
        review(WAITING, REJECTION, FRIDAY),
        review(submit(ASKED, FORM, FRIDAY), APPROVAL, FRIDAY),
    ],
)
def test_nothing_is_ever_due_on_a_draft_or_on_what_is_closed(record: Registration) -> None:
    for days in (0, 7, 30, 365):
        assert due(record, FRIDAY + days * DAY) == Due()


@given(st.integers(0, 300 * 24), st.sampled_from([WAITING, ASKED]))
def test_whoever_looks_when_told_to_misses_nothing(hours: int, record: Registration) -> None:
    """Between one look and the next nothing new becomes due."""
    now = FRIDAY + hours * HOUR
    found = due(record, now)
    if found.next_at is None:
        assert now >= REMINDERS[-1]
        return
    assert found.next_at > now
    assert label(due(record, found.next_at - SECOND)) == label(found)
    assert label(due(record, found.next_at)) not in {label(found), None}


def task_of(label: str) -> Task:
    (state,) = reminder_work(ReferralId("deal"), label).tasks
    return state.task


def test_an_escalation_goes_to_the_lead_of_the_reviewers_and_a_reminder_to_the_partner() -> None:
    assert task_of(escalation(3)) == Notify(
        message="registrationEscalated", audience="reviewLead", registration=ID
    )
    assert task_of(reminder(12)) == Notify(message="actionReminder", audience="registrants", registration=ID)
