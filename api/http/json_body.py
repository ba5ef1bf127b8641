"""Bodies as JSON: bytes that arrived, of bounded size, depth and numbers (docs/api.md, Errors)."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NoReturn

MAX_BYTES = 1024 * 1024
MAX_NESTING = 50
"""Arrays and objects inside each other, at most: what reads them goes down one call for each."""
MOST_DIGITS = 1000
"""Of a whole number."""


class UnreadableBody(Exception):
    """A body that did not arrive, is too large, the wrong kind, or no JSON in UTF-8.

    `status` is 411, 413, 415 or 400.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def refuse_lost_body(headers: Mapping[str, str], raw: bytes) -> None:
    """Refuse a request that announces a body and has none: the Functions host drops bodies that come in chunks.

    Without it, what was asked for would be taken for an empty body, which many operations allow. `headers` are
    looked up without regard to case. Raises `UnreadableBody`.
    """
    if not raw and ("Transfer-Encoding" in headers or headers.get("Content-Length", "").strip("0 ")):
        raise UnreadableBody(
            411,
            "The body did not arrive: send it with its Content-Length, not as Transfer-Encoding: chunked.",
        )


def load_json(content_type: str, raw: bytes, media_types: tuple[str, ...] = ("application/json",)) -> Any:
    """The JSON of a request, nested `MAX_NESTING` deep at most; an empty body is an empty object.

    Raises `UnreadableBody`.
    """
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
    """Refuse what nests too deep, level by level: recursion would end where Python's stack does."""
    level = [document]
    for _ in range(MAX_NESTING):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, dict | list)]
    if level:
        message = f"arrays and objects are nested more than {MAX_NESTING} levels deep"
        raise ValueError(message)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        message = f"a number has more than {MOST_DIGITS:,} digits"
        raise ValueError(message)
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
