"""The domain clock: UTC plus an offset that the host may set, so that 14 days can pass in a second.

Rules, ids and due times use it. Tokens, signatures, storage, leases and the ages of intents use the wall clock.
The contract with a host is the file named by CLOCK_OFFSET_FILE: one line, the offset in microseconds.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

OFFSET_FILE = "CLOCK_OFFSET_FILE"


def now() -> datetime:
    """The domain's time, aware, UTC."""
    return wall_clock() + _offset()


def wall_clock() -> datetime:
    """The real time, aware, UTC."""
    return datetime.now(UTC)


def _offset() -> timedelta:
    path = os.environ.get(OFFSET_FILE)
    if not path:
        return timedelta()
    try:
        return timedelta(microseconds=int(Path(path).read_text(encoding="ascii")))
    except FileNotFoundError:  # a host that has not moved its clock yet
        return timedelta()
