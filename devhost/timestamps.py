"""Points in time as integer microseconds since 1970, UTC, and their texts.

Integers, because a float can lose a microsecond, and a timer that seems to fire early would be set again.
"""

from datetime import UTC, datetime, timedelta
from typing import NewType

Micros = NewType("Micros", int)

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def from_datetime(moment: datetime) -> Micros:
    """Convert an aware datetime, or a naive one taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Micros((aware - _EPOCH) // _MICROSECOND)


def to_datetime(moment: Micros) -> datetime:
    """Convert to an aware datetime in UTC. Raises OverflowError beyond the year 9999."""
    return _EPOCH + timedelta(microseconds=moment)


def from_text(text: str) -> Micros:
    """Parse ISO 8601; a text without zone is UTC. Raises ValueError."""
    return from_datetime(datetime.fromisoformat(text))


def to_text(moment: Micros) -> str:
    """Write ISO 8601 with microseconds and `Z`, as in histories."""
    return to_datetime(moment).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_seconds_text(moment: Micros) -> str:
    """Write ISO 8601 with whole seconds and `Z`, as in status responses."""
    return to_datetime(moment).strftime("%Y-%m-%dT%H:%M:%SZ")
