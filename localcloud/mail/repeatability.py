"""Repeatable requests (OASIS Repeatable Requests 1.0), as the Email REST API documents them.

A client that repeats a Repeatability-Request-Id within five minutes of Repeatability-First-Sent gets the first
response again; after that the request is refused, because it is no longer tracked.
The service documents 409 for a repeat of a request in progress. The sink stores a send without waiting in between, so
no request is ever in progress when another is handled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from localcloud.mail.refusals import RefusedError, bad_request
from localcloud.mail.signatures import http_date

TRACKED_FOR = timedelta(minutes=5)
_REQUEST_ID = "Repeatability-Request-ID"
_FIRST_SENT = "Repeatability-First-Sent"


@dataclass(frozen=True)
class RepeatableRequest:
    request_id: str
    first_sent: datetime


def repeatable_request(headers: Mapping[str, str], *, now: datetime) -> RepeatableRequest | None:
    """Parse the two headers; None if both are missing. `now` is wall time.

    Raises RefusedError: 400 if one is missing or malformed, 412 once the request is no longer tracked.
    """
    request_id, first_sent = headers.get(_REQUEST_ID), headers.get(_FIRST_SENT)
    if request_id is None and first_sent is None:
        return None
    request = RepeatableRequest(_uuid(request_id), _date(first_sent))
    if now - request.first_sent > TRACKED_FOR:
        raise RefusedError(
            412,
            "PreconditionFailed",
            f"{_FIRST_SENT} is over five minutes ago: whether the request was accepted is no longer known.",
            {"Repeatability-Result": "rejected"},
        )
    if request.first_sent - now > TRACKED_FOR:
        raise bad_request(f"{_FIRST_SENT} is in the future; check the clock of this machine.")
    return request


def _uuid(text: str | None) -> str:
    try:
        return str(UUID(text))
    except (TypeError, ValueError) as error:
        raise bad_request(f"{_REQUEST_ID} must be a UUID and come with {_FIRST_SENT}.") from error


def _date(text: str | None) -> datetime:
    sent = http_date(text or "")
    if sent is None:
        raise bad_request(f"{_FIRST_SENT} must be an HTTP date and come with {_REQUEST_ID}.")
    return sent
