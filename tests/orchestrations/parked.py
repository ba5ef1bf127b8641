"""Histories of instances that were recorded once, and what the host adds to them when something comes."""

import json
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

HISTORIES = Path(__file__).parent / "histories"
CALL_ACTIVITY, CREATE_TIMER, WAIT = 0, 5, 6
STARTED, SCHEDULED, COMPLETED, TIMER_CREATED, FIRED, EPISODE, RAISED = 0, 4, 5, 10, 11, 12, 15
Step = tuple[str, object]
"""An activity by name, or a timer by the time at which it fires: what the host records when it is asked for."""


def read(name: str) -> dict[str, Any]:
    """A recorded context, as the host gives it to the orchestrator."""
    return json.loads((HISTORIES / f"{name}.json").read_text())


def record(name: str, context: dict[str, Any]) -> None:
    """Keep a context."""
    (HISTORIES / f"{name}.json").write_text(json.dumps(context, indent=1) + "\n")


def name_of(context: dict[str, Any]) -> str:
    """Which orchestrator a history is of."""
    return next(each["Name"] for each in context["history"] if each["EventType"] == STARTED)


def events_of(context: dict[str, Any], *kinds: int) -> list[dict[str, Any]]:
    """The events of these kinds in a history."""
    return [each for each in context["history"] if each["EventType"] in kinds]


def raised(name: str) -> dict[str, Any]:
    """The host's record of an event."""
    return {"EventType": RAISED, "EventId": -1, "Name": name, "Input": "null"}


def fired(context: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    """The host's record that the timer is due which the last turn, with this `state`, asked for."""
    (timer,) = _timers_of(context, state)
    return {"EventType": FIRED, "EventId": -1, "TimerId": timer["EventId"], "FireAt": timer["FireAt"]}


def woken(context: dict[str, Any], state: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """The context of the next turn: what the last one decided (`state`) is on record, then `event` comes."""
    longer = deepcopy(context)
    last = events_of(longer, EPISODE)[-1]["Timestamp"]
    at = event.get("FireAt", last)
    longer["history"] += [{**timer, "Timestamp": last} for timer in _timers_of(context, state)]
    longer["history"].append({"EventType": EPISODE, "EventId": -1, "IsPlayed": False, "Timestamp": at})
    longer["history"].append({**event, "IsPlayed": False, "Timestamp": at})
    return longer


def now_of(context: dict[str, Any]) -> datetime:
    """The orchestration's time in the last turn."""
    return time_of(events_of(context, EPISODE)[-1]["Timestamp"])


def waits_of(state: dict[str, Any]) -> list[str]:
    """The names of the events that a turn ended to wait for, in order; none if it did not.

    The SDK asks once for events that several waits have in common.
    """
    if not _waited_for(state):
        return []
    asked = [each for action in state["actions"][0] for each in action.get("compoundActions", ())]
    return [each["externalEventName"] for each in asked if each["actionType"] == WAIT]


def timer_of(state: dict[str, Any]) -> datetime | None:
    """Until when a turn ended to wait beside events."""
    times = [time_of(each["fireAt"]) for each in _waited_for(state) if each["actionType"] == CREATE_TIMER]
    return times[0] if times else None


def call_of(state: dict[str, Any]) -> str | None:
    """The activity that a turn ended to wait for."""
    actions = state["actions"][0]
    is_call = bool(actions) and not state["isDone"] and actions[-1]["actionType"] == CALL_ACTIVITY
    return actions[-1]["functionName"] if is_call else None


def recorded_steps(context: dict[str, Any]) -> list[Step]:
    """What the host was asked for before, according to the history."""
    return [
        ("activity", each["Name"]) if each["EventType"] == SCHEDULED else ("timer", time_of(each["FireAt"]))
        for each in sorted(events_of(context, SCHEDULED, TIMER_CREATED), key=lambda each: each["EventId"])
    ]


def steps_of(state: dict[str, Any]) -> list[Step]:
    """What a replay asks the host for, from the beginning."""
    asked = [each for action in state["actions"][0] for each in action.get("compoundActions", [action])]
    return [
        ("activity", each["functionName"])
        if each["actionType"] == CALL_ACTIVITY
        else ("timer", time_of(each["fireAt"]))
        for each in asked
        if each["actionType"] in {CALL_ACTIVITY, CREATE_TIMER}
    ]


def time_of(text: str) -> datetime:
    """A time of the host or the SDK, to the millisecond, in which they agree."""
    at = datetime.fromisoformat(text)
    return at - timedelta(microseconds=at.microsecond % 1000)


def _waited_for(state: dict[str, Any]) -> list[dict[str, Any]]:
    actions = state["actions"][0]
    if state["isDone"] or not actions:
        return []
    return actions[-1].get("compoundActions", [])


def _timers_of(context: dict[str, Any], state: dict[str, Any]) -> list[dict[str, Any]]:
    """The host's records of the timers that the last turn asked for."""
    number = len(events_of(context, SCHEDULED, TIMER_CREATED))
    waited_for = _waited_for(state) or state["actions"][0][-1:]  # a pause is a timer alone
    timers = [each for each in waited_for if each["actionType"] == CREATE_TIMER]
    return [
        {"EventType": TIMER_CREATED, "EventId": number, "IsPlayed": False, "FireAt": timer["fireAt"]}
        for timer in timers
    ]
