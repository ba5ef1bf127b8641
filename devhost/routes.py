"""Route templates as ASP.NET reads them: literals, `{id}`, `{id?}`, `{id=5}`, `{*rest}`, constraints with `:`.

A path may match several templates; the most specific wins, segment by segment: literal, constrained parameter,
parameter, catch-all. Letter case does not matter.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

T = TypeVar("T")

_PARAMETER = re.compile(
    r"\{(?P<star>\*{0,2})(?P<name>[A-Za-z_]\w*)"
    r"(?P<constraints>(?::[A-Za-z]+(?:\((?:[^()]|\([^()]*\))*\))?)*)"
    r"(?P<optional>\?)?(?:=(?P<default>[^}]*))?\}"
)
_CONSTRAINT = re.compile(r":([A-Za-z]+)(?:\(((?:[^()]|\([^()]*\))*)\))?")
_LONG = 2**63
_INT = 2**31

Check = Callable[[str], bool]


class RouteError(ValueError):
    """A template that cannot be read."""


def _parses(parse: Callable[[str], object]) -> Check:
    def check(value: str) -> bool:
        try:
            parse(value)
        except ValueError:
            return False
        return True

    return check


def _integer(smallest: int, largest: int) -> Check:
    return lambda value: bool(re.fullmatch(r"[+-]?\d{1,19}", value)) and smallest <= int(value) <= largest


def _number(value: str) -> bool:
    return bool(re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value))


def _lengths(arguments: str) -> Check:
    bounds = [int(bound) for bound in arguments.split(",")]
    return lambda value: bounds[0] <= len(value) <= bounds[-1]


def _range(arguments: str) -> Check:
    smallest, largest = (int(bound) for bound in arguments.split(","))
    return _integer(smallest, largest)


_PLAIN: dict[str, Check] = {
    "int": _integer(-_INT, _INT - 1),
    "long": _integer(-_LONG, _LONG - 1),
    "guid": _parses(UUID),
    "bool": lambda value: value.lower() in ("true", "false"),
    "datetime": _parses(datetime.fromisoformat),
    "decimal": _number,
    "double": _number,
    "float": _number,
    "alpha": lambda value: bool(re.fullmatch(r"[A-Za-z]*", value)),
    "required": bool,
}
_WITH_ARGUMENTS: dict[str, Callable[[str], Check]] = {
    "length": _lengths,
    "minlength": lambda text: lambda value: len(value) >= int(text),
    "maxlength": lambda text: lambda value: len(value) <= int(text),
    "min": lambda text: _integer(int(text), _LONG - 1),
    "max": lambda text: _integer(-_LONG, int(text)),
    "range": _range,
    "regex": lambda text: lambda value: bool(re.search(text, value, re.IGNORECASE)),
}


@dataclass(frozen=True, slots=True)
class _Segment:
    pattern: re.Pattern[str]
    checks: tuple[tuple[str, Check], ...]
    rank: int
    skippable: bool
    catches_all: bool

    def match(self, text: str) -> dict[str, str] | None:
        found = self.pattern.fullmatch(text)
        if found is None:
            return None
        values = {name: value for name, value in found.groupdict().items() if value}
        return values if all(check(values.get(name, "")) for name, check in self.checks) else None


class RouteTemplate:
    """One template, such as `orders/{id:guid}/lines/{line?}`."""

    def __init__(self, template: str) -> None:
        """Raises RouteError."""
        self.template = template.strip("/")
        self._defaults: dict[str, str] = {}
        texts = _split(self.template)
        self._segments = [self._segment(text, last=i == len(texts) - 1) for i, text in enumerate(texts)]

    @property
    def precedence(self) -> tuple[int, ...]:
        """Sorts the most specific first."""
        return tuple(segment.rank for segment in self._segments)

    def match(self, segments: list[str]) -> dict[str, str] | None:
        """The parameters if the decoded path segments match, defaults filled in; else None."""
        values = dict(self._defaults)
        for position, segment in enumerate(self._segments):
            if segment.catches_all:
                found = segment.match("/".join(segments[position:]))
                return None if found is None else values | found
            if position >= len(segments):
                if not segment.skippable:
                    return None
                continue
            found = segment.match(segments[position])
            if found is None:
                return None
            values |= found
        return values if len(segments) <= len(self._segments) else None

    def _segment(self, text: str, *, last: bool) -> _Segment:
        pattern, position = "", 0
        checks: list[tuple[str, Check]] = []
        parameters: list[re.Match[str]] = []
        for found in _PARAMETER.finditer(text):
            pattern += re.escape(text[position : found.start()]) + f"(?P<{found['name']}>.*)"
            position = found.end()
            parameters.append(found)
            checks.extend((found["name"], check) for check in _checks(found["constraints"], self.template))
            if found["default"] is not None:
                self._defaults[found["name"]] = found["default"]
        pattern += re.escape(text[position:])
        if "{" in text[position:] or "}" in text[position:]:
            raise RouteError(f"the route '{self.template}' has a segment '{text}' that cannot be read")
        return self._classify(text, pattern, checks, parameters, last=last)

    def _classify(
        self,
        text: str,
        pattern: str,
        checks: list[tuple[str, Check]],
        parameters: list[re.Match[str]],
        *,
        last: bool,
    ) -> _Segment:
        whole = len(parameters) == 1 and parameters[0].group() == text
        star = any(found["star"] for found in parameters)
        if star and not (whole and last):
            raise RouteError(
                f"the route '{self.template}' has a catch-all that is not its whole last segment"
            )
        skippable = whole and (
            bool(parameters[0]["optional"]) or parameters[0]["default"] is not None or star
        )
        if whole and not star:
            pattern = pattern.replace(">.*)", ">.+)")
        return _Segment(
            re.compile(pattern, re.IGNORECASE | re.DOTALL),
            tuple(checks),
            _rank(parameters, checks, whole=whole),
            skippable,
            star,
        )


def _rank(parameters: list[re.Match[str]], checks: list[tuple[str, Check]], *, whole: bool) -> int:
    """Literals first, then literals mixed with parameters and constrained ones, then free ones, catch-alls last."""
    if not parameters:
        return 1
    star = bool(parameters[0]["star"])
    return 2 + (whole and not checks) + 2 * star


def _split(template: str) -> list[str]:
    """Split at slashes, but not inside of braces: a regex may hold one."""
    return re.findall(r"(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|[^/{}])+", template) if template else []


def _checks(constraints: str, template: str) -> list[Check]:
    checks = []
    for name, arguments in _CONSTRAINT.findall(constraints):
        try:
            checks.append(_WITH_ARGUMENTS[name.lower()](arguments) if arguments else _PLAIN[name.lower()])
        except KeyError as failure:
            raise RouteError(f"the route '{template}' has the unknown constraint '{name}'") from failure
        except ValueError as failure:
            raise RouteError(
                f"the route '{template}' has a constraint '{name}({arguments})' without sense"
            ) from failure
    return checks


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    """Where a request goes, and the route's parameters."""

    target: T
    parameters: dict[str, str]


class RouteTable(Generic[T]):
    """Templates with their methods (none = all) and targets."""

    def __init__(self, entries: Iterable[tuple[str, frozenset[str], T]]) -> None:
        """Raises RouteError."""
        parsed = [(RouteTemplate(template), methods, target) for template, methods, target in entries]
        self._entries = sorted(parsed, key=lambda entry: entry[0].precedence)

    def find(self, method: str, segments: list[str]) -> Match[T] | None:
        """The most specific template that takes path and method; a wrong method is no match, as on the platform."""
        for template, methods, target in self._entries:
            if methods and method not in methods:
                continue
            parameters = template.match(segments)
            if parameters is not None:
                return Match(target, parameters)
        return None
