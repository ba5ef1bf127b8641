"""How fast organizations answer referrals, as a band without a number (rule P4)."""

from collections.abc import Sequence
from datetime import timedelta
from statistics import median
from typing import Literal

from shared.domain.change import Change

ResponseSpeed = Literal["withinADay", "withinThreeDays", "notMeasured", "slower"]
"""In the order of ranking: a new organization ranks before one that is known to be slow."""

MAX_ANSWERS = 20
"""Only the latest answers count: older ones say little about today."""
MIN_ANSWERS = 3
"""With fewer answers the speed is not measured: one slow day is no pattern."""
_ANSWERS = frozenset({"accepted", "declined", "expired"})
_DAY, _THREE_DAYS = timedelta(days=1), timedelta(days=3)


def minutes_to_answer(change: Change) -> int | None:
    """The minutes from creation to answer, if this change is an answer; else None.

    An expiry counts with its full response time; a withdrawal does not count.
    """
    referral = change.after
    if referral.direction != "Incoming" or not any(entry.kind in _ANSWERS for entry in change.entries):
        return None
    return int((change.entry.at - referral.created_at).total_seconds() // 60)


def response_speed(minutes: Sequence[int]) -> ResponseSpeed:
    """The band of an organization, from the minutes of its latest answers."""
    if len(minutes) < MIN_ANSWERS:
        return "notMeasured"
    typical = timedelta(minutes=median(minutes))
    if typical <= _DAY:
        return "withinADay"
    return "withinThreeDays" if typical <= _THREE_DAYS else "slower"
