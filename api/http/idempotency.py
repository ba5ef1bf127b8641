"""Under which key a request counts, so that a repetition does nothing twice (C5)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from api.http.problems import IdempotencyConflict, PreconditionFailed
from api.http.request import Request
from api.http.response import Response
from shared.domain.ids import digest
from shared.domain.refusals import Refusal
from shared.errors import Contended
from shared.storage.codec import Stored
from shared.storage.idempotency import IdempotencyRecord, RequestKey

KEY_LIVES = timedelta(days=7)


async def idempotent(
    request: Request,
    command: str | None,
    make: Callable[[RequestKey | None], Awaitable[Response | None]],
    replay: Callable[[IdempotencyRecord], Awaitable[Response]],
) -> Response:
    """Carry out a request once under its key: make what it asks for, or answer as its first time was answered.

    `make` gives None where another request of the same key was stored first. What refuses a request may be its own
    first time, carried out a moment ago, so the key is looked up again. Raises `IdempotencyConflict` for another
    body. Without a `command` keys do not count.
    """
    record = _record_of(request, command) if command else None
    if record is None:
        return _made(await make(None))
    expired = await _stored(request, record)
    if expired and (first := _first(request, record, expired)):
        return await replay(first)
    try:
        response = await make(RequestKey(record=record, expired=expired))
    except (Refusal, PreconditionFailed):
        if first := _first(request, record, await _stored(request, record)):
            return await replay(first)
        raise
    if response is None and (first := _first(request, record, await _stored(request, record))):
        return await replay(first)
    return _made(response)


def _made(response: Response | None) -> Response:
    if response is None:
        raise Contended("The request could not be stored; repeat it in a second.")
    return response


def _record_of(request: Request, command: str) -> IdempotencyRecord | None:
    """The record to keep of a request under its key, without what it creates; None if it has no key.

    An Idempotency-Key wins, and conflicts with another body. A client-request-id, if the client sent one, counts
    together with its body, so another body under it is a new request.
    """
    person = request.caller.person
    body_hash = digest(repr(_canonical(request.body)))
    request_id = request.client_request_id
    if request.header("Idempotency-Key"):
        key_hash = request.context(command).key_hash or ""
    elif request_id:
        key_hash = digest(person.organization_id, person.id, command, "request", request_id, body_hash)
    else:
        return None
    return IdempotencyRecord(
        organization_id=person.organization_id,
        key_hash=key_hash,
        body_hash=body_hash,
        record_id="",
        at=request.now,
    )


async def _stored(request: Request, record: IdempotencyRecord) -> Stored[IdempotencyRecord] | None:
    return await request.service.idempotency_keys.get(record.organization_id, record.key_hash)


def _first(
    request: Request, record: IdempotencyRecord, stored: Stored[IdempotencyRecord] | None
) -> IdempotencyRecord | None:
    """What the first of these requests created, if this is a repetition. Raises `IdempotencyConflict`."""
    if stored is None or request.now - stored.value.at > KEY_LIVES:
        return None
    if record.body_hash != stored.value.body_hash:
        raise IdempotencyConflict(
            "This Idempotency-Key was used with another body: use a new key for a new request."
        )
    return stored.value


def _canonical(document: object) -> object:
    """A body with its names in order, so that the same body is the same however it was written."""
    if isinstance(document, dict):
        return sorted((str(key), _canonical(value)) for key, value in document.items())
    if isinstance(document, list):
        return [_canonical(value) for value in document]
    return document
