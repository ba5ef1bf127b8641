"""Working days: neither weekends nor the review team's holidays (G7)."""

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import reference
from shared.domain.working_days import WorkingCalendar
from shared.reference.review_calendar import last_year_with_holidays, review_calendar

MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
HOLIDAYS = st.frozensets(st.dates(date(2026, 1, 1), date(2029, 6, 30)), max_size=60)
MONDAY = datetime(2026, 11, 16, 10, 30, tzinfo=UTC)
YEARS = range(2026, 2037)
MIDNIGHT = MONDAY.replace(hour=0, minute=0)


def calendar(*off: date, zone: str = "UTC") -> WorkingCalendar:
    return WorkingCalendar(zone=ZoneInfo(zone), holidays=off)


def day(number: int, month: int = 11) -> date:
    return date(2026, month, number)


@pytest.mark.parametrize("number", range(7))
def test_people_work_from_monday_to_friday(number: int) -> None:
    assert calendar().is_working_day(day(16 + number)) == (number < 5)


def test_people_do_not_work_on_a_holiday() -> None:
    assert calendar(day(26)).is_working_day(day(25))
    assert not calendar(day(26)).is_working_day(day(26))


@pytest.mark.parametrize(
    ("start", "days", "off", "end"),
    [
        (MONDAY, 0, (), MONDAY),
        (MONDAY, 1, (), MONDAY + timedelta(days=1)),
        (MONDAY, 4, (), MONDAY + timedelta(days=4)),
        (MONDAY, 5, (), MONDAY + timedelta(days=7)),
        (MONDAY, 10, (), MONDAY + timedelta(days=14)),
        (MONDAY, 5, (day(18),), MONDAY + timedelta(days=8)),
        (MONDAY, 5, (day(21),), MONDAY + timedelta(days=7)),  # a holiday on a Saturday changes nothing
        (
            MONDAY + timedelta(days=5),
            1,
            (),
            MIDNIGHT + timedelta(days=8),
        ),  # from a Saturday, Monday is one day
        (MONDAY + timedelta(days=6), 5, (), MIDNIGHT + timedelta(days=14)),
        (MONDAY + timedelta(days=5), 1, (day(23),), MIDNIGHT + timedelta(days=9)),
        (MONDAY + timedelta(days=4), 1, (day(23),), MONDAY + timedelta(days=8)),
    ],
)
def test_the_same_time_of_day_so_many_working_days_later(
    start: datetime, days: int, off: tuple[date, ...], end: datetime
) -> None:
    assert calendar(*off).after(start, days) == end


ZONES = st.sampled_from(["UTC", "America/Los_Angeles", "Asia/Seoul", "Pacific/Apia"])


@given(MOMENTS, st.integers(1, 40), HOLIDAYS, ZONES)
def test_between_start_and_end_lie_just_so_many_working_days(
    moment: datetime, days: int, off: frozenset[date], zone: str
) -> None:
    """Counted as whole days, from the midnight that follows the start to the one before the end."""
    start = moment.astimezone(ZoneInfo(zone))
    end = calendar(*off, zone=zone).after(moment, days).astimezone(ZoneInfo(zone))
    between = [start.date() + timedelta(days=n) for n in range(1, (end.date() - start.date()).days)]
    works = start.weekday() < 5 and start.date() not in off
    assert sum(each.weekday() < 5 and each not in off for each in between) == days - works
    assert end.time() == (start.time() if works else time())
    assert end.weekday() < 5
    assert end.date() not in off


@given(MOMENTS, st.integers(0, 15), st.integers(0, 15), HOLIDAYS, ZONES)
def test_counting_on_gives_what_counting_at_once_gives(
    start: datetime, some: int, more: int, off: frozenset[date], zone: str
) -> None:
    working = calendar(*off, zone=zone)
    assert working.after(working.after(start, some), more) == working.after(start, some + more)


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-10-23T17:30", 5, "2026-10-30T17:30"),  # a Friday afternoon, when it is Saturday in UTC
        ("2026-10-30T17:30", 5, "2026-11-06T17:30"),  # over the end of summer time
        ("2026-11-15T23:59", 1, "2026-11-17T00:00"),  # a Sunday night, when it is Monday in UTC
        ("2028-12-29T08:00", 5, "2029-01-08T08:00"),  # over New Year
    ],
)
def test_the_review_team_counts_its_own_days(start: str, days: int, end: str) -> None:
    zone = ZoneInfo("America/Los_Angeles")
    counted = review_calendar().after(datetime.fromisoformat(start).replace(tzinfo=zone), days)
    assert counted.tzinfo is UTC
    assert counted.astimezone(zone).replace(tzinfo=None) == datetime.fromisoformat(end)


def test_the_holidays_are_weekdays_in_order_and_each_once() -> None:
    """A holiday at a weekend would be listed on the day on which it is observed."""
    days = sorted(review_calendar().holidays)
    assert {each.weekday() for each in days} <= set(range(5))
    assert {each.year for each in days} == set(YEARS)
    text = (Path(reference.__file__).parent / "review_calendar.toml").read_text(encoding="utf-8")
    listed = re.findall(r"\b\d{4}-\d\d-\d\d\b", text)
    assert listed == [each.isoformat() for each in days]


def test_the_calendar_says_where_it_ends() -> None:
    assert last_year_with_holidays() == max(YEARS)


NEW_YEAR, JUNETEENTH, INDEPENDENCE, VETERANS, CHRISTMAS = (1, 1), (6, 19), (7, 4), (11, 11), (12, 25)


def federal(year: int) -> set[date]:
    """The federal holidays of the United States whose observed day lies in a year, by their rules."""
    fixed = [date(y, *each) for y in (year, year + 1) for each in (NEW_YEAR, JUNETEENTH, INDEPENDENCE)]
    fixed += [date(year, *each) for each in (VETERANS, CHRISTMAS)]
    moving = [nth(year, 1, 0, 3), nth(year, 2, 0, 3), nth(year, 9, 0, 1), nth(year, 10, 0, 2)]
    moving += [nth(year, 11, 3, 4), nth(year, 6, 0, 1) - timedelta(days=7)]
    return {each for each in [*map(observed, fixed), *moving] if each.year == year}


def nth(year: int, month: int, weekday: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))


def observed(holiday: date) -> date:
    return holiday + timedelta(days={5: -1, 6: 1}.get(holiday.weekday(), 0))


@pytest.mark.parametrize("year", YEARS)
def test_they_are_the_federal_holidays_as_they_are_observed(year: int) -> None:
    assert {each for each in review_calendar().holidays if each.year == year} == federal(year)
