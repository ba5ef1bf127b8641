"""Reads `review_calendar.toml`: the time zone and holidays of the deal review team."""

import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from shared.domain.working_days import WorkingCalendar


@cache
def review_calendar() -> WorkingCalendar:
    """The calendar of Microsoft's deal review team (G7)."""
    content = tomllib.loads(Path(__file__).with_name("review_calendar.toml").read_text(encoding="utf-8"))
    days: list[date] = content["holidays"]
    return WorkingCalendar(zone=ZoneInfo(content["time_zone"]), holidays=frozenset(days))


@cache
def last_year_with_holidays() -> int:
    """The last year for which the calendar has holidays; after it, only weekends count."""
    return max(day.year for day in review_calendar().holidays)
