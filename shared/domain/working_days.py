"""Counting days on which people work: neither weekends nor holidays, where these people are (rule G7)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_SATURDAY = 5
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingCalendar:
    """When a team works: where its days begin, and on which of them nobody works besides weekends."""

    zone: tzinfo
    holidays: Collection[date]

    def is_working_day(self, day: date) -> bool:
        """Whether the team works on a day."""
        return day.weekday() < _SATURDAY and day not in self.holidays

    def after(self, moment: datetime, days: int) -> datetime:
        """The same time of the team's day, so many working days later, in UTC.

        What comes on a day without work counts from the beginning of the next one with work.
        """
        local = moment.astimezone(self.zone)
        day, at = local.date(), local.time()
        while not self.is_working_day(day):
            day, at = day + _DAY, time()
        while days:
            day += _DAY
            days -= self.is_working_day(day)
        return datetime.combine(day, at, self.zone).astimezone(UTC)
