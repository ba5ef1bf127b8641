"""The constraints of route parameters, as ASP.NET names them."""

import re
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

Check = Callable[[str], bool]

_LONG = 2**63
_INT = 2**31


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


def _length(arguments: str) -> Check:
    bounds = [int(bound) for bound in arguments.split(",")]
    return lambda value: bounds[0] <= len(value) <= bounds[-1]


def _shortest(argument: str) -> Check:
    bound = int(argument)
    return lambda value: len(value) >= bound


def _longest(argument: str) -> Check:
    bound = int(argument)
    return lambda value: len(value) <= bound


def _range(arguments: str) -> Check:
    smallest, largest = (int(bound) for bound in arguments.split(","))
    return _integer(smallest, largest)


def _regex(argument: str) -> Check:
    try:
        pattern = re.compile(argument, re.IGNORECASE)
    except re.error as failure:
        raise ValueError(str(failure)) from failure
    return lambda value: bool(pattern.search(value))


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
    "length": _length,
    "minlength": _shortest,
    "maxlength": _longest,
    "min": lambda argument: _integer(int(argument), _LONG - 1),
    "max": lambda argument: _integer(-_LONG, int(argument)),
    "range": _range,
    "regex": _regex,
}


def constraint(name: str, arguments: str | None) -> Check:
    """Return the check for a constraint such as `int` or `length(2,3)`. Raises ValueError."""
    known = name.lower() in (_PLAIN if arguments is None else _WITH_ARGUMENTS)
    if not known:
        raise ValueError(
            f"there is no constraint '{name}'" + (" without arguments" if arguments is None else "()")
        )
    return _PLAIN[name.lower()] if arguments is None else _WITH_ARGUMENTS[name.lower()](arguments)
