"""Histories of parked instances that were recorded once, and what the host adds to them when something comes."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

HISTORIES = Path(__file__).parent / "histories"
CREATE_TIMER = 5
STARTED, TIMER_CREATED, FIRED, EPISODE, RAISED = 0, 10, 11, 12, 15


def read(name: str) -> dict[str, Any]:
    """A recorded context, as the host gives it to the orchestrator."""
    return json.loads((HISTORIES / f"{name}.json").read_text())


def name_of(context: dict[str, Any]) -> str:
    """Which orchestrator a history is of."""
    return next(each["Name"] for each in context["history"] if each["EventType"] == STARTED)


def raised(name: str) -> dict[str, Any]:
    """The host's record of an event."""
    return {"EventType": RAISED, "EventId": -1, "Name": name, "Input": "null"}


def fired(state: dict[str, Any]) -> dict[str, Any]:
    """The host's record that the timer is due which the last turn, with this `state`, asked for."""
    (timer,) = timers_of(state, "")
    return {"EventType": FIRED, "EventId": -1, "TimerId": timer["EventId"], "FireAt": timer["FireAt"]}


def woken(context: dict[str, Any], state: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """The context of the next turn: what the last one decided (`state`) is on record, then `event` comes."""
    longer = deepcopy(context)
    started = next(each for each in reversed(longer["history"]) if each["EventType"] == EPISODE)
    longer["history"] += timers_of(state, started["Timestamp"])
    longer["history"].append({**started, "IsPlayed": False})
    longer["history"].append({**event, "IsPlayed": False, "Timestamp": started["Timestamp"]})
    return longer


def timers_of(state: dict[str, Any], at: str) -> list[dict[str, Any]]:
    """The host's records of the timers that the last turn asked for."""
    last = state["actions"][0][-1]
    asked = last.get("compoundActions", [last])
    timers = [each for each in asked if each["actionType"] == CREATE_TIMER]
    return [
        {
            "EventType": TIMER_CREATED,
            "EventId": 1,
            "IsPlayed": False,
            "Timestamp": at,
            "FireAt": timer["fireAt"],
        }
        for timer in timers
    ]
