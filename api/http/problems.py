"""Error responses: the table from exception to status and error code (docs/api.md, conventions)."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from api.http.body import MAX_FAULTS, limit_faults
from api.http.json_body import UnreadableBody
from shared.domain.directory import CustomerEntity
from shared.domain.refusals import Fault, Invalid, NotAllowed, TerminalState
from shared.errors import (
    AccessDenied,
    ConfigurationError,
    Contended,
    DiskFull,
    RecordTooLarge,
    RecordUnreadable,
    ServiceError,
    Unauthenticated,
)

logger = logging.getLogger(__name__)


class BadQuery(Exception):
    """A query option is malformed or not supported."""


class NotFound(Exception):
    """The record does not exist, or the caller may not see it (V5)."""


class Forbidden(Exception):
    """The caller lacks the role for this operation (V6)."""


class TooManyRequests(Exception):
    """The caller has to wait: a limit on use is reached. `retry_after` is the time until it can work again."""

    def __init__(self, message: str, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PreconditionRequired(Exception):
    """The header If-Match is missing (E2)."""


class IdempotencyConflict(Exception):
    """The Idempotency-Key was used with another body (C5)."""


class BadHeader(Exception):
    """A request header cannot be read."""


@dataclass
class PreconditionFailed(Exception):
    """If-Match names another version than the current one.

    `changed` are the JSON Pointers of the fields changed since, where they are known.
    """

    etag: str
    changed: tuple[str, ...] = ()


RETRY_AFTER_SECONDS = "2"


def describe(error: BaseException) -> dict[str, Any]:
    """Status, body and headers of the response to an error."""
    for kind, respond in _TABLE:
        if isinstance(error, kind):
            return respond(error)
    raise error


def _plain(status: int, code: str, headers: dict[str, str] | None = None) -> Callable[[Any], dict[str, Any]]:
    def respond(error: Exception) -> dict[str, Any]:
        return _response(status, code, str(error), headers=headers)

    return respond


def _response(
    status: int, code: str, message: str, headers: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message, "target": None, **more}
    return {"status": status, "body": {"error": error}, "headers": headers or {}}


def _unreadable(error: UnreadableBody) -> dict[str, Any]:
    return _response(error.status, "invalidRequest", str(error))


def _invalid(error: Invalid) -> dict[str, Any]:
    more: dict[str, Any] = {"details": [_detail(fault) for fault in limit_faults(error.faults)]}
    if error.candidates:
        more["innerError"] = {"candidates": [_candidate(entity) for entity in error.candidates]}
    number = f"{len(error.faults)} fault(s)" if len(error.faults) <= MAX_FAULTS else "too many faults"
    return _response(422, "invalidRequest", f"The request has {number}; see details.", **more)


def _too_large(error: RecordTooLarge) -> dict[str, Any]:
    return _invalid(Invalid((Fault("tooLong", "", str(error)),)))


def _damaged(error: RecordUnreadable) -> dict[str, Any]:
    """Log which row it is; the response does not say, since the caller may not know of that record."""
    logger.error("record_unreadable %s", error)
    message = "A stored record is damaged. The service's operator has to repair it; retrying does not help."
    return _response(500, "recordUnreadable", message)


def _terminal(error: TerminalState) -> dict[str, Any]:
    more = {"innerError": {"reason": error.reason}} if error.reason else {}
    return _response(409, "terminalState", str(error), **more)


def _unavailable(error: ServiceError) -> dict[str, Any]:
    """Log what failed; the response does not say, since it would tell strangers how the service is built."""
    logger.warning("service_unavailable %r", error)
    return _response(503, "serviceNotAvailable", _words_for(error), headers=_RETRY)


def _words_for(error: ServiceError) -> str:
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    return "The service cannot do this at the moment: repeat the request in some seconds."


def _modified(error: PreconditionFailed) -> dict[str, Any]:
    message = "The record has changed since you read it: read it again, then repeat your change."
    inner = {"eTag": error.etag, "changedFields": list(error.changed)}
    headers = {"ETag": error.etag} if error.etag else {}
    return _response(412, "resourceModified", message, headers=headers, innerError=inner)


def _too_many(error: TooManyRequests) -> dict[str, Any]:
    seconds = max(1, math.ceil(error.retry_after.total_seconds()))
    return _response(429, "tooManyRequests", str(error), headers={"Retry-After": str(seconds)})


def _detail(fault: Fault) -> dict[str, str]:
    return {"code": fault.code, "target": fault.target, "message": fault.message}


def _candidate(entity: object) -> dict[str, Any]:
    if not isinstance(entity, CustomerEntity):
        return {}
    address = entity.address
    return {
        "name": entity.name,
        "address": {
            "addressLine1": address.address_line1,
            "city": address.city,
            "state": address.state,
            "postalCode": address.postal_code,
            "country": address.country,
        },
        "ids": [{"profileType": each.profile_type, "id": each.id} for each in entity.ids],
    }


_RETRY = {"Retry-After": RETRY_AFTER_SECONDS}
_WORDS: tuple[tuple[type[ServiceError], str], ...] = (
    (Contended, "The record kept changing: repeat the request in a second."),
    (DiskFull, "The service has no space left, so it only reads: its operator has to free some."),
    (ConfigurationError, "The service is not set up correctly: its operator finds the reason in the log."),
)
"""What clients read of an error for which they can do something else than repeat the request soon."""
_TABLE: tuple[tuple[type[Exception], Callable[[Any], dict[str, Any]]], ...] = (
    (Unauthenticated, _plain(401, "unauthenticated", {"WWW-Authenticate": "Bearer"})),
    (AccessDenied, _plain(403, "accessDenied")),
    (UnreadableBody, _unreadable),
    (TooManyRequests, _too_many),
    (BadHeader, _plain(400, "invalidRequest")),
    (BadQuery, _plain(400, "invalidRequest")),
    (NotFound, _plain(404, "itemNotFound")),
    (Forbidden, _plain(403, "accessDenied")),
    (PreconditionRequired, _plain(428, "preconditionFailed")),
    (PreconditionFailed, _modified),
    (TerminalState, _terminal),
    (NotAllowed, _plain(409, "notAllowed")),
    (IdempotencyConflict, _plain(409, "idempotencyConflict")),
    (Invalid, _invalid),
    (RecordTooLarge, _too_large),
    (RecordUnreadable, _damaged),
    (ServiceError, _unavailable),
)
HANDLED_ERRORS = tuple(kind for kind, _ in _TABLE)
"""The exceptions that `describe` has a response for."""
