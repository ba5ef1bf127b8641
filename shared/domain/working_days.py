"""Counting days on which people work: neither weekends nor holidays (rule G7)."""

from collections.abc import Collection
from datetime import date, datetime, timedelta

_SATURDAY = 5
_DAY = timedelta(days=1)


def is_working_day(day: date, holidays: Collection[date]) -> bool:
    """Whether people work on a day."""
    return day.weekday() < _SATURDAY and day not in holidays


def after_working_days(moment: datetime, days: int, holidays: Collection[date]) -> datetime:
    """The same time of day, so many working days later; on a day without work the count begins with the next."""
    while days:
        moment += _DAY
        days -= is_working_day(moment.date(), holidays)
    return moment
