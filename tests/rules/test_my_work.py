"""What a referral or a registration needs from one person, and by when (N6)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.ids import InquiryId, RegistrationId
from shared.domain.my_work import Todo, todo_of_review, todos_of_referral, todos_of_registrations
from shared.domain.referral import Inquiry, Terms
from shared.domain.registration import ReviewRound
from shared.domain.vocabulary import Status, Substatus
from shared.domain.working_days import WorkingCalendar
from tests.examples.referrals import NOW, creators, referral
from tests.examples.registrations import FORM, draft

CALENDAR = WorkingCalendar(zone=UTC, holidays=())
HOT = Inquiry(id=InquiryId("i"), recipients=(), alternatives=0)


def whys(*todos: Todo) -> list[str]:
    return [todo.why for todo in todos]


def closing(at: datetime) -> Terms:
    return Terms(deal_value=Decimal(1), currency="USD", closing_at=at, solutions=())


@pytest.mark.parametrize("on_team", [False, True])
def test_a_new_referral_is_to_be_answered_until_it_expires(on_team: bool) -> None:
    new = referral()
    assert todos_of_referral(new, NOW, on_team=on_team, can_register=False) == (
        Todo(why="answer", due=new.expires_at),
    )
    late = NOW + timedelta(days=14)
    assert todos_of_referral(new, late, on_team=on_team, can_register=False) == ()


def test_who_asked_to_be_contacted_is_to_be_contacted_until_somebody_has() -> None:
    lead = referral(deal_type="Lead", inquiry=HOT, customer_requested_contact=True)
    contact = Todo(why="contactCustomer", due=NOW + timedelta(hours=72))
    assert contact in todos_of_referral(lead, NOW, on_team=False, can_register=False)
    active = replace(lead, status="Active", substatus="Accepted")
    assert todos_of_referral(active, NOW, on_team=True, can_register=False) == (contact,)
    settled = replace(active, contacted_at=NOW)
    assert todos_of_referral(settled, NOW, on_team=True, can_register=False) == ()


@pytest.mark.parametrize(("days", "wanted"), [(-1, ["reportOutcome"]), (0, []), (1, [])])
def test_the_outcome_of_a_deal_is_to_be_reported_from_the_day_after_its_close_date(
    days: int, wanted: list[str]
) -> None:
    date = NOW.replace(hour=0) + timedelta(days=days)
    deal = creators(terms=closing(date))
    found = todos_of_referral(deal, NOW, on_team=True, can_register=False)
    assert whys(*found) == wanted
    assert all(todo.due == date for todo in found)


def test_a_deal_needs_its_team_and_nobody_else() -> None:
    deal = creators(terms=closing(NOW - timedelta(days=9)))
    assert todos_of_referral(deal, NOW, on_team=False, can_register=True, unread=3) == ()
    found = todos_of_referral(deal, NOW, on_team=True, can_register=True, unread=3)
    assert whys(*found) == ["reportOutcome", "register", "readMessages"]


@pytest.mark.parametrize(
    ("status", "substatus"),
    [("Closed", "Won"), ("Closed", "Lost"), ("Closed", "Declined"), ("Closed", "Expired")],
)
def test_of_a_closed_deal_no_outcome_is_to_be_reported(status: Status, substatus: Substatus) -> None:
    deal = creators(terms=closing(NOW - timedelta(days=9)), status=status, substatus=substatus)
    assert todos_of_referral(deal, NOW, on_team=True, can_register=False) == ()


def test_what_the_reviewers_sent_back_is_to_be_corrected_before_its_reminders_begin() -> None:
    round_ = ReviewRound(number=1, form=FORM, submitted_at=NOW, decision="requestAction", decided_at=NOW)
    sent_back = replace(draft(), status="ActionRequired", latest=round_)
    waiting = replace(draft(), status="ReviewPending", latest=round_)
    assert todos_of_registrations([waiting, sent_back, draft()]) == (
        Todo(why="correct", due=NOW + timedelta(days=30), registration=sent_back.id),
    )


@pytest.mark.parametrize(
    ("days", "assigned", "wanted"), [(0, False, False), (0, True, True), (9, False, True), (9, True, True)]
)
def test_a_review_needs_whom_it_is_assigned_to_and_once_it_is_overdue_every_reviewer(
    days: int, assigned: bool, wanted: bool
) -> None:
    """NOW is a Saturday: it counts from Monday on, so it is overdue on the Monday after."""
    pending = replace(
        draft(), status="ReviewPending", latest=ReviewRound(number=1, form=FORM, submitted_at=NOW)
    )
    found = todo_of_review(pending, NOW + timedelta(days=days), CALENDAR, assigned_to_me=assigned)
    due = CALENDAR.after(NOW, 5)
    assert found == (Todo(why="review", due=due, registration=pending.id) if wanted else None)
    decided = replace(pending, id=RegistrationId("other"), status="Approved")
    assert todo_of_review(decided, NOW + timedelta(days=days), CALENDAR, assigned_to_me=assigned) is None
