"""The two clocks: the wall clock for signatures and tokens, the domain clock for the dates of mails and reports."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from localcloud.errors import DamagedFileError

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """Return the real time, UTC."""
    return datetime.now(UTC)


def domain_clock(offset_file: Path | None, real: Clock = wall_clock) -> Clock:
    """Return a clock that adds the offset in `offset_file`, which it reads at every call (see `read_offset`)."""
    return lambda: real() + (timedelta() if offset_file is None else read_offset(offset_file))


def utc_text(moment: datetime) -> str:
    """Return RFC 3339 with microseconds and Z. `moment` is UTC."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_offset(file: Path) -> timedelta:
    """Return how far the domain clock is ahead of the wall clock; nothing if there is no such file.

    The file holds one line, a decimal integer of microseconds. Raises DamagedFileError if it holds anything else.
    """
    try:
        return timedelta(microseconds=int(file.read_text(encoding="ascii")))
    except FileNotFoundError:
        return timedelta()
    except (ValueError, OverflowError) as error:
        raise DamagedFileError(
            f"{file} must hold one decimal integer of microseconds. Stop the service and delete the file; "
            "the host writes it again when it starts."
        ) from error
