"""Under which key a request counts, so that a repetition does nothing twice (C5)."""

from datetime import timedelta

from api.http.problems import IdempotencyConflict
from api.http.request import Request
from shared.domain.ids import ReferralId, digest
from shared.storage.referrals import IdempotencyRecord, Stored

KEY_LIVES = timedelta(days=7)


def record_of(request: Request, document: object, operation: str) -> IdempotencyRecord | None:
    """The record to keep of a request under its key, what it makes not yet drawn; None if it has no key.

    An Idempotency-Key wins, and conflicts with another body. A client-request-id, if the client sent one, counts
    together with its body, so another body under it is a new request.
    """
    person = request.caller.person
    body_hash = digest(repr(_canonical(document)))
    request_id = request.client_request_id
    if request.header("Idempotency-Key"):
        key_hash = request.context(operation).key_hash or ""
    elif request_id:
        key_hash = digest(person.organization_id, person.id, operation, "request", request_id, body_hash)
    else:
        return None
    return IdempotencyRecord(
        organization_id=person.organization_id,
        key_hash=key_hash,
        body_hash=body_hash,
        referral_id=ReferralId(""),
        at=request.now,
    )


async def stored_under(
    request: Request, wanted: IdempotencyRecord | None
) -> Stored[IdempotencyRecord] | None:
    """What was stored under a request's key before, perhaps longer ago than keys count."""
    if wanted is None:
        return None
    return await request.service.referrals.idempotency(wanted.organization_id, wanted.key_hash)


def carried_out(
    request: Request, wanted: IdempotencyRecord | None, stored: Stored[IdempotencyRecord] | None
) -> IdempotencyRecord | None:
    """The record of the first of these requests, if this is a repetition. Raises `IdempotencyConflict`."""
    if wanted is None or stored is None or request.now - stored.value.at > KEY_LIVES:
        return None
    require_same_body(wanted, stored.value)
    return stored.value


def require_same_body(wanted: IdempotencyRecord, first: IdempotencyRecord) -> None:
    """Refuse another body under the same key."""
    if wanted.body_hash != first.body_hash:
        raise IdempotencyConflict(
            "This Idempotency-Key was used with another body: use a new key for a new request."
        )


def _canonical(document: object) -> object:
    """A body with its names in order, so that the same body is the same however it was written."""
    if isinstance(document, dict):
        return sorted((str(key), _canonical(value)) for key, value in document.items())
    if isinstance(document, list):
        return [_canonical(value) for value in document]
    return document
