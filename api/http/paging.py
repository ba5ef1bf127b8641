"""Query options and pages: which place of a collection a request means (docs/api.md, conventions)."""

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import azure.functions as func
from pydantic import TypeAdapter, ValidationError

from api.http.fields import Country
from api.http.problems import BadQuery
from api.http.request import Request

MAX_TOP = 100
_COUNTRIES: TypeAdapter[str] = TypeAdapter(Country)


@dataclass(frozen=True, slots=True)
class Option:
    """A query option, as the contract tells of it."""

    name: str
    schema: dict[str, Any]
    description: str
    required: bool = False


TOP = Option("$top", {"type": "integer", "minimum": 1}, "How many items; more than 100 are clamped.")
PAGING = (TOP, Option("$skiptoken", {"type": "string"}, "From a nextLink, which is to be followed as it is."))


def top_of(request: Request) -> int:
    """How many items are asked for; more than 100 are clamped."""
    text = request.options.get("$top", str(MAX_TOP))
    if not text.isdecimal() or not text.isascii() or not text.strip("0"):
        raise BadQuery("$top is a whole number from 1.")
    return min(int(text.lstrip("0")[:9]), MAX_TOP)


def refuse_unknown_options(http: func.HttpRequest, known: Collection[str]) -> None:
    """Say which query options are not supported, rather than ignore them."""
    given = [name for name, _ in parse_qsl(urlsplit(http.url).query, keep_blank_values=True)]
    if repeated := sorted({name for name in given if given.count(name) > 1}):
        raise BadQuery(
            f"Give {', '.join(repeated)[:200]} once; several values go into one, where it takes them."
        )
    unknown = sorted(set(http.params) - set(known))
    if unknown:
        raise BadQuery(
            f"This operation does not support {', '.join(unknown)[:200]}; it knows {', '.join(sorted(known))}."
        )


def country_of(code: str | None) -> str:
    """The country that a query names (ISO 3166-1 alpha-2). Raises `BadQuery`."""
    try:
        return _COUNTRIES.validate_python((code or "").upper())
    except ValidationError as unknown:
        raise BadQuery("country is an ISO 3166-1 country code, such as US.") from unknown


def place_of(request: Request) -> str | None:
    """Where the page before ended, from a nextLink's $skiptoken."""
    token = request.options.get("$skiptoken")
    if token is None:
        return None
    try:
        return base64.urlsafe_b64decode(token.encode() + b"==").decode("ascii")
    except (binascii.Error, UnicodeError, ValueError) as malformed:
        raise BadQuery("$skiptoken is not one of ours: follow the nextLink as it is.") from malformed


def page(request: Request, value: list[Any], place: str | None) -> dict[str, Any]:
    """A page of a collection, with a nextLink when there is more after `place`."""
    body: dict[str, Any] = {"value": value}
    if place is not None:
        body["@odata.nextLink"] = next_link(request, place)
    return body


def next_link(request: Request, place: str, options: Mapping[str, str] | None = None) -> str:
    """The absolute address of the page after `place`, other options as sent; those given instead, empty: left out."""
    token = base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")
    merged = {**request.options, **(options or {}), "$skiptoken": token}
    address = urlsplit(request.url)
    query = urlencode({name: value for name, value in merged.items() if value}, safe="$")
    return f"{address.scheme}://{address.netloc}{address.path}?{query}"
