"""Moves the clock of the real durable engine and of the app on it, from due time to due time.

The engine and the storage emulator read their shift from a file that they have mapped (`libshifted_clock.so`, beside
`func`): 8 bytes, microseconds. The app reads its own from CLOCK_OFFSET_FILE (`shared/clock.py`). Both are the same.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from azure.core.exceptions import AzureError

from localcloud.clocks import Clock, wall_clock
from localcloud.platform.task_hub import Observable, until_quiet
from localcloud.private_files import replace_private

NO_SHIFT = struct.pack("<q", 0)
# The engine hides a timer's message by whole seconds.
_JUST_PAST = timedelta(seconds=1)


class ClockRefusal(Exception):
    """The clock was not moved, or what became due was not done in time: `status` is 400 or 409."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class ClockFiles:
    """The files that hold the shift: `engine` is None if the engine keeps real time."""

    app: Path
    engine: Path | None

    def offset(self) -> timedelta:
        """How far the clock is ahead of the wall clock."""
        try:
            return timedelta(microseconds=int(self.app.read_text(encoding="ascii")))
        except FileNotFoundError:
            return timedelta()

    def set_offset(self, offset: timedelta) -> None:
        """The app first: what the engine hands to it must not lie in its future."""
        microseconds = offset // timedelta(microseconds=1)
        replace_private(self.app, str(microseconds).encode("ascii"))
        if self.engine is not None:
            with self.engine.open("r+b") as file:  # in place: it is mapped into running processes
                file.write(struct.pack("<q", microseconds))


class EngineClock:
    """Moves the clock, and waits for what became due: at most `patience` seconds after each step.

    `run_timers` runs all timer functions of the app once.
    """

    def __init__(
        self,
        files: ClockFiles,
        hub: Observable,
        run_timers: Callable[[], Awaitable[None]],
        *,
        patience: float = 120.0,
        wall: Clock = wall_clock,
    ) -> None:
        self._files = files
        self._hub = hub
        self._run_timers = run_timers
        self._patience = patience
        self._wall = wall
        self._moving = asyncio.Lock()

    def now(self) -> datetime:
        """The app's and the engine's time."""
        return self._wall() + self._files.offset()

    async def advance(self, target: Callable[[datetime], datetime]) -> datetime:
        """Do what is due, then go to `target(now)` by way of each due time; at the end timer functions run once.

        Returns the time. Raises ClockRefusal.
        """
        async with self._moving:
            timers = await self._settled()
            to = target(self.now())
            if to <= self.now():
                return self.now()
            self._require_clock()
            while timers and (step := timers[0] + _JUST_PAST) < to:
                self._move(step)
                timers = await self._settled()
            self._move(to)
            await self._settled()
            await self._run_timers()
            await self._settled()
            return self.now()

    async def _settled(self) -> tuple[datetime, ...]:
        """Wait until everything that is due has been done; the due times that are to come."""
        end = asyncio.get_running_loop().time() + self._patience
        overdue = ""
        try:
            while True:
                look = await until_quiet(self._hub, end - asyncio.get_running_loop().time())
                if not look.timers or look.timers[0] > self.now():
                    return look.timers
                overdue = f"a timer of {look.timers[0].isoformat()} that has not fired"
                await asyncio.sleep(0.05)
        except TimeoutError as late:
            raise ClockRefusal(
                409,
                f"After {self._patience:.0f} s the task hub still has {overdue or late}. The log of the host may say "
                "why; ask again to go on waiting.",
            ) from late
        except AzureError as failed:
            raise ClockRefusal(
                409,
                f"The storage of the task hub does not answer: {type(failed).__name__}. Start it and ask again.",
            ) from failed

    def _require_clock(self) -> None:
        if self._files.engine is None:
            raise ClockRefusal(
                409, "This func comes without a library that shifts its clock; the engine keeps real time."
            )

    def _move(self, to: datetime) -> None:
        if to > self.now():
            self._files.set_offset(to - self._wall())
