"""The actions that an orchestrator requests: `actions` of the OrchestratorState JSON, typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from devhost.timestamps import Micros, from_text


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to retry after a failure, and how long to wait before each retry, in microseconds."""

    interval: int
    max_attempts: int


@dataclass(frozen=True, slots=True)
class CallActivity:
    """Run an activity; `input` is JSON text."""

    name: str
    input: str
    retry: RetryPolicy | None = None


@dataclass(frozen=True, slots=True)
class CreateTimer:
    """Wake up at `fire_at`, unless cancelled meanwhile."""

    fire_at: Micros
    cancelled: bool


@dataclass(frozen=True, slots=True)
class WaitForEvent:
    """Wait for an external event."""

    name: str


@dataclass(frozen=True, slots=True)
class ContinueAsNew:
    """Start again with an empty history; `input` is JSON text."""

    input: str


@dataclass(frozen=True, slots=True)
class Compound:
    """Wait for all children, or for any."""

    children: tuple["Action", ...]
    wait_for_all: bool


@dataclass(frozen=True, slots=True)
class Unsupported:
    """An action that devhost does not support; `what` names it for the error message."""

    what: str


Action = CallActivity | CreateTimer | WaitForEvent | ContinueAsNew | Compound | Unsupported

_UNSUPPORTED = {
    2: "a sub-orchestration",
    3: "a sub-orchestration with retries",
    7: "a call to an entity",
    8: "call_http",
    9: "a signal to an entity",
    10: "a scheduled signal to an entity",
}


def parse_actions(state: Mapping[str, Any]) -> tuple[Action, ...]:
    """Read the top-level actions of a state of schema 2 or 3 (one inner list)."""
    return tuple(_parse(action) for inner in state["actions"] for action in inner)


def _parse(action: Mapping[str, Any]) -> Action:
    match action["actionType"]:
        case 0 | 1:
            return CallActivity(action["functionName"], action["input"], _retry(action.get("retryOptions")))
        case 4:
            return ContinueAsNew(action["input"])
        case 5:
            return CreateTimer(from_text(action["fireAt"]), action["isCanceled"])
        case 6:
            return WaitForEvent(action["externalEventName"])
        case 11 | 12 as kind:
            return Compound(tuple(map(_parse, action["compoundActions"])), wait_for_all=kind == 12)
        case kind:
            return Unsupported(_UNSUPPORTED.get(kind, f"an action of the unknown kind {kind}"))


def _retry(options: Mapping[str, Any] | None) -> RetryPolicy | None:
    if options is None:
        return None
    return RetryPolicy(
        interval=int(options["firstRetryIntervalInMilliseconds"]) * 1_000,
        max_attempts=int(options["maxNumberOfAttempts"]),
    )
