"""Runs an orchestrator through the Durable SDK: the context JSON in, the state JSON out."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devhost.actions import Action, parse_actions
from devhost.errors import InvalidOrchestratorError

OrchestratorFunction = Callable[[str], str]

# The SDK appends this to the exception of a failed orchestrator, followed by the state JSON.
_STATE_LABEL = "\n\n$OutOfProcData$:"
_SCHEMA = (
    '"isReplaying":%s,"parentInstanceId":null,"upperSchemaVersion":1,"upperSchemaVersionNew":2,'
    '"longRunningTimerIntervalDuration":"3.00:00:00","maximumShortTimerDuration":"6.00:00:00",'
    '"defaultHttpAsyncRequestSleepTimeMillseconds":30000'
)
_LONGEST_CUSTOM_STATUS = 16 * 1024
_NOT_A_TASK = re.compile(r"'(\w+)' object has no attribute '(?:_is_scheduled|state|is_played|_is_played)'")


@dataclass(frozen=True, slots=True)
class State:
    """The result of a replay: all actions since the start, and how the orchestrator ended, if it ended.

    `output` and `custom_status` are JSON texts or None; `error` is set if the orchestrator raised.
    """

    actions: tuple[Action, ...]
    is_done: bool
    output: str | None
    error: str | None
    custom_status: str | None


def context_json(*, history: str, raw_input: str | None, instance_id: str, first_episode: bool) -> str:
    """Write the orchestration context; `history` is the inside of a JSON array, `raw_input` JSON text or None."""
    schema = _SCHEMA % ("false" if first_episode else "true")
    name = json.dumps(instance_id)
    return f'{{"history":[{history}],"input":{raw_input or "null"},"instanceId":{name},{schema}}}'


def run_orchestrator(function: OrchestratorFunction, context: str) -> State:
    """Replay the orchestrator. Raises InvalidOrchestratorError if no durable host could go on."""
    try:
        return _read(json.loads(function(context)))
    except Exception as failure:
        text = str(failure)
        message, label, state = text.partition(_STATE_LABEL)
        if not label:
            raise InvalidOrchestratorError(_explain(message or type(failure).__name__)) from failure
        return _read(json.loads(state))


def _explain(message: str) -> str:
    if found := _NOT_A_TASK.search(message):
        return (
            f"the orchestrator yielded a value of type '{found[1]}', which is not a durable task ({message}). "
            "Yield only what context.call_activity, create_timer, wait_for_external_event, task_all or task_any "
            "return."
        )
    return message


def _read(state: dict[str, Any]) -> State:
    custom_status = state.get("customStatus")
    shown = json.dumps(custom_status, ensure_ascii=False)
    if len(shown.encode("utf-16-le", "surrogatepass")) > _LONGEST_CUSTOM_STATUS:
        raise InvalidOrchestratorError(
            f"the custom status exceeds {_LONGEST_CUSTOM_STATUS} bytes in UTF-16; keep ids and numbers in it only"
        )
    return State(
        actions=parse_actions(state),
        is_done=state["isDone"],
        output=_text(state.get("output")),
        error=state.get("error"),
        custom_status=_text(custom_status),
    )


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value)
