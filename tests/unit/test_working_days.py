"""Working days: neither weekends nor the review team's holidays (G7)."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import reference
from shared.domain.working_days import after_working_days, is_working_day
from shared.reference.holidays import holidays

MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
HOLIDAYS = st.frozensets(st.dates(date(2026, 1, 1), date(2029, 6, 30)), max_size=60)
MONDAY = datetime(2026, 11, 16, 10, 30, tzinfo=UTC)


def day(number: int, month: int = 11) -> date:
    return date(2026, month, number)


@pytest.mark.parametrize("number", range(7))
def test_people_work_from_monday_to_friday(number: int) -> None:
    assert is_working_day(day(16 + number), ()) == (number < 5)


def test_people_do_not_work_on_a_holiday() -> None:
    assert is_working_day(day(25), {day(26)})
    assert not is_working_day(day(26), {day(26)})


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
        (MONDAY + timedelta(days=5), 1, (), MONDAY + timedelta(days=7)),  # from a Saturday to Monday
        (MONDAY + timedelta(days=6), 5, (), MONDAY + timedelta(days=11)),
        (MONDAY + timedelta(days=4), 1, (day(23),), MONDAY + timedelta(days=8)),
    ],
)
def test_the_same_time_of_day_so_many_working_days_later(
    start: datetime, days: int, off: tuple[date, ...], end: datetime
) -> None:
    assert after_working_days(start, days, off) == end


@given(MOMENTS, st.integers(1, 40), HOLIDAYS)
def test_between_start_and_end_lie_just_so_many_working_days(
    start: datetime, days: int, off: frozenset[date]
) -> None:
    end = after_working_days(start, days, off)
    passed = [start.date() + timedelta(days=n) for n in range(1, (end.date() - start.date()).days + 1)]
    assert sum(each.weekday() < 5 and each not in off for each in passed) == days
    assert end.timetz() == start.timetz()
    assert end.weekday() < 5
    assert end.date() not in off


@given(MOMENTS, st.integers(0, 15), st.integers(0, 15), HOLIDAYS)
def test_counting_on_gives_what_counting_at_once_gives(
    start: datetime, some: int, more: int, off: frozenset[date]
) -> None:
    there = after_working_days(after_working_days(start, some, off), more, off)
    assert there == after_working_days(start, some + more, off)


def test_the_holidays_are_weekdays_of_three_years_in_order_and_each_once() -> None:
    """A holiday at a weekend would be listed on the day on which it is observed."""
    days = sorted(holidays())
    assert {each.weekday() for each in days} <= set(range(5))
    assert {each.year for each in days} == {2026, 2027, 2028}
    text = (Path(reference.__file__).parent / "holidays.toml").read_text(encoding="utf-8")
    listed = [each.strip() for each in text.partition("[")[2].partition("]")[0].split(",") if each.strip()]
    assert listed == [each.isoformat() for each in days]


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


@pytest.mark.parametrize("year", [2026, 2027, 2028])
def test_they_are_the_federal_holidays_as_they_are_observed(year: int) -> None:
    assert {each for each in holidays() if each.year == year} == federal(year)
