"""Finds the functions of an app as the Python worker does; refuses what the platform or devhost cannot run."""

import importlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from azure.functions import FunctionRegister

from devhost.clashes import check_together
from devhost.errors import StartError
from devhost.functions import (
    ActivityTrigger,
    Function,
    HttpTrigger,
    OrchestrationTrigger,
    TimerTrigger,
    Trigger,
)
from devhost.indexing import RETURN, check_names, check_parameters

_ENTRY = "function_app"


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
    apps = {name: value for name, value in vars(module).items() if isinstance(value, FunctionRegister)}
    if len(apps) != 1:
        named = f" ({', '.join(sorted(apps))})" if apps else ""
        raise StartError(
            f"{_ENTRY}.py has {len(apps) or 'no'} FunctionApp or DFApp at module level{named}; the platform needs "
            "exactly one, under one name."
        )
    return next(iter(apps.values()))


def discover(app: FunctionRegister, environment: Mapping[str, str] = os.environ) -> tuple[Function, ...]:
    """List the app's functions without those that the environment disables. Raises StartError.

    Disabled functions are validated, too: the platform reads them before it checks whether they are disabled.
    """
    app.functions_bindings = {}  # the SDK refuses to list the functions of one app object twice
    try:
        found = app.get_functions()
    except ValueError as failure:
        raise StartError(f"The app's functions cannot be read: {failure}") from failure
    functions = tuple(_function(function) for function in found)
    if not functions:
        raise StartError(f"The app has no functions; register them with the app of {_ENTRY}.py.")
    check_together(functions)
    disabled = {name.lower() for name, value in environment.items() if value.lower() in ("true", "1")}
    return tuple(one for one in functions if f"azurewebjobs.{one.name}.disabled".lower() not in disabled)


def _function(function: Any) -> Function:
    name = function.get_function_name()
    if function.get_settings_dict("retry_policy"):
        raise StartError(
            f"Function '{name}' has a retry policy, which devhost does not support; remove @app.retry."
        )
    bindings = [json.loads(text) for text in function.get_raw_bindings()]
    trigger = next(binding for binding in bindings if binding["name"] == function.get_trigger().name)
    kind = _trigger(name, trigger)
    _check_bindings(name, bindings, trigger)
    check_names(name, [binding["name"] for binding in bindings])
    call = function.get_user_function()
    _check_orchestrator(name, call)
    return Function(
        name=name,
        call=call,
        is_async=inspect.iscoroutinefunction(call),
        trigger=kind,
        argument=trigger["name"],
        clients=tuple(binding["name"] for binding in bindings if binding["type"] == "durableClient"),
        wants_context=check_parameters(name, call, {one["name"]: one["type"] for one in bindings}),
    )


def _trigger(name: str, binding: Mapping[str, Any]) -> Trigger:
    match binding["type"]:
        case "httpTrigger":
            _check_level(name, binding.get("authLevel", "ANONYMOUS"))
            methods = frozenset(method.upper() for method in binding.get("methods", ()))
            return HttpTrigger(_route(name, binding.get("route", "").strip() or name), methods)
        case "timerTrigger":
            return TimerTrigger(binding["schedule"], bool(binding.get("runOnStartup")))
        case "orchestrationTrigger":
            return OrchestrationTrigger(_durable_name(binding.get("orchestration") or name))
        case "activityTrigger":
            return ActivityTrigger(_durable_name(binding.get("activity") or name))
        case kind:
            raise StartError(
                f"Function '{name}' has the trigger '{kind}', which devhost does not support; it runs HTTP, timer, "
                "orchestration and activity triggers."
            )


def _check_level(name: str, level: str) -> None:
    if level.upper() != "ANONYMOUS":
        raise StartError(
            f"Function '{name}' requires a key of the level '{level}', and devhost has no keys; set auth_level to "
            "AuthLevel.ANONYMOUS and let the app itself authenticate callers."
        )


def _route(name: str, route: str) -> str:
    if route.lstrip("/").lower().startswith(("admin", "runtime")):
        raise StartError(
            f"Function '{name}' has the route '{route}'; routes under 'admin' and 'runtime' are the host's own."
        )
    return route


def _durable_name(name: str) -> str:
    if name.startswith("@"):
        raise StartError(f"The durable name '{name}' begins with '@', which is for entities.")
    return name


def _check_bindings(name: str, bindings: Iterable[Mapping[str, Any]], trigger: Mapping[str, Any]) -> None:
    for binding in bindings:
        if binding is trigger or _is_known(binding):
            continue
        raise StartError(
            f"Function '{name}' has the binding '{binding['type']}' ('{binding['name']}', {binding['direction']}), "
            "which devhost does not support; use the service's own client in the function instead."
        )


def _is_known(binding: Mapping[str, Any]) -> bool:
    if binding["name"] == RETURN:
        return (binding["type"], binding["direction"]) == ("http", "OUT")
    return (binding["type"], binding["direction"]) == ("durableClient", "IN")


def _check_orchestrator(name: str, call: Callable[..., Any]) -> None:
    """The platform accepts a coroutine function, and then every instance of it fails."""
    if inspect.iscoroutinefunction(getattr(call, "orchestrator_function", None)):
        raise StartError(f"Orchestrator '{name}' is 'async def'; make it a plain generator function.")
