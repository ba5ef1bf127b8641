"""The domain clock: UTC plus an offset that only ever grows.

The offset is kept in the store; the file named by `CLOCK_OFFSET_FILE` is a copy for the app.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from devhost.timestamps import Micros

_log = logging.getLogger(__name__)

OFFSET_VARIABLE = "CLOCK_OFFSET_FILE"
OFFSET_FILE = "clock-offset"


def shown_offset(offset_file: Path) -> int:
    """Return the offset in the file, in microseconds; 0 if there is none."""
    try:
        return int(offset_file.read_text(encoding="ascii"))
    except FileNotFoundError:
        return 0
    except ValueError:  # a power loss may have emptied it
        _log.warning("clock.offset_unreadable file=%s; the clock begins at the wall clock", offset_file)
        return 0


class DomainClock:
    """The domain time, in microseconds. It never goes back while the process runs."""

    def __init__(self, offset_file: Path, offset: int, wall: Callable[[], int] = time.time_ns) -> None:
        """`offset` in microseconds; `wall` returns nanoseconds since 1970, UTC. Writes the file."""
        self._wall = wall
        self._offset_file = offset_file
        self._latest = 0
        self._offset = offset
        self.set_offset(offset)

    @property
    def offset(self) -> int:
        """Microseconds between UTC and the domain time."""
        return self._offset

    def now(self) -> Micros:
        """Return the domain time."""
        self._latest = max(self._latest, self._wall() // 1_000 + self._offset)
        return Micros(self._latest)

    def offset_for(self, moment: Micros) -> int:
        """Return the offset with which the clock would show `moment` now."""
        return moment - self._wall() // 1_000

    def set_offset(self, offset: int) -> None:
        """Set the offset and replace the file atomically, so that a reader sees the old or the new value."""
        fresh = self._offset_file.with_suffix(".new")
        fresh.write_text(f"{offset}\n", encoding="ascii")
        os.replace(fresh, self._offset_file)  # noqa: PTH105 - replace() says that it is atomic
        self._offset = offset
