"""What the clock makes due (L4, M3)."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.due import due_on_referral, is_last_reminder, reminders_of
from tests.examples.referrals import NOW, creators, referral

FIRST, LAST = "reminder-first", "reminder-last"


@pytest.mark.parametrize(
    ("hours", "label", "expiry"),
    [
        (0, None, False),
        (23.99, None, False),
        (24, FIRST, False),
        (10 * 24, FIRST, False),
        (11 * 24 - 0.01, FIRST, False),
        (11 * 24, LAST, False),
        (14 * 24 - 0.01, LAST, False),
        (14 * 24, None, True),
        (400 * 24, None, True),
    ],
)
def test_reminders_and_expiry_by_the_hour(hours: float, label: str | None, expiry: bool) -> None:
    due = due_on_referral(referral(), (), NOW + timedelta(hours=hours))
    assert (due.reminder.label if due.reminder else None, due.expiry) == (label, expiry)


def test_a_reminder_is_due_once_and_a_missed_one_is_not_made_up_for() -> None:
    late = NOW + timedelta(days=12)
    assert due_on_referral(referral(), {FIRST, LAST}, late).reminder is None
    assert due_on_referral(referral(), {LAST}, late).reminder is None
    assert due_on_referral(referral(), (), late).reminder.label == LAST


@pytest.mark.parametrize(
    ("window", "labels"), [(1, []), (24, []), (25, [FIRST]), (72, [FIRST]), (73, [LAST, FIRST])]
)
def test_a_short_window_leaves_out_reminders_that_make_no_sense(window: int, labels: list[str]) -> None:
    short = referral(expires_at=NOW + timedelta(hours=window))
    assert [reminder.label for reminder in reminders_of(short)] == labels


@pytest.mark.parametrize(("window", "last"), [(24, None), (72, FIRST), (73, FIRST), (14 * 24, LAST)])
def test_the_last_reminder_is_the_one_that_no_other_follows(window: int, last: str | None) -> None:
    """M3: whatever its label says, in a short window."""
    record = referral(expires_at=NOW + timedelta(hours=window))
    for label in (FIRST, LAST, "000001"):
        assert is_last_reminder(record, label) == (label == last)


@pytest.mark.parametrize("record", [creators(), referral(status="Closed", substatus="Declined")])
def test_nothing_is_due_on_what_has_been_answered(record) -> None:
    due = due_on_referral(record, (), NOW + timedelta(days=30))
    assert (due.expiry, due.reminder, due.next_at) == (False, None, None)


@given(st.integers(0, 14 * 24 * 60 - 1))
def test_the_next_look_is_never_in_the_past_and_never_after_the_deadline(minutes: int) -> None:
    now = NOW + timedelta(minutes=minutes)
    due = due_on_referral(referral(), (), now)
    assert now < due.next_at <= NOW + timedelta(days=14)
