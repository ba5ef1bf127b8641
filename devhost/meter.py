"""Counts the work that runs or is about to run, so that others can wait until there is none."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from devhost.errors import ClockError

_MOST_EPISODES_AT_ONE_INSTANT = 1_000
_RESTLESS = (
    "Instance '{}' ran more than {} episodes at one instant and is not idle yet, so the clock stays where it is; it "
    "probably continues as new without waiting for anything. Terminate it, or correct its orchestrator."
)
_HELD_UP = (
    "Work waits for the disk of the data directory ({}), so the clock stays where it is. Free space there, or make "
    "it writable; the work goes on by itself, and the clock can be asked again."
)


class WorkMeter:
    """Pending work: instances with messages, activities, timer functions, tasks that functions left running."""

    def __init__(self) -> None:
        self._in_hand = 0
        self._changed = asyncio.Event()
        self._episodes: Counter[str] | None = None
        self._restless: str | None = None
        self._held_up: list[str] = []

    @property
    def is_idle(self) -> bool:
        """Whether there is no pending work."""
        return self._in_hand == 0

    def begin(self) -> None:
        """Count a piece of work, from the moment it is known, not only while it runs."""
        self._in_hand += 1

    def end(self) -> None:
        """Called when a piece of work is done, and the work that follows from it has been counted."""
        self._in_hand -= 1
        if not self._in_hand:
            self._changed.set()

    def count_episode(self, instance_id: str) -> None:
        """Count an episode of an instance: without a limit per instant, an endless one would never be idle."""
        if self._episodes is None:
            return
        self._episodes[instance_id] += 1
        if self._episodes[instance_id] > _MOST_EPISODES_AT_ONE_INSTANT:
            self._restless = instance_id
            self._changed.set()

    def start_instant(self) -> None:
        """Start to count the episodes of each instance; the clock has moved."""
        self._episodes, self._restless = Counter(), None

    def end_instant(self) -> None:
        """Stop counting episodes."""
        self._episodes = None

    @contextmanager
    def held_up(self, reason: str) -> Iterator[None]:
        """While the context is open, pending work waits for the disk; `reason` is the disk's error."""
        self._held_up.append(reason)
        self._changed.set()
        try:
            yield
        finally:
            self._held_up.remove(reason)

    async def idle(self) -> None:
        """Wait until there is no pending work.

        Raises ClockError if an instance does not stop running at one instant, or if work waits for the disk.
        """
        while self._in_hand:
            if self._held_up:
                raise ClockError(503, _HELD_UP.format(self._held_up[-1]))
            self._changed.clear()
            await self._changed.wait()
            if self._restless is not None:
                raise ClockError(409, _RESTLESS.format(self._restless, _MOST_EPISODES_AT_ONE_INSTANT))
