"""Refuses functions that share a name (ignoring case), a durable name, or a route and a method."""

import re
from collections.abc import Iterable

from devhost.errors import StartError
from devhost.functions import ActivityTrigger, Function, HttpTrigger, OrchestrationTrigger, Trigger

_PARAMETER_NAME = re.compile(r"\{(\*{0,2})[^{}:?=]+")


def check_together(functions: Iterable[Function]) -> None:
    """Raise StartError if the platform could not distinguish two functions."""
    before: list[Function] = []
    for function in functions:
        for other in before:
            _check_names(function, other)
            _check_routes(function, other)
        before.append(function)


def _check_names(one: Function, other: Function) -> None:
    """The host looks up functions ignoring case; so does the extension with orchestrators and activities."""
    if one.name.casefold() == other.name.casefold():
        raise StartError(
            f"The functions '{other.name}' and '{one.name}' differ only in letter case, which the platform "
            "ignores; rename one."
        )
    durable = _durable(one.trigger)
    if durable is not None and durable == _durable(other.trigger):
        raise StartError(
            f"The functions '{other.name}' and '{one.name}' share the durable name '{durable[1]}'; rename one."
        )


def _durable(trigger: Trigger) -> tuple[type, str] | None:
    if isinstance(trigger, OrchestrationTrigger | ActivityTrigger):
        return type(trigger), trigger.name.casefold()
    return None


def _check_routes(one: Function, other: Function) -> None:
    """The host ignores the second of two equal routes. With other parameter names it is never reached."""
    if not isinstance(one.trigger, HttpTrigger) or not isinstance(other.trigger, HttpTrigger):
        return
    if _shape(one.trigger.route) != _shape(other.trigger.route):
        return
    mine, theirs = one.trigger.methods, other.trigger.methods
    if not mine or not theirs or mine & theirs:
        raise StartError(
            f"The functions '{other.name}' and '{one.name}' share the route '{one.trigger.route}' and a method, and "
            "the platform would call only one of them; change a route or its methods."
        )


def _shape(route: str) -> str:
    return _PARAMETER_NAME.sub(r"{\1", route.strip("/").casefold())
