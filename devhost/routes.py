"""Route templates as ASP.NET reads them: literals, `{id}`, `{id?}`, `{id=5}`, `{*rest}`, constraints with `:`.

A path may match several templates; the most specific wins, segment by segment: literal, constrained parameter,
parameter, catch-all. Letter case does not matter.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

from devhost.route_constraints import Check, constraint

T = TypeVar("T")

# Braces inside a parameter, as in a regex, are doubled.
_TOKEN = re.compile(r"\{(?P<parameter>(?:[^{}]|\{\{|\}\})+)\}|(?P<literal>[^{}/]+)|(?P<slash>/)|(?P<stray>.)")
_CONSTRAINT = re.compile(r":(?P<name>\w+)(?:\((?P<arguments>.*?)\)(?=[:?=]|$))?")
_PARAMETER = re.compile(
    r"(?P<star>\*{0,2})(?P<name>[A-Za-z_]\w*)(?P<constraints>(?::\w+(?:\(.*?\)(?=[:?=]|$))?)*)"
    r"(?P<optional>\?)?(?:=(?P<default>.*))?"
)
_LITERAL, _CONSTRAINED, _FREE, _CATCH_ALL = range(4)


class RouteError(ValueError):
    """A template is invalid."""


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    checks: tuple[Check, ...]
    default: str | None
    optional: bool
    catches_all: bool


@dataclass(frozen=True, slots=True)
class _Segment:
    """Literal texts and parameters, in order."""

    parts: tuple[str | _Parameter, ...]

    @property
    def parameters(self) -> tuple[_Parameter, ...]:
        return tuple(part for part in self.parts if isinstance(part, _Parameter))

    @property
    def is_parameter(self) -> bool:
        return len(self.parts) == 1 and len(self.parameters) == 1

    @property
    def catches_all(self) -> bool:
        return any(parameter.catches_all for parameter in self.parameters)

    @property
    def may_be_missing(self) -> bool:
        only = self.parameters[0] if self.is_parameter else None
        return only is not None and (only.optional or only.catches_all or only.default is not None)

    @property
    def rank(self) -> int:
        if not self.parameters:
            return _LITERAL
        if self.catches_all:
            return _CATCH_ALL
        return _FREE if self.is_parameter and not self.parameters[0].checks else _CONSTRAINED

    @property
    def pattern(self) -> re.Pattern[str]:
        length = "*" if self.catches_all else "+"
        texts = (
            re.escape(part) if isinstance(part, str) else f"(?P<{part.name}>.{length})" for part in self.parts
        )
        return re.compile("".join(texts), re.IGNORECASE | re.DOTALL)


class RouteTemplate:
    """One template, such as `orders/{id:guid}/lines/{line?}`."""

    def __init__(self, template: str) -> None:
        """Raises RouteError."""
        try:
            segments = list(_segments(template.strip("/")))
            _check_parameters(segments)
        except ValueError as failure:
            raise RouteError(f"the route '{template}' cannot be read: {failure}") from failure
        if any(segment.catches_all for segment in segments[:-1]):
            raise RouteError(f"the route '{template}' has a catch-all before its end")
        self._segments = [(segment, segment.pattern) for segment in segments]
        parameters = [parameter for segment in segments for parameter in segment.parameters]
        self._defaults = {one.name: one.default for one in parameters if one.default is not None}
        self.precedence = tuple(segment.rank for segment in segments)

    def match(self, path: list[str]) -> dict[str, str] | None:
        """Return the parameters, with defaults, if the decoded path segments match; else None.

        The last segment is empty if the path ends with a slash; only a catch-all matches that.
        """
        values = dict(self._defaults)
        for position, (segment, pattern) in enumerate(self._segments):
            rest = path[position:]
            if rest in ([], [""]) and segment.may_be_missing:
                continue
            if not rest or not rest[0]:
                return None
            found = _values(segment, pattern, "/".join(rest) if segment.catches_all else rest[0])
            if found is None:
                return None
            values |= found
        return values if self._ends_open or path[len(self._segments) :] in ([], [""]) else None

    @property
    def _ends_open(self) -> bool:
        return bool(self._segments) and self._segments[-1][0].catches_all


def _values(segment: _Segment, pattern: re.Pattern[str], text: str) -> dict[str, str] | None:
    found = pattern.fullmatch(text)
    if found is None:
        return None
    values = found.groupdict()
    passed = all(check(values[one.name]) for one in segment.parameters for check in one.checks)
    return values if passed else None


def _segments(template: str) -> Iterator[_Segment]:
    parts: list[str | _Parameter] = []
    for token in _TOKEN.finditer(template):
        if token["stray"]:
            raise ValueError(f"there is a stray '{token['stray']}'")
        if "?" in (token["literal"] or ""):
            raise ValueError("a '?' is outside a parameter")
        if token["slash"]:
            if not parts:
                raise ValueError("there is nothing between two slashes")
            yield _segment(parts)
            parts = []
        else:
            parts.append(token["literal"] or _parameter(token["parameter"]))
    if parts:
        yield _segment(parts)


def _check_parameters(segments: list[_Segment]) -> None:
    names = [parameter.name.lower() for segment in segments for parameter in segment.parameters]
    if len(set(names)) < len(names):
        raise ValueError("a parameter appears twice")
    if segments and str(segments[0].parts[0]).startswith("~"):
        raise ValueError("it begins with '~'")


def _segment(parts: list[str | _Parameter]) -> _Segment:
    segment = _Segment(tuple(parts))
    if segment.catches_all and not segment.is_parameter:
        raise ValueError("a catch-all must be a segment of its own")
    if any(parameter.optional for parameter in segment.parameters) and not segment.is_parameter:
        raise ValueError("an optional parameter must be a segment of its own")
    if any(isinstance(one, _Parameter) and isinstance(next_, _Parameter) for one, next_ in pairwise(parts)):
        raise ValueError("two parameters are adjacent")
    return segment


def _parameter(text: str) -> _Parameter:
    found = _PARAMETER.fullmatch(text.replace("{{", "{").replace("}}", "}"))
    if found is None:
        raise ValueError(f"'{{{text}}}' is not a parameter")
    default = found["default"]
    if default is not None and (found["optional"] or default.endswith("?")):
        raise ValueError(f"'{{{text}}}' is optional and has a default")
    checks = (constraint(one["name"], one["arguments"]) for one in _CONSTRAINT.finditer(found["constraints"]))
    return _Parameter(found["name"], tuple(checks), default, bool(found["optional"]), bool(found["star"]))


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    """The target of a request, and the route's parameters."""

    target: T
    parameters: dict[str, str]


class RouteTable(Generic[T]):
    """Templates with their methods (none = all) and targets."""

    def __init__(self, entries: Iterable[tuple[str, frozenset[str], T]]) -> None:
        """Raises RouteError."""
        parsed = [(RouteTemplate(template), methods, target) for template, methods, target in entries]
        self._entries = sorted(parsed, key=lambda entry: entry[0].precedence)

    def find(self, method: str, path: list[str]) -> Match[T] | None:
        """Return the most specific match. A template with another method does not match, as on the platform."""
        for template, methods, target in self._entries:
            if methods and method not in methods:
                continue
            parameters = template.match(path)
            if parameters is not None:
                return Match(target, parameters)
        return None
