"""When timer functions are due: NCRONTAB (six fields, or five without seconds) or a time span."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from devhost.errors import StartError
from devhost.host_json import parse_time_span
from devhost.timestamps import SECOND, Micros, from_datetime, to_datetime

# Other crontabs also have L, W, # and 7 for Sunday; the platform's parser refuses them.
_PART = r"(?:\*|(?:\d+|[a-z]{3})(?:-(?:\d+|[a-z]{3}))?)(?:/\d+)?"
_FIELD = re.compile(rf"{_PART}(?:,{_PART})*", re.IGNORECASE)
_DAY_7 = re.compile(r"(?<![/\d])0*7(?!\d)")
_SETTING = re.compile(r"%([^%]+)%")


class Schedule(Protocol):
    """When a timer function is due."""

    def after(self, moment: Micros) -> Micros:
        """Return the first occurrence later than `moment`."""

    def last(self, first: Micros, until: Micros) -> Micros | None:
        """Return the last occurrence in [first, until], where `first` is one; None if `until` is earlier."""


@dataclass(frozen=True, slots=True)
class Crontab:
    """NCRONTAB: seconds first; a day must match both its day of the month and its day of the week."""

    expression: str
    zone: tzinfo

    def after(self, moment: Micros) -> Micros:
        """Return the first occurrence later than `moment`. Raises CronSimError, StopIteration if there is none."""
        return from_datetime(next(self._occurrences(moment)))

    def last(self, first: Micros, until: Micros) -> Micros | None:
        """Return the last occurrence in [first, until]."""
        if until < first:
            return None
        # The walk back starts before the given time, so it is given the next whole second.
        return from_datetime(next(self._occurrences(Micros(until // SECOND * SECOND + SECOND), reverse=True)))

    def _occurrences(self, moment: Micros, *, reverse: bool = False) -> CronSim:
        occurrences = CronSim(self.expression, to_datetime(moment).astimezone(self.zone), reverse)
        occurrences.day_and = True
        return occurrences


@dataclass(frozen=True, slots=True)
class Interval:
    """A fixed time after the last occurrence."""

    length: timedelta

    def after(self, moment: Micros) -> Micros:
        """Return one interval later."""
        return Micros(moment + self._micros)

    def last(self, first: Micros, until: Micros) -> Micros | None:
        """Return the last of the occurrences from `first` on."""
        return None if until < first else Micros(first + (until - first) // self._micros * self._micros)

    @property
    def _micros(self) -> int:
        return self.length // timedelta(microseconds=1)


def parse_schedule(text: str, environment: Mapping[str, str] = os.environ) -> Schedule:
    """Read a timer trigger's schedule; `%NAME%` stands for a setting. Raises StartError."""
    expression = _SETTING.sub(lambda found: _setting(found[1], environment), text).strip()
    try:
        if " " not in expression:
            return _interval(expression)
        _check_fields([field for field in expression.split(" ") if field])
        zone = ZoneInfo(environment.get("WEBSITE_TIME_ZONE") or "UTC")
        crontab = Crontab(expression, zone)
        crontab.after(Micros(0))
    except (ValueError, LookupError, CronSimError, StopIteration) as failure:
        raise StartError(
            f"The schedule '{text}' cannot be used ({failure or 'it never occurs'}); write six fields, seconds "
            "first, or hh:mm:ss."
        ) from failure
    return crontab


def _check_fields(fields: list[str]) -> None:
    for field in fields:
        if not _FIELD.fullmatch(field):
            raise ValueError(f"the platform does not accept '{field}'")
    if _DAY_7.search(fields[-1]):
        raise ValueError("Sunday is 0, and the platform does not accept 7")


def _interval(text: str) -> Interval:
    length = parse_time_span(text)
    if not length:
        raise ValueError("an interval must be longer than zero")
    return Interval(length)


def _setting(name: str, environment: Mapping[str, str]) -> str:
    if name not in environment:
        raise StartError(
            f"A schedule refers to the setting '{name}', which is not set; set it in the environment."
        )
    return environment[name]
