"""Query options, pages and the continuation tokens in their nextLinks (docs/api.md, conventions)."""

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

import azure.functions as func
from pydantic import TypeAdapter, ValidationError

from api.http.fields import Country
from api.http.problems import BadQuery
from api.http.request import Request
from api.http.schemas import View

MAX_TOP = 100
_COUNTRIES: TypeAdapter[str] = TypeAdapter(Country)


@dataclass(frozen=True, slots=True)
class Option:
    """A query option as the OpenAPI document describes it."""

    name: str
    schema: dict[str, Any]
    description: str
    required: bool = False


TOP = Option("$top", {"type": "integer", "minimum": 1}, f"Page size; at most {MAX_TOP}.")
PAGING = (TOP, Option("$skiptoken", {"type": "string"}, "Part of a nextLink; follow the link unchanged."))


def top_of(request: Request) -> int:
    """The page size from $top, at most `MAX_TOP`. Raises `BadQuery`."""
    text = request.options.get("$top", str(MAX_TOP))
    if not text.isdecimal() or not text.isascii() or not text.strip("0"):
        raise BadQuery("$top is a whole number from 1.")
    return min(int(text.lstrip("0")[:9]), MAX_TOP)


def refuse_unknown_options(http: func.HttpRequest, known: Collection[str]) -> None:
    """Refuse query options that are repeated or not supported, rather than ignore them. Raises `BadQuery`."""
    sent = [name for name, _ in parse_qsl(http.url.partition("?")[2], keep_blank_values=True)]
    if repeated := sorted({name for name in sent if sent.count(name) > 1}):
        raise BadQuery(
            f"Send {', '.join(repeated)[:200]} once; where several values are allowed, separate them by commas."
        )
    unknown = sorted(set(http.params) - set(known))
    if unknown:
        raise BadQuery(
            f"This operation does not support {', '.join(unknown)[:200]}; it supports {', '.join(sorted(known))}."
        )


def country_of(code: str | None) -> str:
    """The country (ISO 3166-1 alpha-2) of a query option, in capitals. Raises `BadQuery`."""
    try:
        return _COUNTRIES.validate_python((code or "").upper())
    except ValidationError as unknown:
        raise BadQuery("country is an ISO 3166-1 country code, such as US.") from unknown


def invalid_skip_token() -> BadQuery:
    """The refusal of a $skiptoken that is malformed or belongs to another list."""
    return BadQuery("$skiptoken is not valid here: follow the nextLink unchanged.")


def place_of(request: Request, pattern: str) -> str | None:
    """The position after which the page begins, from $skiptoken; it must match `pattern`. Raises `BadQuery`."""
    token = request.options.get("$skiptoken")
    if token is None:
        return None
    try:
        place = base64.urlsafe_b64decode(token.encode() + b"==").decode("ascii")
    except (binascii.Error, UnicodeError, ValueError) as malformed:
        raise invalid_skip_token() from malformed
    if not re.fullmatch(pattern, place):
        raise invalid_skip_token()
    return place


def page(request: Request, items: list[Any], place: str | None) -> dict[str, Any]:
    """The body of a page of views; `place` is the position for its nextLink, None on the last page."""
    value = [item.document() if isinstance(item, View) else item for item in items]
    return {"value": value} | ({} if place is None else {"@odata.nextLink": next_link(request, place)})


def next_link(request: Request, place: str, options: Mapping[str, str] | None = None) -> str:
    """The absolute URL of the page after `place`. `options` replace query options; empty values remove them."""
    token = base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")
    changed = {**request.options, **(options or {}), "$skiptoken": token}
    sent = {name: value for name, value in changed.items() if value}
    return request.link(f"{request.path}?{urlencode(sent, safe='$', errors='surrogatepass')}")
