"""How fast organizations answer what they receive, as a band that tells no figure (rule P4)."""

from collections.abc import Sequence
from datetime import timedelta
from statistics import median
from typing import Literal

from shared.domain.change import Change

ResponseSpeed = Literal["withinADay", "withinThreeDays", "notMeasured", "slower"]
"""In the order of ranking: whoever is new ranks before those who are known to be slow."""

MAX_ANSWERS = 20
"""How many answers count: what somebody did long ago says little."""
MIN_ANSWERS = 3
"""With fewer answers nothing is said: one slow day is no habit."""
_ANSWERS = frozenset({"accepted", "declined", "expired"})
_DAY, _THREE_DAYS = timedelta(days=1), timedelta(days=3)


def minutes_to_answer(change: Change) -> int | None:
    """How long the answer of this step took; None if the step answers nothing.

    A referral that nobody answered counts with its whole time; a withdrawn one does not count.
    """
    received = change.after
    if received.direction != "Incoming" or not any(entry.kind in _ANSWERS for entry in change.entries):
        return None
    return int((change.entry.at - received.created_at).total_seconds() // 60)


def response_speed(minutes: Sequence[int]) -> ResponseSpeed:
    """The band of an organization's latest answers, given in minutes."""
    if len(minutes) < MIN_ANSWERS:
        return "notMeasured"
    usual = timedelta(minutes=median(minutes))
    if usual <= _DAY:
        return "withinADay"
    return "withinThreeDays" if usual <= _THREE_DAYS else "slower"
