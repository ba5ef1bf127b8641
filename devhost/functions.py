"""The functions of an app, and how each is triggered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    """Called by HTTP; no methods means all methods. `route` is relative to the route prefix."""

    route: str
    methods: frozenset[str]


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    """Called on a schedule; `schedule` is the text of the app, settings not expanded."""

    schedule: str
    run_on_startup: bool


@dataclass(frozen=True, slots=True)
class OrchestrationTrigger:
    """An orchestrator; `name` is its durable name."""

    name: str


@dataclass(frozen=True, slots=True)
class ActivityTrigger:
    """An activity; `name` is its durable name."""

    name: str


Trigger = HttpTrigger | TimerTrigger | OrchestrationTrigger | ActivityTrigger


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the app and how to call it: by keyword, one argument per binding."""

    name: str
    call: Callable[..., Any]
    is_async: bool
    trigger: Trigger
    argument: str
    clients: tuple[str, ...]
    wants_context: bool
