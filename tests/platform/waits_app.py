"""A function app of orchestrations that wait in all ways that matter here, to be run on the engine alone."""

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

app = df.DFApp()
EVENTS = ("changed", "ended")


@app.activity_trigger(input_name="step")
def work(step: dict) -> str:  # type: ignore[type-arg] # the platform refuses a type with parameters
    del step
    return "done"


@app.orchestration_trigger(context_name="context")
def ends_at_once(context: df.DurableOrchestrationContext) -> Generator[Any, Any, None]:
    yield from ()


@app.orchestration_trigger(context_name="context")
def works(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    return (yield context.call_activity("work", {}))


@app.orchestration_trigger(context_name="context")
def waits_in_slices(context: df.DurableOrchestrationContext) -> Generator[Any, Any, dict[str, Any]]:
    """Wait for the first event of a few, slice by slice, with the same event tasks in each.

    The input has the seconds of a slice, how many slices there are, and whether to `work` after the event.
    """
    given = context.get_input()
    events = [context.wait_for_external_event(name) for name in EVENTS]
    for number in range(given["slices"]):
        timer = context.create_timer(_after(context, given["seconds"]))
        winner = yield context.task_any([*events, timer])
        if winner is not timer:
            timer.cancel()
            if given.get("work"):
                yield context.call_activity("work", {})
            return {"slice": number, "event": EVENTS[events.index(winner)]}
    return {"slice": None}


@app.orchestration_trigger(context_name="context")
def continues(context: df.DurableOrchestrationContext) -> Generator[Any, Any, None]:
    """Wait once, work, and continue as new, for ever."""
    given = context.get_input()
    event = context.wait_for_external_event("changed")
    timer = context.create_timer(_after(context, given["seconds"]))
    if (yield context.task_any([event, timer])) is event:
        timer.cancel()
    yield context.call_activity(
        "work", {}
    )  # without it the engine would carry the event over, again and again
    context.continue_as_new(given)


def _after(context: df.DurableOrchestrationContext, seconds: int) -> datetime:
    return context.current_utc_datetime + timedelta(seconds=seconds)
