"""The host's half of a replay: matches the orchestrator's actions with its recorded history.

The Durable SDK runs the orchestrator from the top each time and returns every action since the start. The host walks
the same history with its own counter of task ids: what is not yet recorded is to be scheduled. If the two counts
differ, the orchestrator is not deterministic.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from devhost.actions import (
    Action,
    CallActivity,
    Compound,
    ContinueAsNew,
    CreateTimer,
    Unsupported,
    WaitForEvent,
)
from devhost.errors import NonDeterminismError, UnsupportedActionError
from devhost.history import Event, EventType
from devhost.tasks import Decision, ScheduleActivity, ScheduleTimer, Task
from devhost.timestamps import SECOND, Micros, from_text

_LONGEST_RETRY_INTERVAL = 6 * 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class CaseMismatch:
    """An event was matched to a wait whose name differs in letter case; the SDK will not see it."""

    raised: str
    awaited: str


class Replay:
    """One walk through a history. Feed all events in order, then read the decisions that are left."""

    def __init__(self, actions: Sequence[Action]) -> None:
        self._actions = iter(actions)
        self._next_id = 0
        self._now = Micros(0)
        self._new: dict[int, Decision] = {}
        self._open: dict[int, Task] = {}
        self._recorded_timers: set[int] = set()
        self._waiting: dict[str, list[tuple[str, Task]]] = {}
        self._buffered: dict[str, deque[str]] = {}
        self._exhausted = False
        self.continue_as_new: ContinueAsNew | None = None
        self.carried: list[Event] = []
        self._mismatches: list[CaseMismatch] = []
        self._known_mismatches = 0

    @property
    def new_mismatches(self) -> tuple[CaseMismatch, ...]:
        """Return the events of this episode that the orchestrator will not see."""
        return tuple(self._mismatches[self._known_mismatches :])

    def history_ends(self) -> None:
        """Called when all events from before this episode have been fed."""
        self._known_mismatches = len(self._mismatches)

    @property
    def decisions(self) -> list[Decision]:
        """Return the actions that are not recorded yet, in order of task ids."""
        return [self._new[task_id] for task_id in sorted(self._new)]

    @property
    def may_complete(self) -> bool:
        """Whether every action has ended and no task is open: an abandoned task delays the completion."""
        return self._exhausted and not self._open

    @property
    def nothing_can_wake_it(self) -> bool:
        """Whether no task, timer or event is outstanding, so that no message can ever arrive."""
        return (
            self.may_complete
            and not any(self._waiting.values())
            and not self._recorded_timers
            and not self._new
            and not self._mismatches
        )

    def feed(self, event: Event) -> None:
        """Process one history event. Raises NonDeterminismError, UnsupportedActionError."""
        match event["EventType"]:
            case EventType.ORCHESTRATOR_STARTED:
                self._now = max(self._now, from_text(event["Timestamp"]))
            case EventType.EXECUTION_STARTED:
                self._run_actions()
            case EventType.TASK_SCHEDULED:
                self._confirm(event["EventId"], f"activity '{event['Name']}'")
            case EventType.TIMER_CREATED:
                self._confirm(event["EventId"], "a timer")
                self._recorded_timers.add(event["EventId"])
            case EventType.TASK_COMPLETED | EventType.TASK_FAILED as kind:
                self._settle(event["TaskScheduledId"], failed=kind == EventType.TASK_FAILED)
            case EventType.TIMER_FIRED:
                self._recorded_timers.discard(event["TimerId"])
                self._settle(event["TimerId"])
            case EventType.EVENT_RAISED:
                self._raise(event)

    def _confirm(self, task_id: int, recorded: str) -> None:
        decision = self._new.pop(task_id, None)
        attempted = "nothing" if decision is None else str(decision)
        if attempted.casefold() != recorded.casefold():
            raise NonDeterminismError(
                f"Non-Deterministic workflow detected: at step {task_id} a previous execution of this "
                f"orchestration scheduled {recorded}, and its replay attempted {attempted}. Likely causes: the "
                "orchestrator's code changed while this instance was running, or it depends on something other than "
                "its input, its history and context.current_utc_datetime (the wall clock, random numbers, a global, "
                "the environment)."
            )

    def _settle(self, task_id: int, *, failed: bool = False) -> None:
        task = self._open.pop(task_id, None)
        if task is not None:
            task.settle(failed=failed)

    def _raise(self, event: Event) -> None:
        if self.continue_as_new is not None:
            self.carried.append(event)
            return
        name = event["Name"]
        waiters = self._waiting.get(name.casefold())
        if not waiters:
            self._buffered.setdefault(name.casefold(), deque()).append(name)
            return
        awaited, task = waiters.pop()
        self._note_case(name, awaited)
        task.settle()

    def _note_case(self, raised: str, awaited: str) -> None:
        if raised != awaited:
            self._mismatches.append(CaseMismatch(raised, awaited))

    def _run_actions(self) -> None:
        """Invoke each top-level action, and the next one only when it has settled."""
        for action in self._actions:
            if isinstance(action, ContinueAsNew):
                self.continue_as_new = action
                continue
            task = self._invoke(action)
            if not task.settled:
                task.then(self._run_actions)
                return
        self._exhausted = True

    def _invoke(self, action: Action) -> Task:
        match action:
            case CallActivity(retry=None):
                return self._schedule_activity(action)
            case CallActivity():
                outcome = Task()
                self._attempt(action, 1, outcome)
                return outcome
            case CreateTimer():
                return self._create_timer(action.fire_at, cancelled=action.cancelled)
            case WaitForEvent():
                return self._wait(action.name)
            case Compound():
                return self._combine(action)
            case Unsupported(what) | ContinueAsNew(input=what):
                raise UnsupportedActionError(
                    f"the orchestrator scheduled {what} at step {self._next_id}, which devhost does not support; "
                    "run this app on Azure or under the Functions Core Tools, or do without it"
                )

    def _schedule_activity(self, call: CallActivity) -> Task:
        task_id = self._take_id()
        self._new[task_id] = ScheduleActivity(task_id, call.name, call.input)
        return self._open.setdefault(task_id, Task())

    def _create_timer(self, fire_at: Micros, *, cancelled: bool = False) -> Task:
        task_id, task = self._take_id(), Task()
        self._new[task_id] = ScheduleTimer(task_id, fire_at)
        if cancelled:
            task.settle()
        else:
            self._open[task_id] = task
        return task

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def _attempt(self, call: CallActivity, attempt: int, outcome: Task) -> None:
        """A timer follows each failure, also the last one: the SDK counts an id for it."""
        assert call.retry is not None
        exhausted = attempt >= call.retry.max_attempts
        pause = 0 if exhausted else min(call.retry.interval, _LONGEST_RETRY_INTERVAL)
        task = self._schedule_activity(call)

        def after_pause() -> None:
            if exhausted:
                outcome.settle(failed=True)
            else:
                self._attempt(call, attempt + 1, outcome)

        def after_attempt() -> None:
            if task.failed:
                self._create_timer(Micros(self._now + pause)).then(after_pause)
            else:
                outcome.settle()

        task.then(after_attempt)

    def _wait(self, name: str) -> Task:
        task = Task()
        if early := self._buffered.get(name.casefold()):
            self._note_case(early.popleft(), name)
            task.settle()
        else:
            self._waiting.setdefault(name.casefold(), []).append((name, task))
        return task

    def _combine(self, compound: Compound) -> Task:
        outcome = Task()
        children = [self._invoke(child) for child in compound.children]
        if not children:
            outcome.settle()

        def after_child() -> None:
            if not compound.wait_for_all or all(child.settled for child in children):
                outcome.settle()

        for child in children:
            child.then(after_child)
        return outcome
