"""The clock of the app and of the real engine, moved without waiting for anything.

`Service.advance` goes from due time to due time and waits until all is done, which never is where messages were lost.
"""

from datetime import datetime, timedelta

from localcloud.clocks import wall_clock
from localcloud.platform.engine_clock import ClockFiles
from localcloud.stack.hosts import shift_file
from localcloud.stack.stack import Stack


class EngineTime:
    """Moves the clock of a stack on func."""

    def __init__(self, stack: Stack) -> None:
        self._files = ClockFiles(stack.data.clock_offset, shift_file(stack.data))

    def now(self) -> datetime:
        """The time of app and engine."""
        return wall_clock() + self._files.offset()

    def jump(self, to: datetime) -> None:
        """Go to a later time at once."""
        assert to >= self.now(), f"the clock only goes forward; it is {self.now()}"
        self._files.set_offset(to - wall_clock())

    def pass_by(self, duration: timedelta) -> None:
        """Go on by so much at once."""
        self.jump(self.now() + duration)
