"""The two clocks: the wall clock for signatures and tokens, the domain clock for what people read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from localcloud.errors import DamagedFileError

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """Return the real time, UTC."""
    return datetime.now(UTC)


def domain_clock(offset_file: Path | None, real: Clock = wall_clock) -> Clock:
    """Return a clock that adds the offset of `offset_file`, read anew each time.

    The file holds one line, a decimal integer of microseconds; no file means no offset.
    Calling the clock raises DamagedFileError if the file holds anything else.
    """

    def now() -> datetime:
        return real() + _offset(offset_file)

    return now


def utc_text(moment: datetime) -> str:
    """Return RFC 3339 with microseconds and Z. `moment` is UTC."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _offset(file: Path | None) -> timedelta:
    if file is None:
        return timedelta()
    try:
        text = file.read_text(encoding="ascii")
        return timedelta(microseconds=int(text))
    except FileNotFoundError:
        return timedelta()
    except (ValueError, OverflowError) as error:
        raise DamagedFileError(
            f"{file} must hold one decimal integer of microseconds. Stop the service and delete the file; "
            "the host writes it again when it starts."
        ) from error
