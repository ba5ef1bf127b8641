"""Idempotent creation: a request repeated under the same key creates nothing twice (C5)."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import timedelta

from api.http.problems import IdempotencyConflict, PreconditionFailed, TooManyRequests
from api.http.request import Request
from api.http.response import Response
from shared.domain.ids import digest
from shared.domain.refusals import Refusal
from shared.errors import Contended
from shared.storage.codec import Stored
from shared.storage.idempotency import IdempotencyRecord, RequestKey

KEY_LIFETIME = timedelta(days=7)


async def idempotent(
    request: Request,
    command: str | None,
    create: Callable[[RequestKey | None], Awaitable[Response | None]],
    replay: Callable[[IdempotencyRecord], Awaitable[Response]],
    quota: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> Response:
    """Carry out a request once per key: `create` what it asks for, or `replay` the response to the original request.

    `create` gives None if another request with the same key was stored first. A refusal may be caused by the original
    request, carried out a moment ago, so the key is then looked up again. Keys are not used without a `command`.
    The request is created within its `quota`, of which a repetition needs nothing.
    Raises `IdempotencyConflict` if the key was used with another body, `TooManyRequests`, `Contended`.
    """
    record = _new_record(request, command) if command else None
    if record is None:
        async with quota():
            return _require_stored(await create(None))
    expired = await _load(request, record)
    try:
        original = _original(request, record, expired)
    except IdempotencyConflict:
        async with quota():  # a used-up quota precedes the conflict
            raise
    if original:
        return await replay(original)
    try:
        async with quota():
            return _require_stored(await create(RequestKey(record=record, expired=expired)))
    except (Refusal, PreconditionFailed, TooManyRequests, _NotStored):
        if original := _original(request, record, await _load(request, record)):
            return await replay(original)
        raise


class _NotStored(Contended):
    """Another request with the same key was stored first, or this one could not be stored."""


def _require_stored(response: Response | None) -> Response:
    if response is None:
        raise _NotStored("The request could not be stored; repeat it in a second.")
    return response


def _new_record(request: Request, command: str) -> IdempotencyRecord | None:
    """The record of a request with a key, still without the ids that it creates; None if it has no key.

    An Idempotency-Key takes precedence, and conflicts with another body. A client-request-id counts together with
    the body, so another body under it is a new request.
    """
    member = request.caller.member
    body_hash = digest(repr(_canonical(request.body)))
    request_id = request.client_request_id
    if request.header("Idempotency-Key"):
        key_hash = request.context(command).key_hash or ""
    elif request_id:
        key_hash = digest(member.organization_id, member.id, command, "request", request_id, body_hash)
    else:
        return None
    return IdempotencyRecord(
        organization_id=member.organization_id,
        key_hash=key_hash,
        body_hash=body_hash,
        record_id="",
        at=request.now,
    )


async def _load(request: Request, record: IdempotencyRecord) -> Stored[IdempotencyRecord] | None:
    return await request.service.idempotency_keys.get(record.organization_id, record.key_hash)


def _original(
    request: Request, record: IdempotencyRecord, stored: Stored[IdempotencyRecord] | None
) -> IdempotencyRecord | None:
    """The record of the original request, unless its key has expired. Raises `IdempotencyConflict`."""
    if stored is None or request.now - stored.value.at > KEY_LIFETIME:
        return None
    if record.body_hash != stored.value.body_hash:
        raise IdempotencyConflict(
            "This Idempotency-Key was used with another body: use a new key for a new request."
        )
    return stored.value


def _canonical(document: object) -> object:
    """A body with its names sorted, so that their order makes no difference to its hash."""
    if isinstance(document, dict):
        return sorted((str(key), _canonical(value)) for key, value in document.items())
    if isinstance(document, list):
        return [_canonical(value) for value in document]
    return document
