"""The values of a replay: tasks that settle, and decisions to carry out."""

from collections.abc import Callable
from dataclasses import dataclass

from devhost.timestamps import Micros


@dataclass(frozen=True, slots=True)
class ScheduleActivity:
    """A decision: run this activity. `input` is JSON text."""

    task_id: int
    name: str
    input: str

    def __str__(self) -> str:
        return f"activity '{self.name}'"


@dataclass(frozen=True, slots=True)
class ScheduleTimer:
    """A decision: wake the instance up at `fire_at`."""

    task_id: int
    fire_at: Micros

    def __str__(self) -> str:
        return "a timer"


Decision = ScheduleActivity | ScheduleTimer


class Task:
    """Something the orchestrator waits for; it settles once and then runs its continuations."""

    def __init__(self) -> None:
        self.settled = False
        self.failed = False
        self._followers: list[Callable[[], None]] = []

    def settle(self, *, failed: bool = False) -> None:
        if self.settled:
            return
        self.settled, self.failed = True, failed
        for follower in self._followers:
            follower()

    def then(self, follower: Callable[[], None]) -> None:
        if self.settled:
            follower()
        else:
            self._followers.append(follower)
