"""Load JSON request bodies within limits on size, nesting and numbers (docs/api.md, Errors)."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

MAX_BYTES = 1024 * 1024
MAX_NESTING = 50
"""How deep arrays and objects may be nested: the code that reads them recurses once per level."""
MAX_DIGITS = 1000
"""How many digits a number may have, zeros of its exponent included: `1E+99` has a hundred."""


class UnreadableBody(Exception):
    """The body did not arrive (`status` 411), is too large (413), of another media type (415) or not JSON (400)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def refuse_lost_body(headers: Mapping[str, str], raw: bytes) -> None:
    """Refuse a request that announces a body but has none: the Functions host drops chunked bodies.

    Otherwise it would be handled as an empty body, which many operations allow. The lookup in `headers` must be
    case-insensitive. Raises `UnreadableBody`.
    """
    if not raw and ("Transfer-Encoding" in headers or headers.get("Content-Length", "").strip("0 ")):
        raise UnreadableBody(
            411,
            "The body did not arrive: send it with a Content-Length header, not with Transfer-Encoding: chunked.",
        )


def refuse_unfit_body(content_type: str, raw: bytes, media_types: tuple[str, ...]) -> None:
    """Refuse a body that is too large or of another media type, without reading it. Raises `UnreadableBody`."""
    if len(raw) > MAX_BYTES:
        raise UnreadableBody(413, f"Send at most {MAX_BYTES:,} bytes.")
    media_type = content_type.partition(";")[0].strip().lower()
    if raw.strip() and media_type not in media_types:
        raise UnreadableBody(415, f"Send the body as {' or '.join(media_types)}.")


def load_json(raw: bytes) -> Any:
    """Load a JSON body within this module's limits; an empty body is an empty object. Raises `UnreadableBody`."""
    if not raw.strip():
        return {}
    try:
        document = json.loads(
            raw.decode("utf-8-sig"),
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
        _refuse_nesting(document)
        json.dumps(document, ensure_ascii=False, default=str).encode()
    except UnicodeError as broken:
        raise UnreadableBody(400, "The body is not UTF-8.") from broken
    except (ValueError, RecursionError) as broken:
        raise UnreadableBody(400, f"The body is not JSON: {str(broken)[:200]}") from broken
    return document


class AmbiguousObject(dict[str, Any]):
    """A JSON object that has some name more than once, in the same or another case: names are read without case.

    It has only the members whose names are unambiguous; `repeated` has each further spelling of the others.
    """

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        self.repeated: list[str] = []
        first: dict[str, str] = {}
        for name, _ in pairs:
            if first.setdefault(name.lower(), name) != name or name in self:
                self.repeated.append(name)
            self[name] = None
        ambiguous = {name.lower() for name in self.repeated}
        self.clear()
        self.update((name, value) for name, value in pairs if name.lower() not in ambiguous)


def ambiguous_names(document: Any) -> Iterator[tuple[str, ...]]:
    """The places of all names in a document that are there more than once, each as the steps that lead to it."""
    remaining: list[tuple[tuple[str, ...], Any]] = [((), document)]
    while remaining:
        place, value = remaining.pop()
        if isinstance(value, AmbiguousObject):
            yield from ((*place, name) for name in value.repeated)
        steps = (
            value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
        )
        remaining += [((*place, str(step)), each) for step, each in steps if isinstance(each, dict | list)]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = {name.lower() for name, _ in pairs}
    if len(names) == len(pairs):
        return dict(pairs)
    for name, _ in pairs:
        name.encode()  # a lone surrogate: faults repeat the name, of which no response could be made
    return AmbiguousObject(pairs)


def _refuse_nesting(document: Any) -> None:
    """Check the depth level by level: recursion could exhaust Python's stack."""
    level = [document]
    for _ in range(MAX_NESTING):
        level = [inner for outer in level for inner in _children(outer) if isinstance(inner, dict | list)]
    if level:
        message = f"arrays and objects are nested more than {MAX_NESTING} levels deep"
        raise ValueError(message)


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        message = f"a number has more than {MAX_DIGITS:,} digits"
        raise ValueError(message)
    return int(digits)


def _decimal(digits: str) -> Decimal:
    try:
        number = Decimal(digits)
    except InvalidOperation:  # the exponent is beyond what Decimal takes
        number = None
    if number is None or abs(number.adjusted()) > MAX_DIGITS or len(digits) > 2 * MAX_DIGITS:
        message = f"a number has more than {MAX_DIGITS:,} digits"
        raise ValueError(message)
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
