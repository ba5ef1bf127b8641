"""One HTTP exchange: who calls, what was sent, and the answer in the conventions of docs/api.md.

`respond` is the frame of every trigger. It is the one place where refusals and errors become answers.
"""

import hashlib
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import azure.functions as func
from pydantic import BaseModel

from api.http import problems
from api.http.json_body import load_json, refuse_lost_body
from shared import clock
from shared.disk import require_room
from shared.domain.ids import digest
from shared.domain.permissions import Caller, is_kept, may_see, may_see_partner_led
from shared.domain.referral import Referral
from shared.domain.registration import Registration
from shared.domain.timeline import Actor
from shared.wiring import Service, wiring
from shared.workflow.commit import Who

logger = logging.getLogger(__name__)

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that ask for nothing to be stored; the others are commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a handler answers: a status, a body (a model or JSON), and headers besides those that all answers have."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request of a recognized caller. `now` is the domain clock's, the same for the whole request."""

    request: func.HttpRequest
    service: Service
    caller: Caller
    now: datetime
    client_request_id: str | None

    def json(self, *media_types: str) -> Any:
        """The request's body, of one of these media types (`application/json`). Raises `UnreadableBody`."""
        return load_json(
            self.header("Content-Type") or "", self.request.get_body(), media_types or ("application/json",)
        )

    def header(self, name: str) -> str | None:
        """A request header."""
        value: str | None = self.request.headers.get(name)
        return value

    def sees(self, referral: Referral) -> bool:
        """Whether the caller sees a referral, and it is still shown (V4, N3)."""
        return may_see(self.caller, referral) and self._is_shown(referral)

    def sees_partner_led(self, deal: Referral) -> bool:
        """Whether the caller is a seller who sees a deal as partner-led, and it is still shown (V3, N3)."""
        return may_see_partner_led(self.caller, deal) and self._is_shown(deal)

    def keeps(self, registration: Registration) -> bool:
        """Whether a registration is still shown (N3)."""
        return is_kept(registration.retained_from, self.now, self.service.settings.retention)

    def who(self, operation: str) -> Who:
        """The caller as the actor of an operation, with the hash of its Idempotency-Key for it."""
        person = self.caller.person
        actor = Actor(organization_id=person.organization_id, name=person.name)
        key = self.header("Idempotency-Key")
        key_hash = digest(person.organization_id, person.id, operation, key) if key else None
        return Who(actor=actor, now=self.now, key_hash=key_hash)

    def who_repeats(self, operation: str) -> Who:
        """The caller as the actor of an operation that is repeated by the same request alone.

        The same body, and meant of the same version: another one under the same key is another request.
        """
        body = hashlib.sha256(self.request.get_body()).hexdigest()
        return self.who(digest(operation, self.header("If-Match") or "", body))

    def _is_shown(self, referral: Referral) -> bool:
        return is_kept(referral.closed_at, self.now, self.service.settings.retention)


Handler = Callable[[Exchange], Awaitable[Answer]]


async def respond(request: func.HttpRequest, handler: Handler) -> func.HttpResponse:
    """Recognize the caller, run a handler, and answer: 401 before anything else is looked at.

    A command needs room on the disk. A body that was announced must be there, whether or not the handler reads it.
    """
    sent_id = request.headers.get("client-request-id")
    try:
        service = await wiring.service()
        caller = await service.callers.recognize(request.headers.get("Authorization"))
        if request.method not in READING:
            require_room(service.settings.watched_disk)
        refuse_lost_body(request.headers, request.get_body())
        exchange = Exchange(
            request=request, service=service, caller=caller, now=clock.now(), client_request_id=sent_id
        )
        answer = await handler(exchange)
    except problems.ANSWERABLE as refused:
        answer = Answer(**problems.describe(refused))
    return to_response(answer, sent_id)


def to_response(answer: Answer, client_request_id: str | None) -> func.HttpResponse:
    """An answer on the wire, with the headers that every answer has."""
    headers = {
        "request-id": str(uuid.uuid4()),
        "client-request-id": _header_value(client_request_id) or str(uuid.uuid4()),
        "timestamp": clock.now().isoformat().replace("+00:00", "Z"),
        "Cache-Control": "no-store",
        **answer.headers,
    }
    body = None if answer.body is None else json.dumps(plain(answer.body), ensure_ascii=False)
    return func.HttpResponse(
        body, status_code=answer.status, headers=headers, mimetype="application/json", charset="utf-8"
    )


def plain(body: Any) -> Any:
    """A body as JSON."""
    return body.model_dump(mode="json", by_alias=True) if isinstance(body, BaseModel) else body


def _header_value(text: str | None) -> str | None:
    """A client's id to be sent back, if it can stand in a header."""
    return text if text and text.isascii() and text.isprintable() and len(text) <= 255 else None
