"""What needs one person: by when, and why (rule N6)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.domain.ids import RegistrationId
from shared.domain.lead import HOT_DURATION, contact_alert
from shared.domain.lifecycle import is_overdue
from shared.domain.referral import Referral
from shared.domain.registration import Registration
from shared.domain.review_due import ESCALATION_INTERVAL, FIRST_REMINDER
from shared.domain.working_days import WorkingCalendar

Why = Literal["answer", "contactCustomer", "correct", "register", "readMessages", "reportOutcome", "review"]
"""Why something needs a person:

- `answer`: a New referral, due when it expires
- `contactCustomer`: a customer who asked to be contacted, due when the alert turns from hot to overdue (R5)
- `correct`: a registration that the reviewers sent back, due when its reminders begin (G7)
- `register`: a won deal that can be registered (G2)
- `readMessages`: a conversation with messages that the person has not read
- `reportOutcome`: an active deal whose close date has passed, due since then
- `review`: a registration under review, due when it is escalated (G7)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """Something that needs a person; `due` is None if nothing happens should they never do it."""

    why: Why
    due: datetime | None = None
    registration: RegistrationId | None = None


def todos_of_referral(
    referral: Referral, now: datetime, *, on_team: bool, can_register: bool, unread: int = 0
) -> tuple[Todo, ...]:
    """What a referral needs from somebody who sees it.

    Everybody who sees a New referral may answer it. What comes after is the team's; `can_register` says whether the
    person could register the deal now. Registrations to correct are `todos_of_registrations`.
    """
    if referral.status == "New":
        if is_overdue(referral, now):
            return ()
        return (Todo(why="answer", due=referral.expires_at), *_contact(referral, now))
    if not on_team:
        return ()
    return (
        *(_contact(referral, now)),
        *(_outcome(referral, now)),
        *((Todo(why="register"),) if can_register else ()),
        *((Todo(why="readMessages"),) if unread else ()),
    )


def todos_of_registrations(registrations: Iterable[Registration]) -> tuple[Todo, ...]:
    """The registrations of a deal that its team has to correct."""
    return tuple(
        Todo(why="correct", due=each.decided_at + FIRST_REMINDER, registration=each.id)
        for each in registrations
        if each.status == "ActionRequired" and each.decided_at
    )


def todo_of_review(
    registration: Registration, now: datetime, calendar: WorkingCalendar, *, assigned_to_me: bool
) -> Todo | None:
    """Whether a registration needs a reviewer: one that is assigned to them, or that nobody decided in time."""
    if registration.status != "ReviewPending" or registration.submitted_at is None:
        return None
    due = calendar.after(registration.submitted_at, ESCALATION_INTERVAL)
    if assigned_to_me or due <= now:
        return Todo(why="review", due=due, registration=registration.id)
    return None


def _contact(referral: Referral, now: datetime) -> tuple[Todo, ...]:
    if contact_alert(referral, now) is None:
        return ()
    return (Todo(why="contactCustomer", due=referral.created_at + HOT_DURATION),)


def _outcome(referral: Referral, now: datetime) -> tuple[Todo, ...]:
    closing = referral.terms.closing_at
    if referral.status != "Active" or closing is None or closing.date() >= now.date():
        return ()
    return (Todo(why="reportOutcome", due=closing),)
