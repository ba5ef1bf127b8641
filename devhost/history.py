"""History events as the Durable SDK reads them: JSON objects with `EventType`, `EventId`, `IsPlayed`, `Timestamp`."""

from enum import IntEnum
from typing import Any

from devhost.timestamps import Micros, to_text

Event = dict[str, Any]


class EventType(IntEnum):
    """The numbers of the extension's protocol."""

    EXECUTION_STARTED = 0
    EXECUTION_COMPLETED = 1
    EXECUTION_TERMINATED = 3
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13
    EVENT_RAISED = 15


def _event(kind: EventType, at: Micros, event_id: int = -1, **extra: Any) -> Event:
    return {
        "EventType": int(kind),
        "EventId": event_id,
        "IsPlayed": False,
        "Timestamp": to_text(at),
        **extra,
    }


def orchestrator_started(at: Micros) -> Event:
    """Start an episode; its timestamp is the orchestrator's current time."""
    return _event(EventType.ORCHESTRATOR_STARTED, at)


def orchestrator_completed(at: Micros) -> Event:
    """End an episode."""
    return _event(EventType.ORCHESTRATOR_COMPLETED, at)


def execution_started(
    at: Micros, *, name: str, version: str, raw_input: str | None, instance_id: str, execution_id: str
) -> Event:
    """Start an execution; `raw_input` is JSON text or None. The SDK requires the key `Version`."""
    return _event(
        EventType.EXECUTION_STARTED,
        at,
        Name=name,
        Version=version,
        Input=raw_input,
        OrchestrationInstance={"InstanceId": instance_id, "ExecutionId": execution_id},
        ParentInstance=None,
        Tags=None,
    )


def execution_completed(at: Micros, event_id: int, status: str, result: str | None) -> Event:
    """End an execution."""
    return _event(
        EventType.EXECUTION_COMPLETED,
        at,
        event_id,
        OrchestrationStatus=status,
        Result=result,
        FailureDetails=None,
    )


def execution_terminated(at: Micros, reason: str) -> Event:
    """Ask an instance to end at once."""
    return _event(EventType.EXECUTION_TERMINATED, at, Input=reason)


def task_scheduled(at: Micros, task_id: int, name: str) -> Event:
    """Record that an activity was scheduled."""
    return _event(EventType.TASK_SCHEDULED, at, task_id, Name=name, Version="", Input=None)


def task_completed(at: Micros, task_id: int, result: str | None) -> Event:
    """Report an activity's result, JSON text."""
    return _event(EventType.TASK_COMPLETED, at, TaskScheduledId=task_id, Result=result)


def task_failed(at: Micros, task_id: int, reason: str, details: str) -> Event:
    """Report an activity's failure."""
    return _event(
        EventType.TASK_FAILED,
        at,
        TaskScheduledId=task_id,
        Reason=reason,
        Details=details,
        FailureDetails=None,
    )


def timer_created(at: Micros, task_id: int, fire_at: Micros) -> Event:
    """Record that a timer was created."""
    return _event(EventType.TIMER_CREATED, at, task_id, FireAt=to_text(fire_at))


def timer_fired(at: Micros, task_id: int, fire_at: Micros) -> Event:
    """Report that a timer is due."""
    return _event(EventType.TIMER_FIRED, at, TimerId=task_id, FireAt=to_text(fire_at))


def event_raised(at: Micros, name: str, data: str) -> Event:
    """Deliver an external event; `data` is JSON text."""
    return _event(EventType.EVENT_RAISED, at, Name=name, Input=data)


_PLAYED = frozenset(
    {
        EventType.EXECUTION_STARTED,
        EventType.TASK_COMPLETED,
        EventType.TASK_FAILED,
        EventType.TIMER_FIRED,
        EventType.EVENT_RAISED,
    }
)


def as_played(event: Event) -> Event:
    """Return the event as later episodes see it: marked as played, because the orchestrator has processed it."""
    return {**event, "IsPlayed": True} if event["EventType"] in _PLAYED else event
