"""Runs one episode: all pending messages of an instance on its recorded history. Pure, no I/O."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from devhost.errors import InvalidOrchestratorError, OrchestrationError
from devhost.history import (
    Event,
    EventType,
    as_played,
    execution_completed,
    orchestrator_completed,
    orchestrator_started,
    task_scheduled,
    timer_created,
)
from devhost.orchestrator import OrchestratorFunction, State, context_json, run_orchestrator
from devhost.replay import CaseMismatch, Replay
from devhost.status import Status
from devhost.tasks import ScheduleActivity, ScheduleTimer
from devhost.timestamps import Micros


@dataclass(frozen=True, slots=True)
class Execution:
    """The state that an episode starts from; `history` is the inside of a JSON array."""

    instance_id: str
    orchestrator: str
    raw_input: str | None
    history: str
    custom_status: str | None = None


@dataclass(frozen=True, slots=True)
class Restart:
    """The instance continues as new; `raw_input` is JSON text, `carried` are events to deliver again."""

    raw_input: str
    carried: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The changes of an episode; `output` and `custom_status` are JSON texts or None."""

    status: Status
    output: str | None
    custom_status: str | None
    events: tuple[Event, ...]
    activities: tuple[ScheduleActivity, ...] = ()
    timers: tuple[ScheduleTimer, ...] = ()
    restart: Restart | None = None
    mismatches: tuple[CaseMismatch, ...] = ()


def run_episode(
    execution: Execution,
    messages: Sequence[Event],
    now: Micros,
    function: OrchestratorFunction,
    activities: Collection[str],
) -> Outcome:
    """Run an orchestrator over its history and new messages.

    `activities` holds the case-folded names of the activities that exist.
    """
    arrived = [orchestrator_started(now), *messages]
    if reason := _termination(messages):
        return _finish(_End(Status.TERMINATED, reason, execution.custom_status), arrived, now)
    try:
        state = run_orchestrator(function, _context(execution, arrived))
        replay = _replay(execution.history, state, arrived)
        _refuse_unknown(replay, activities)
        return _conclude(execution, state, replay, arrived, now)
    except OrchestrationError as failure:
        return _finish(_failed(execution, str(failure)), arrived, now)


def failed_outcome(execution: Execution, text: str, now: Micros) -> Outcome:
    """Return the outcome of an instance that the host fails."""
    return _finish(_failed(execution, text), [orchestrator_started(now)], now)


def _termination(messages: Sequence[Event]) -> str | None:
    reasons = (m["Input"] for m in messages if m["EventType"] == EventType.EXECUTION_TERMINATED)
    return next((json.dumps(reason) for reason in reasons), None)


def _context(execution: Execution, arrived: Sequence[Event]) -> str:
    parts = [execution.history] if execution.history else []
    return context_json(
        history=",".join([*parts, events_text(arrived)]),
        raw_input=execution.raw_input,
        instance_id=execution.instance_id,
        first_episode=not execution.history,
    )


def events_text(events: Sequence[Event]) -> str:
    """Write events as the inside of a JSON array."""
    return ",".join(json.dumps(event, separators=(",", ":")) for event in events)


def _replay(history: str, state: State, arrived: Sequence[Event]) -> Replay:
    replay = Replay(state.actions)
    for event in json.loads(f"[{history}]"):
        replay.feed(event)
    replay.history_ends()
    for event in arrived:
        replay.feed(event)
    return replay


def _refuse_unknown(replay: Replay, activities: Collection[str]) -> None:
    for decision in replay.decisions:
        if isinstance(decision, ScheduleActivity) and decision.name.casefold() not in activities:
            known = ", ".join(sorted(activities)) or "none"
            raise InvalidOrchestratorError(
                f"at step {decision.task_id} it called the activity '{decision.name}', which this app does not have "
                f"(it has: {known}). The real extension would leave the instance Running for ever. Correct the name, "
                "or register the blueprint that holds the activity."
            )


def _conclude(
    execution: Execution, state: State, replay: Replay, arrived: list[Event], now: Micros
) -> Outcome:
    if replay.may_complete:
        if state.error is not None:
            end = _failed(execution, state.error, state.custom_status)
            return _finish(end, [*arrived, *_recorded(replay, now)], now)
        if replay.continue_as_new is not None:
            return _restart(state, replay)
        if state.is_done:
            end = _End(Status.COMPLETED, state.output, state.custom_status)
            return _finish(end, [*arrived, *_recorded(replay, now)], now)
        if replay.nothing_can_wake_it:
            raise InvalidOrchestratorError(
                "it waits for nothing that can ever happen; most likely it yielded None instead of a task. "
                "The real extension would leave the instance Running for ever."
            )
    return _go_on(state, replay, arrived, now)


def _go_on(state: State, replay: Replay, arrived: list[Event], now: Micros) -> Outcome:
    return Outcome(
        status=Status.RUNNING,
        output=None,
        custom_status=state.custom_status,
        events=_closed([*arrived, *_recorded(replay, now)], now),
        activities=tuple(d for d in replay.decisions if isinstance(d, ScheduleActivity)),
        timers=tuple(d for d in replay.decisions if isinstance(d, ScheduleTimer)),
        mismatches=replay.new_mismatches,
    )


def _recorded(replay: Replay, now: Micros) -> list[Event]:
    return [
        task_scheduled(now, decision.task_id, decision.name)
        if isinstance(decision, ScheduleActivity)
        else timer_created(now, decision.task_id, decision.fire_at)
        for decision in replay.decisions
    ]


def _restart(state: State, replay: Replay) -> Outcome:
    assert replay.continue_as_new is not None
    return Outcome(
        status=Status.RUNNING,
        output=None,
        custom_status=state.custom_status,
        events=(),
        restart=Restart(json.dumps(replay.continue_as_new.input), tuple(replay.carried)),
        mismatches=replay.new_mismatches,
    )


@dataclass(frozen=True, slots=True)
class _End:
    status: Status
    output: str | None
    custom_status: str | None


def _failed(execution: Execution, text: str, custom_status: str | None = None) -> _End:
    output = json.dumps(f"Orchestrator function '{execution.orchestrator}' failed: {text}")
    return _End(Status.FAILED, output, custom_status or execution.custom_status)


def _finish(end: _End, events: list[Event], now: Micros) -> Outcome:
    ended = execution_completed(now, len(events), end.status.value, end.output)
    return Outcome(end.status, end.output, end.custom_status, _closed([*events, ended], now))


def _closed(events: list[Event], now: Micros) -> tuple[Event, ...]:
    return tuple(as_played(event) for event in [*events, orchestrator_completed(now)])
