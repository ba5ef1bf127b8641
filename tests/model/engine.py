"""A fake engine that runs the real orchestrators, and promises no more than the real one does.

Activities run at least once: a death in one may run it again. Or it fails the whole orchestration; or its result is
lost, and the orchestration runs for ever, takes events and never moves. Events that arrive while an instance is busy
are dropped with its history at continue-as-new, which is what the protocol has to live with.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from random import Random
from typing import Any

from orchestrators.one_turn import one_turn
from shared.errors import ServiceError
from shared.workflow.wake import LIFECYCLE, REVIEW
from tests.doubles.engine import FakeEngine, Instance
from tests.model.deaths import Died

_AN_END_TAKES = 20
"""Turns of the loop between being told to end and the end."""
RunActivity = Callable[[str, dict[str, Any]], Awaitable[Any]]
ACTIVITIES = {LIFECYCLE: "observe", REVIEW: "observe_registration"}
"""The activity of each orchestrator; all else they share."""


@dataclass
class Call:
    name: str
    argument: dict[str, Any]


@dataclass
class Timer:
    at: datetime
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Wait:
    name: str


@dataclass
class AnyOf:
    waits: list[Any]


@dataclass
class Context:
    """What the orchestrator sees of the engine."""

    argument: dict[str, str]
    current_utc_datetime: datetime
    again: dict[str, str] | None = None

    def get_input(self) -> dict[str, str]:
        return self.argument

    def call_activity(self, name: str, argument: dict[str, Any]) -> Call:
        return Call(name, argument)

    def wait_for_external_event(self, name: str) -> Wait:
        return Wait(name)

    def create_timer(self, at: datetime) -> Timer:
        return Timer(at)

    def task_any(self, waits: list[Any]) -> AnyOf:
        return AnyOf(waits)

    def continue_as_new(self, argument: dict[str, str]) -> None:
        self.again = argument

    def set_custom_status(self, _status: object) -> None: ...


@dataclass(eq=False)
class RunningInstance(Instance):
    due: datetime | None = None
    events: list[str] = field(default_factory=list)
    parked: bool = False
    hung: bool = False
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None]" = field(init=False)


class Engine(FakeEngine):
    """`clock` is virtual; `run_activity` may die.

    `chance` decides what a death does to the orchestration; without it the activity runs again.
    """

    instances: dict[str, RunningInstance]  # type: ignore[assignment] # those that it makes itself

    def __init__(
        self, clock: Callable[[], datetime], run_activity: RunActivity, chance: Random | None = None
    ) -> None:
        super().__init__()
        self._clock = clock
        self._chance = chance
        self._run_activity = run_activity
        self._tasks: set[asyncio.Task[None]] = set()
        self.busy = 0
        self.failed = 0

    def began(self, name: str, instance_id: str, argument: dict[str, str]) -> RunningInstance:
        instance = RunningInstance(instance_id, name, argument)
        self._run(instance)
        return instance

    async def took(self, instance: Instance, event: str) -> None:
        assert isinstance(instance, RunningInstance)
        instance.events.append(event)
        self._wake(instance)

    def told_to_end(self, instance: Instance) -> None:
        """The end comes later; until then the instance takes events, which nobody will look at."""
        assert isinstance(instance, RunningInstance)
        self.busy += 1
        self._keep(asyncio.create_task(self._end(instance)))

    async def _end(self, instance: RunningInstance) -> None:
        for _ in range(_AN_END_TAKES):
            await asyncio.sleep(0)
        if not instance.finished:
            if instance.parked:
                self._wake(instance)
            elif instance.hung:
                instance.hung = False
                self.busy += 1
            instance.finished = True
            instance.task.cancel()
        self.busy -= 1

    def fire_due(self) -> None:
        """Let the timers fire whose time has come."""
        for instance in self.instances.values():
            if instance.due and instance.due <= self._clock():
                self._wake(instance)

    def next_due(self) -> datetime | None:
        return min((i.due for i in self.instances.values() if i.due and not i.finished), default=None)

    async def settle(self) -> None:
        """Wait until every instance waits or has finished."""
        while self.busy:  # noqa: ASYNC110 - busy is a count, and nothing here waits for real time
            await asyncio.sleep(0)

    def _wake(self, instance: RunningInstance) -> None:
        """Busy from now on, not only from when its task gets its turn."""
        if instance.parked:
            instance.parked = False
            self.busy += 1
            instance.woken.set()

    def _run(self, instance: RunningInstance) -> None:
        self.busy += 1
        instance.task = asyncio.create_task(self._live(instance))
        self._keep(instance.task)

    def _keep(self, task: "asyncio.Task[None]") -> None:
        """Hold a task until it ends: the event loop does not."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _live(self, instance: RunningInstance) -> None:
        try:
            while await self._turn(instance):
                instance.events.clear()
        except Died:
            self.failed += 1
        finally:
            instance.finished = True
            self.busy -= 1

    async def _turn(self, instance: RunningInstance) -> bool:
        context: Any = Context(instance.argument, self._clock())
        instance.last_turn_at = self._clock()
        turn = one_turn(context, ACTIVITIES[instance.name])
        resume: Callable[[], Any] = partial(turn.send, None)
        while True:
            try:
                asked = resume()
            except StopIteration:
                instance.argument = context.again or instance.argument
                return context.again is not None
            try:
                resume = partial(turn.send, await self._do(asked, instance, context))
            except ServiceError as failed:
                resume = partial(turn.throw, Exception(f"Activity function failed: {failed}"))

    async def _do(self, asked: Any, instance: RunningInstance, context: Context) -> Any:
        if isinstance(asked, Call):
            return await self._at_least_once(asked, instance)
        winner = await self._wait(asked.waits if isinstance(asked, AnyOf) else [asked], instance)
        context.current_utc_datetime = self._clock()
        return winner

    async def _at_least_once(self, call: Call, instance: RunningInstance) -> Any:
        while True:
            try:
                return await self._run_activity(call.name, call.argument)
            except Died:
                await asyncio.sleep(0)
                end = self._chance.choice(["again", "failed", "hung"]) if self._chance else "again"
                if end == "failed":
                    raise
                if end == "hung":
                    instance.hung = True
                    self.busy -= 1
                    await asyncio.Event().wait()

    async def _wait(self, waits: list[Any], instance: RunningInstance) -> Any:
        timer = next((wait for wait in waits if isinstance(wait, Timer)), None)
        instance.due = timer.at if timer else None
        while True:
            event = next(
                (wait for wait in waits if isinstance(wait, Wait) and wait.name in instance.events),
                None,
            )
            if event:
                break
            if timer and timer.at <= self._clock():
                event = timer  # type: ignore[assignment]
                break
            instance.woken.clear()
            instance.parked = True
            self.busy -= 1
            await instance.woken.wait()
        instance.due = None
        return event
