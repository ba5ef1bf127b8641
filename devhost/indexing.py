"""The checks of the platform when it reads an app's functions: those of the Python worker's indexer, then the host's.

The worker's rules are those of `azure-functions-runtime` (functions.py), the host's those of azure-functions-host
(Utility.cs). The worker refuses the whole app for one invalid function; the host leaves the function out.
"""

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from azure.functions.durable_functions import (
    ActivityTriggerConverter,
    DurableClientConverter,
    OrchestrationTriggerConverter,
)
from azure.functions.http import HttpRequestConverter, HttpResponseConverter
from azure.functions.timer import TimerRequestConverter

from devhost.errors import StartError

RETURN = "$return"

_FUNCTION_NAME = re.compile(r"(?!host$)[a-z][a-z0-9_-]{0,127}", re.IGNORECASE | re.ASCII)
_BINDING_NAME = re.compile(r"[a-z][a-z0-9]{0,127}", re.IGNORECASE | re.ASCII)
_CONVERTERS: Mapping[str, Any] = {
    "httpTrigger": HttpRequestConverter,
    "timerTrigger": TimerRequestConverter,
    "orchestrationTrigger": OrchestrationTriggerConverter,
    "activityTrigger": ActivityTriggerConverter,
    "durableClient": DurableClientConverter,
}
# Forms of the typing module that the worker does not treat as generic types.
_NO_GENERIC_TYPES = (None, typing.Union, tuple, typing.ClassVar, Callable)


def check_names(name: str, bindings: list[str]) -> None:
    """Raise StartError for names that the host does not accept."""
    if not _FUNCTION_NAME.fullmatch(name):
        raise StartError(
            f"Function '{name}' has a name that the platform refuses; use at most 128 letters, digits, '_' and "
            "'-', begin with a letter, and do not call it 'host'."
        )
    seen: set[str] = set()
    for binding in bindings:
        if binding != RETURN and not _BINDING_NAME.fullmatch(binding):
            raise StartError(
                f"Function '{name}' has the binding '{binding}', a name that the platform refuses; use letters "
                "and digits only, and begin with a letter."
            )
        if binding.lower() in seen:
            raise StartError(f"Function '{name}' has two bindings called '{binding}'; rename one.")
        seen.add(binding.lower())


def check_parameters(name: str, call: Callable[..., Any], bindings: Mapping[str, str]) -> bool:
    """Check parameters and annotations against the bindings, given as their types by name.

    Returns whether the function takes the invocation's context. Raises StartError.
    """
    annotations = _annotations(name, call)
    declared, bound = set(inspect.signature(call).parameters), set(bindings) - {RETURN}
    wants_context = "context" in declared - bound
    if wants_context:
        _check_context(name, annotations)
    if unbound := declared - bound - {"context"}:
        raise StartError(f"Function '{name}' declares {_listed(unbound)} without a binding of that name.")
    if undeclared := bound - declared:
        raise StartError(f"Function '{name}' has a binding {_listed(undeclared)} but no such parameter.")
    for parameter in bound & annotations.keys():
        _check_parameter(name, parameter, bindings[parameter], annotations[parameter])
    if RETURN in bindings and "return" in annotations:
        _check_return(name, annotations["return"])
    return wants_context


def _annotations(name: str, call: Callable[..., Any]) -> dict[str, Any]:
    try:
        inspect.getfile(call)
        return typing.get_type_hints(call)
    except Exception as failure:
        raise StartError(
            f"Function '{name}' has annotations that cannot be read ({type(failure).__name__}: {failure}), so "
            "the platform refuses the app; import what they name where the function is defined."
        ) from failure


def _check_context(name: str, annotations: Mapping[str, Any]) -> None:
    annotation = annotations.get("context")
    if annotation is None or (isinstance(annotation, type) and annotation.__name__ == "Context"):
        return
    raise StartError(
        f"Function '{name}' annotates 'context', which has no binding, with {_shown(annotation)}; annotate it with "
        "azure.functions.Context, or bind it: the trigger of an orchestrator must be called 'context'."
    )


def _check_parameter(name: str, parameter: str, kind: str, annotation: object) -> None:
    if getattr(typing.get_origin(annotation) or annotation, "__name__", None) == "Out":
        raise StartError(
            f"Function '{name}' annotates '{parameter}' with {_shown(annotation)}, but its binding "
            f"'{kind}' is not an output."
        )
    if not (isinstance(annotation, type) or _is_generic(annotation)):
        raise StartError(
            f"Function '{name}' annotates '{parameter}' with {_shown(annotation)}, which the platform refuses; "
            "write a class alone, such as dict or str."
        )
    if not _fits(kind, annotation):
        raise StartError(
            f"Function '{name}' annotates '{parameter}' with {_shown(annotation)}, which does not fit its binding "
            f"'{kind}'."
        )


def _check_return(name: str, annotation: object) -> None:
    if not (isinstance(annotation, type) and HttpResponseConverter.check_output_type_annotation(annotation)):
        raise StartError(
            f"Function '{name}' is annotated to return {_shown(annotation)}; the platform accepts "
            "azure.functions.HttpResponse or str only."
        )


def _is_generic(annotation: object) -> bool:
    """The worker accepts `typing.Dict[str, str]` as a type, but not `dict[str, str]` or unions."""
    if isinstance(annotation, types.GenericAlias | types.UnionType):
        return False
    return typing.get_origin(annotation) not in _NO_GENERIC_TYPES


def _fits(kind: str, annotation: Any) -> bool:
    """The worker also accepts `str` for requests and timers: then requests fail, and a timer is JSON text."""
    try:
        return bool(_CONVERTERS[kind].check_input_type_annotation(annotation))
    except TypeError:  # issubclass() of something other than a class
        return False


def _shown(annotation: object) -> str:
    return annotation.__name__ if isinstance(annotation, type) else repr(annotation)


def _listed(names: set[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))
