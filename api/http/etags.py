"""ETags and paging: what a request says about the version and the place that it means."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import azure.functions as func

from api.http.problems import BadQuery, Modified
from api.http.wire_names import wire_names
from shared.domain.referral import Referral
from shared.domain.timeline import Entry

MAX_TOP = 100


def etag_of(referral: Referral) -> str:
    """A referral's version as a tag, quotes included."""
    return f'"{referral.version}"'


def matches(header: str, etag: str) -> bool:
    """Whether an If-Match or If-None-Match header names this tag."""
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return etag in tags or "*" in tags


def require_match(header: str | None, referral: Referral, entries: list[Entry]) -> None:
    """Refuse a request whose If-Match is stale. `entries` are the timeline, to say what changed since."""
    if header is None or matches(header, etag_of(referral)):
        return
    known = header.strip().removeprefix("W/").strip('"')
    since = int(known) if known.isdigit() and len(known) < 10 else referral.version
    changed = wire_names(name for entry in entries if entry.version > since for name in entry.changed)
    raise Modified(etag_of(referral), changed)


def top_of(request: func.HttpRequest) -> int:
    """How many items are asked for; more than 100 are clamped."""
    text = request.params.get("$top", str(MAX_TOP))
    if not text.isdecimal() or not text.isascii() or not text.strip("0"):
        raise BadQuery("$top is a whole number from 1.")
    return min(int(text.lstrip("0")[:9]), MAX_TOP)


def refuse_unknown_options(request: func.HttpRequest, known: frozenset[str]) -> None:
    """Say which query options are not supported, rather than ignore them."""
    given = [name for name, _ in parse_qsl(urlsplit(request.url).query, keep_blank_values=True)]
    if repeated := sorted({name for name in given if given.count(name) > 1}):
        raise BadQuery(
            f"Give {', '.join(repeated)[:200]} once; several values go into one, where it takes them."
        )
    unknown = sorted(set(request.params) - known)
    if unknown:
        raise BadQuery(
            f"This operation does not support {', '.join(unknown)[:200]}; it knows {', '.join(sorted(known))}."
        )


def place_of(request: func.HttpRequest) -> str | None:
    """Where the page before ended, from a nextLink's $skiptoken."""
    token = request.params.get("$skiptoken")
    if token is None:
        return None
    try:
        return base64.urlsafe_b64decode(token.encode() + b"==").decode("ascii")
    except (binascii.Error, UnicodeError, ValueError) as malformed:
        raise BadQuery("$skiptoken is not one of ours: follow the nextLink as it is.") from malformed


def page(request: func.HttpRequest, value: list[Any], place: str | None) -> dict[str, Any]:
    """A page of a collection, with a nextLink when there is more after `place`."""
    body: dict[str, Any] = {"value": value}
    if place is not None:
        body["@odata.nextLink"] = next_link(request, place)
    return body


def next_link(request: func.HttpRequest, place: str, options: Mapping[str, str] | None = None) -> str:
    """The absolute address of the page after `place`, other options as sent; those given instead, empty: left out."""
    token = base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")
    merged = {**request.params, **(options or {}), "$skiptoken": token}
    address = urlsplit(request.url)
    query = urlencode({name: value for name, value in merged.items() if value}, safe="$")
    return f"{address.scheme}://{address.netloc}{address.path}?{query}"
