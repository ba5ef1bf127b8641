"""Finds the functions of an app as the Python worker does, and refuses what devhost does not run."""

import importlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from azure.functions import FunctionRegister

from devhost.errors import StartError

_ENTRY = "function_app"


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    """Called by HTTP; no methods means all methods. `route` is relative to the route prefix."""

    route: str
    methods: frozenset[str]


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    """Called by the clock; `schedule` as written, settings not yet expanded."""

    schedule: str
    run_on_startup: bool


@dataclass(frozen=True, slots=True)
class OrchestrationTrigger:
    """An orchestrator; `name` is what starters call it."""

    name: str


@dataclass(frozen=True, slots=True)
class ActivityTrigger:
    """An activity; `name` is what orchestrators call it."""

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


def load_app(folder: Path) -> FunctionRegister:
    """Import `function_app.py` with its folder as current directory and on the path. Raises StartError."""
    if not (folder / f"{_ENTRY}.py").is_file():
        raise StartError(f"There is no {_ENTRY}.py in {folder}; name the app's folder with --app.")
    os.chdir(folder)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    sys.modules.pop(_ENTRY, None)
    try:
        module = importlib.import_module(_ENTRY)
    except Exception as failure:
        trace = "".join(traceback.format_exception(failure))
        raise StartError(
            f"{folder / _ENTRY}.py cannot be imported: {type(failure).__name__}: {failure}\n{trace}"
        ) from failure
    return _the_app(module)


def _the_app(module: ModuleType) -> FunctionRegister:
    apps = {id(value): value for value in vars(module).values() if isinstance(value, FunctionRegister)}
    if len(apps) != 1:
        raise StartError(
            f"{_ENTRY}.py has {len(apps) or 'no'} FunctionApp or DFApp at module level; the host needs exactly one."
        )
    return next(iter(apps.values()))


def discover(app: FunctionRegister, environment: Mapping[str, str] = os.environ) -> tuple[Function, ...]:
    """List the app's functions, those left out that the environment disables. Raises StartError."""
    app.functions_bindings = {}  # the SDK refuses to list the functions of one app object twice
    try:
        found = app.get_functions()
    except ValueError as failure:
        raise StartError(f"The app's functions cannot be read: {failure}") from failure
    disabled = {name.lower() for name, value in environment.items() if value.lower() in ("true", "1")}
    functions = tuple(
        _function(function)
        for function in found
        if f"azurewebjobs.{function.get_function_name()}.disabled".lower() not in disabled
    )
    _refuse_twins(functions)
    return functions


def _function(function: Any) -> Function:
    name = function.get_function_name()
    if function.get_settings_dict("retry_policy"):
        raise StartError(
            f"Function '{name}' has a retry policy, which devhost leaves out; remove @app.retry."
        )
    bindings = [json.loads(text) for text in function.get_raw_bindings()]
    trigger = next(binding for binding in bindings if binding["name"] == function.get_trigger().name)
    kind = _trigger(name, trigger)
    _refuse_bindings(name, bindings, trigger)
    call = function.get_user_function()
    clients = tuple(binding["name"] for binding in bindings if binding["type"] == "durableClient")
    return Function(
        name=name,
        call=call,
        is_async=inspect.iscoroutinefunction(call),
        trigger=kind,
        argument=trigger["name"],
        clients=clients,
        wants_context=_wants_context(name, call, {trigger["name"], *clients}),
    )


def _trigger(name: str, binding: Mapping[str, Any]) -> Trigger:
    match binding["type"]:
        case "httpTrigger":
            methods = frozenset(method.upper() for method in binding.get("methods", ()))
            return HttpTrigger(_route(name, binding.get("route", name)), methods)
        case "timerTrigger":
            return TimerTrigger(binding["schedule"], bool(binding.get("runOnStartup")))
        case "orchestrationTrigger":
            return OrchestrationTrigger(binding.get("orchestration") or name)
        case "activityTrigger":
            return ActivityTrigger(binding.get("activity") or name)
        case kind:
            raise StartError(
                f"Function '{name}' has the trigger '{kind}', which devhost leaves out; it runs HTTP, timer, "
                "orchestration and activity triggers."
            )


def _route(name: str, route: str) -> str:
    if route.lstrip("/").lower().startswith(("admin", "runtime")):
        raise StartError(
            f"Function '{name}' has the route '{route}'; routes under 'admin' and 'runtime' are the host's own."
        )
    return route


def _refuse_bindings(name: str, bindings: Iterable[Mapping[str, Any]], trigger: Mapping[str, Any]) -> None:
    for binding in bindings:
        if binding is not trigger and binding["type"] not in ("http", "durableClient"):
            raise StartError(
                f"Function '{name}' has the binding '{binding['type']}', which devhost leaves out; use the service's "
                "own client in the function instead."
            )


def _wants_context(name: str, call: Callable[..., Any], bound: set[str]) -> bool:
    """Whether the function takes the invocation's context. The worker insists on one parameter per binding."""
    orchestrator = getattr(call, "orchestrator_function", None)
    if orchestrator is not None:
        if inspect.iscoroutinefunction(orchestrator):
            raise StartError(f"Orchestrator '{name}' is 'async def'; make it a plain generator function.")
        return False
    declared = set(inspect.signature(call).parameters)
    if unbound := declared - bound - {"context"}:
        raise StartError(f"Function '{name}' declares {_listed(unbound)} without a binding of that name.")
    if undeclared := bound - declared:
        raise StartError(f"Function '{name}' has a binding {_listed(undeclared)} but no such parameter.")
    return "context" in declared - bound


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


def _refuse_twins(functions: Iterable[Function]) -> None:
    """Durable names are looked up ignoring case."""
    seen: set[tuple[type[Trigger], str]] = set()
    for function in functions:
        trigger = function.trigger
        if isinstance(trigger, OrchestrationTrigger | ActivityTrigger):
            if trigger.name.startswith("@"):
                raise StartError(f"The durable name '{trigger.name}' begins with '@', which is for entities.")
            twin = (type(trigger), trigger.name.casefold())
            if twin in seen:
                raise StartError(f"Two functions share the durable name '{trigger.name}'; rename one.")
            seen.add(twin)
