"""The turn that all orchestrations consist of: observe, wait or act, then continue as new with an empty history.

The Durable SDK 1.x delivers early events twice or not at all across several waits, and a long timer that loses to an
event blocks what comes after it (docs/durable.md). One wait per execution, timers of at most five days that are
always cancelled, and continue-as-new after each turn avoid all of this.
"""

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

EVENTS = ("accepted", "declined", "changed")
LONGEST_WAIT = timedelta(days=5)
"""Below the six days from which the SDK splits a timer into several."""
SHORTEST_PAUSE, MAX_PAUSE = timedelta(seconds=30), timedelta(minutes=5)
"""After the first failure, and after many in a row."""


def one_turn(context: df.DurableOrchestrationContext, observer: str = "observe") -> Generator[Any, Any, None]:
    """One execution: observe; if there is nothing to do, wait once and observe again; do the steps; continue as new.

    `observer` is the name of the activity that observes.

    An activity fails only because of a defect or while storage is unavailable. The turn then ends with a pause, which
    doubles with each failing turn; it never gives up, since the record's deadline depends on it. The loop ends when
    the record is closed and has no open work. Events do not end the pause, because an early one would; the next turn
    observes what they were about.
    """
    record: dict[str, str] = dict(context.get_input() or {})
    failures = int(record.pop("failures", "0"))
    try:
        plan = yield observe(context, observer, record)
        if not plan["steps"] and not plan["finished"]:
            yield from wait(context, plan["nextAt"])
            plan = yield observe(context, observer, record)
        for step in plan["steps"]:
            yield context.call_activity(step["activity"], {**record, **step, "now": now(context)})
    except Exception as failed:  # noqa: BLE001 - the SDK raises a bare Exception for a failed activity
        context.set_custom_status({"pausedAfter": type(failed).__name__, "at": now(context)})
        yield context.create_timer(context.current_utc_datetime + pause_after(failures))
        record["failures"] = str(failures + 1)
    else:
        if plan["finished"]:
            return
    context.continue_as_new(record)


def observe(context: df.DurableOrchestrationContext, observer: str, record: dict[str, str]) -> Any:
    """Call the activity that determines what to do now."""
    return context.call_activity(observer, {**record, "now": now(context)})


def wait(context: df.DurableOrchestrationContext, until: str | None) -> Generator[Any, Any, None]:
    """Wait for an event or, if a time is given, until then, but at most five days."""
    waits = [context.wait_for_external_event(name) for name in EVENTS]
    if until is None:
        yield context.task_any(waits)
        return
    latest = context.current_utc_datetime + LONGEST_WAIT
    timer = context.create_timer(min(datetime.fromisoformat(until), latest))
    winner = yield context.task_any([*waits, timer])
    if winner is not timer:
        timer.cancel()  # type: ignore[attr-defined] # the SDK types a timer as any task


def pause_after(failures: int) -> timedelta:
    """How long to pause after a failure that followed on `failures` others in a row."""
    return min(SHORTEST_PAUSE * (1 << min(failures, 10)), MAX_PAUSE)


def now(context: df.DurableOrchestrationContext) -> str:
    """The orchestration's time for the input of activities: ISO 8601, UTC."""
    return context.current_utc_datetime.isoformat()
