"""Load JSON request bodies within limits on size, nesting and numbers (docs/api.md, Errors)."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NoReturn

MAX_BYTES = 1024 * 1024
MAX_NESTING = 50
"""How deep arrays and objects may be nested: the code that reads them recurses once per level."""
MAX_DIGITS = 1000
"""How many digits a whole number may have."""


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


def load_json(content_type: str, raw: bytes, media_types: tuple[str, ...] = ("application/json",)) -> Any:
    """Load a JSON body within this module's limits; an empty body is an empty object. Raises `UnreadableBody`."""
    if len(raw) > MAX_BYTES:
        raise UnreadableBody(413, f"Send at most {MAX_BYTES:,} bytes.")
    if not raw.strip():
        return {}
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in media_types:
        raise UnreadableBody(415, f"Send the body as {' or '.join(media_types)}.")
    try:
        text = raw.decode("utf-8-sig")
        document = json.loads(text, parse_float=Decimal, parse_int=_integer, parse_constant=_refuse_constant)
        _refuse_nesting(document)
        json.dumps(document, ensure_ascii=False, default=str).encode()
    except UnicodeError as broken:
        raise UnreadableBody(400, "The body is not UTF-8.") from broken
    except (ValueError, RecursionError) as broken:
        raise UnreadableBody(400, f"The body is not JSON: {str(broken)[:200]}") from broken
    return document


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


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
