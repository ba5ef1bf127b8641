"""Counting working days: no weekends and no holidays, in the time zone of a team (rule G7)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_SATURDAY = 5
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingCalendar:
    """The working days of a team: its time zone and its holidays."""

    zone: tzinfo
    holidays: Collection[date]

    def is_working_day(self, day: date) -> bool:
        """Whether a day is a working day."""
        return day.weekday() < _SATURDAY and day not in self.holidays

    def after(self, moment: datetime, days: int) -> datetime:
        """The same local time `days` working days later, in UTC.

        A moment on a day off counts from the start of the next working day.
        """
        local = moment.astimezone(self.zone)
        day, at = local.date(), local.time()
        while not self.is_working_day(day):
            day, at = day + _DAY, time()
        while days:
            day += _DAY
            days -= self.is_working_day(day)
        return datetime.combine(day, at, self.zone).astimezone(UTC)
