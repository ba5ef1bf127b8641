"""The one shape of our orchestrations: observe, wait or act, and begin again with an empty history.

The Durable SDK 1.x delivers early events twice or not at all across waits, and a long timer raced against an event
blocks what comes after it (docs/durable.md). One wait per execution, timers of at most five days that are always
cancelled, and continue-as-new after each turn avoid all of it.
"""

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

EVENTS = ("accepted", "declined", "changed")
LONGEST_WAIT = timedelta(days=5)
"""Below the six days at which the SDK starts to slice a timer."""
SHORTEST_PAUSE, MAX_PAUSE = timedelta(seconds=30), timedelta(minutes=5)
"""After a failure, and after many in a row."""


def one_turn(context: df.DurableOrchestrationContext, observer: str = "observe") -> Generator[Any, Any, None]:
    """One execution: look what is to be done; if nothing, wait once and look again; do it; begin again.

    `observer` is the activity that looks.

    An activity fails only on a defect or while storage is away. The turn then ends in a pause, which doubles while
    turns go on to fail, because giving the instance up would give up the record's deadline: the record ends the loop,
    by being closed with nothing open. Events do not end the pause, for one that came early would; the next turn looks
    at what they tell of.
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
    except Exception as failed:  # noqa: BLE001 - the SDK tells of a failed activity by a bare Exception
        context.set_custom_status({"pausedAfter": type(failed).__name__, "at": now(context)})
        yield context.create_timer(context.current_utc_datetime + pause_after(failures))
        record["failures"] = str(failures + 1)
    else:
        if plan["finished"]:
            return
    context.continue_as_new(record)


def observe(context: df.DurableOrchestrationContext, observer: str, record: dict[str, str]) -> Any:
    """Ask what is to be done now."""
    return context.call_activity(observer, {**record, "now": now(context)})


def wait(context: df.DurableOrchestrationContext, until: str | None) -> Generator[Any, Any, None]:
    """Wait for an event or, if a time is given, for the clock; at most five days at once."""
    waits = [context.wait_for_external_event(name) for name in EVENTS]
    if until is None:
        yield context.task_any(waits)
        return
    latest = context.current_utc_datetime + LONGEST_WAIT
    timer = context.create_timer(min(datetime.fromisoformat(until), latest))
    winner = yield context.task_any([*waits, timer])
    if winner is not timer:
        timer.cancel()  # type: ignore[attr-defined] # a timer task's own; the SDK types it as any task


def pause_after(failures: int) -> timedelta:
    """How long to pause after a failure that `failures` others came before, in a row."""
    return min(SHORTEST_PAUSE * (1 << min(failures, 10)), MAX_PAUSE)


def now(context: df.DurableOrchestrationContext) -> str:
    """The orchestration's time, for activities: ISO 8601, UTC."""
    return iso(context.current_utc_datetime)


def iso(moment: datetime) -> str:
    """A time as activities take it."""
    return moment.isoformat()
