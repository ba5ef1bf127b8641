"""The domain clock: UTC plus an offset that a local host can set, so that tests can skip 14 days in a second.

Rules, ids and due times use the domain clock. Tokens, signatures, storage, leases and the ages of intents use the
wall clock. A host sets the offset in the file named by CLOCK_OFFSET_FILE: one line, in microseconds.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

OFFSET_FILE = "CLOCK_OFFSET_FILE"


def now() -> datetime:
    """The current time of the domain clock (aware, UTC)."""
    return wall_clock() + _offset()


def wall_clock() -> datetime:
    """The current real time (aware, UTC)."""
    return datetime.now(UTC)


def _offset() -> timedelta:
    path = os.environ.get(OFFSET_FILE)
    if not path:
        return timedelta()
    try:
        return timedelta(microseconds=int(Path(path).read_text(encoding="ascii")))
    except FileNotFoundError:  # a host that has not moved its clock yet
        return timedelta()
