"""Errors as answers: one table from exception to status and code (docs/api.md, conventions)."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from api.http.body import MOST_FAULTS, at_most
from api.http.json_body import UnreadableBody
from shared.auth.callers import UnknownPerson
from shared.domain.directory import CustomerEntity
from shared.domain.refusals import Fault, Invalid, NotAllowed, Refusal, TerminalState
from shared.errors import (
    RecordTooLarge,
    RecordUnreadable,
    ServiceError,
    Unauthenticated,
)

logger = logging.getLogger(__name__)


class BadQuery(Exception):
    """A query that cannot be parsed, or asks for what this service does not support."""


class NotFound(Exception):
    """There is no such record, or none that the caller may see (V5)."""


class Forbidden(Exception):
    """The caller may not do this (V6)."""


class PreconditionRequired(Exception):
    """The request must say in If-Match which version it means (E2)."""


class IdempotencyConflict(Exception):
    """The Idempotency-Key was used for another body (C5)."""


@dataclass
class PreconditionFailed(Exception):
    """The record is not as the If-Match header says; `changed` names what changed since, where that is known."""

    etag: str
    changed: tuple[str, ...] = ()


ANSWERABLE = (
    *(
        UnreadableBody,
        BadQuery,
        NotFound,
        Forbidden,
        PreconditionRequired,
        IdempotencyConflict,
        PreconditionFailed,
    ),
    *(Refusal, ServiceError),
)
RETRY_AFTER_SECONDS = "2"


def describe(error: BaseException) -> dict[str, Any]:
    """Status, body and headers of the answer that tells of an error."""
    for kind, answer in _TABLE:
        if isinstance(error, kind):
            return answer(error)
    raise error


def _plain(status: int, code: str, headers: dict[str, str] | None = None) -> Callable[[Any], dict[str, Any]]:
    def answer(error: Exception) -> dict[str, Any]:
        return _answer(status, code, str(error), headers=headers)

    return answer


def _answer(
    status: int, code: str, message: str, headers: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message, "target": None, **more}
    return {"status": status, "body": {"error": error}, "headers": headers or {}}


def _unreadable(error: UnreadableBody) -> dict[str, Any]:
    return _answer(error.status, "invalidRequest", str(error))


def _invalid(error: Invalid) -> dict[str, Any]:
    more: dict[str, Any] = {"details": [_detail(fault) for fault in at_most(error.faults)]}
    if error.candidates:
        more["innerError"] = {"candidates": [_candidate(entity) for entity in error.candidates]}
    many = f"{len(error.faults)} fault(s)" if len(error.faults) <= MOST_FAULTS else "too many faults"
    return _answer(422, "invalidRequest", f"The request has {many}.", **more)


def _too_large(error: RecordTooLarge) -> dict[str, Any]:
    return _invalid(Invalid((Fault("tooLong", "", str(error)),)))


def _damaged(error: RecordUnreadable) -> dict[str, Any]:
    """Which row it is, is for the log alone: it may be none that the caller knows of."""
    logger.error("record_unreadable %s", error)
    message = (
        "What is stored of this cannot be read. The service's operator has to repair it; repeating is no use."
    )
    return _answer(500, "recordUnreadable", message)


def _terminal(error: TerminalState) -> dict[str, Any]:
    more = {"innerError": {"reason": error.reason}} if error.reason else {}
    return _answer(409, "terminalState", str(error), **more)


def _modified(error: PreconditionFailed) -> dict[str, Any]:
    message = "The record has changed since you read it: read it again and decide anew."
    inner = {"eTag": error.etag, "changedFields": list(error.changed)}
    headers = {"ETag": error.etag} if error.etag else {}
    return _answer(412, "resourceModified", message, headers=headers, innerError=inner)


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
_TABLE: tuple[tuple[type[BaseException], Callable[[Any], dict[str, Any]]], ...] = (
    (Unauthenticated, _plain(401, "unauthenticated", {"WWW-Authenticate": "Bearer"})),
    (UnknownPerson, _plain(403, "accessDenied")),
    (UnreadableBody, _unreadable),
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
    (ServiceError, _plain(503, "serviceNotAvailable", _RETRY)),
)
