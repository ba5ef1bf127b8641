"""Status bodies as the extension writes them."""

import json
from typing import Any

from devhost.history import Event, EventType
from devhost.store import Instance
from devhost.timestamps import to_seconds_text


def status_view(instance: Instance, *, show_input: bool) -> dict[str, Any]:
    """Return the status of an instance; texts that are JSON appear as values."""
    return {
        "name": instance.name,
        "instanceId": instance.instance_id,
        "runtimeStatus": instance.status.value,
        "input": _value(instance.input) if show_input else None,
        "customStatus": _value(instance.custom_status),
        "output": _value(instance.output),
        "createdTime": to_seconds_text(instance.created),
        "lastUpdatedTime": to_seconds_text(instance.updated),
    }


def history_view(recorded: str, *, show_output: bool) -> list[dict[str, Any]]:
    """Return the history, completions merged with what scheduled them. `recorded` is the inside of a JSON array."""
    scheduled: dict[int, Event] = {}
    shown = []
    for event in json.loads(f"[{recorded}]"):
        kind = EventType(event["EventType"])
        if kind in (EventType.TASK_SCHEDULED, EventType.TIMER_CREATED):
            scheduled[event["EventId"]] = event
        elif kind not in (EventType.ORCHESTRATOR_STARTED, EventType.ORCHESTRATOR_COMPLETED):
            shown.append(_shown(event, kind, scheduled, show_output=show_output))
    return shown


def _shown(
    event: Event, kind: EventType, scheduled: dict[int, Event], *, show_output: bool
) -> dict[str, Any]:
    name = "".join(part.capitalize() for part in kind.name.split("_"))
    view: dict[str, Any] = {"EventType": name, "Timestamp": event["Timestamp"]}
    task_id = event.get("TaskScheduledId", event.get("TimerId"))
    begun = None if task_id is None else scheduled.get(task_id)
    if begun is not None:
        view["ScheduledTime"] = begun["Timestamp"]
        if "Name" in begun:
            view["FunctionName"] = begun["Name"]
    for member in ("Name", "FireAt", "Reason", "OrchestrationStatus"):
        if member in event:
            view["FunctionName" if member == "Name" and kind == EventType.EXECUTION_STARTED else member] = (
                event[member]
            )
    for member in ("Result", "Input"):
        if member in event and show_output:
            view[member] = _value(event[member])
    return view


def _value(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
