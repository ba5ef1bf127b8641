"""The turn that all orchestrations consist of: wait, do what is due, then continue as new with an empty history.

An orchestration waits for the deadline beside the sweep, so that it comes even if one of the two does not work. It
usually ends with the event of the answer or of the expiry.

The Durable SDK 1.x delivers early events twice or not at all across several waits for the same event, and a long
timer that loses to an event blocks what comes after it (docs/durable.md). So each execution creates its event tasks
once, and its timers are short ones, one after the other, which are always cancelled.
"""

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

ENDING_EVENTS, LOOK = ("accepted", "declined", "expired"), "changed"
"""The events after which there is nothing left to wait for, and the one that asks to look."""
LONGEST_TIMER = timedelta(days=5)
"""Below the six days from which the SDK splits a timer into several."""
SHORTEST_PAUSE, MAX_PAUSE = timedelta(seconds=30), timedelta(minutes=5)
"""After the first failure, and after many in a row."""
WAIT_UNTIL, FAILURES = "waitUntil", "failures"


def one_turn(context: df.DurableOrchestrationContext, activity: str = "observe") -> Generator[Any, Any, None]:
    """One execution: look, unless the input says until when to wait; wait; look again; continue as new.

    `activity` does what is due and returns {nextAt, finished}. It fails only because of a defect or while storage is
    unavailable. The turn then ends with a pause, which doubles with each failing turn; it never gives up, since the
    record's deadline depends on it. Events do not end the pause, because an early one would; the next turn looks at
    what they were about. The loop ends when nothing is left to do or to wait for.
    """
    record: dict[str, str] = dict(context.get_input() or {})
    failures, until = int(record.pop(FAILURES, "0")), record.pop(WAIT_UNTIL, None)
    try:
        if until is None:
            outcome = yield do_due_work(context, activity, record)
            if outcome["finished"]:
                return
            until = outcome["nextAt"]
        over = yield from wait(context, until)
        if over:
            return
        outcome = yield do_due_work(context, activity, record)
    except Exception as failed:  # noqa: BLE001 - the SDK raises a bare Exception for a failed activity
        context.set_custom_status({"pausedAfter": type(failed).__name__, "at": now(context)})
        yield context.create_timer(context.current_utc_datetime + pause_after(failures))
        record[FAILURES] = str(failures + 1)
    else:
        if outcome["finished"]:
            return
        if outcome["nextAt"]:
            record[WAIT_UNTIL] = outcome["nextAt"]
    context.continue_as_new(record)


def do_due_work(context: df.DurableOrchestrationContext, activity: str, record: dict[str, str]) -> Any:
    """Call the activity that does what is due now."""
    return context.call_activity(activity, {**record, "now": now(context)})


def wait(context: df.DurableOrchestrationContext, until: str | None) -> Generator[Any, Any, bool]:
    """Wait for an event or, if a time is given, until then; returns whether there is nothing left to wait for."""
    look = context.wait_for_external_event(LOOK)
    events = [*(context.wait_for_external_event(name) for name in ENDING_EVENTS), look]
    if until is None:
        winner = yield context.task_any(events)
        return winner is not look
    end = datetime.fromisoformat(until)
    while True:
        timer = context.create_timer(min(end, context.current_utc_datetime + LONGEST_TIMER))
        winner = yield context.task_any([*events, timer])
        if winner is not timer:
            timer.cancel()  # type: ignore[attr-defined] # the SDK types a timer as any task
            return winner is not look
        if context.current_utc_datetime >= end:
            return False


def pause_after(failures: int) -> timedelta:
    """How long to pause after a failure that followed on `failures` others in a row."""
    return min(SHORTEST_PAUSE * (1 << min(failures, 10)), MAX_PAUSE)


def now(context: df.DurableOrchestrationContext) -> str:
    """The orchestration's time for the input of activities: ISO 8601, UTC."""
    return context.current_utc_datetime.isoformat()
