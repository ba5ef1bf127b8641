"""A request of a recognized caller, as handlers take it (docs/api.md, conventions)."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import azure.functions as func

from shared.domain.change import CommandContext
from shared.domain.ids import digest, uuid7
from shared.domain.permissions import Caller, is_retained, may_see, may_see_partner_led
from shared.domain.referral import Referral
from shared.domain.registration import Registration
from shared.domain.timeline import Actor
from shared.wiring import Service
from shared.workflow.wake import Orchestrations


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicRequest:
    """A request that needs no token."""

    http: func.HttpRequest

    @property
    def method(self) -> str:
        """The method, in capitals."""
        return str(self.http.method)

    @property
    def url(self) -> str:
        """The address that was asked for, with its query."""
        return str(self.http.url)

    @property
    def options(self) -> dict[str, str]:
        """The query options."""
        return dict(self.http.params)

    def in_route(self, name: str) -> str:
        """The part of the route of this name."""
        return str(self.http.route_params.get(name, ""))

    def header(self, name: str) -> str | None:
        """A request header."""
        value: str | None = self.http.headers.get(name)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(PublicRequest):
    """A request of a recognized caller.

    `body` is its JSON, None where the operation takes none. `now` is the domain clock's, the same throughout.
    """

    body: Any
    service: Service
    engine: Orchestrations
    caller: Caller
    now: datetime

    @property
    def client_request_id(self) -> str | None:
        """What the client calls this request."""
        return self.header("client-request-id")

    def new_id(self) -> str:
        """A fresh id of this moment: a UUIDv7 of the domain clock."""
        return uuid7(self.now, secrets.token_bytes(16))

    def sees(self, referral: Referral) -> bool:
        """Whether the caller sees a referral, and it is still shown (V4, N3)."""
        return may_see(self.caller, referral) and self._is_shown(referral)

    def sees_partner_led(self, deal: Referral) -> bool:
        """Whether the caller is a seller who sees a deal as partner-led, and it is still shown (V3, N3)."""
        return may_see_partner_led(self.caller, deal) and self._is_shown(deal)

    def keeps(self, registration: Registration) -> bool:
        """Whether a registration is still shown (N3)."""
        return is_retained(registration.retained_from, self.now, self.service.settings.retention)

    def context(self, command: str) -> CommandContext:
        """The caller as the actor of a command, with the hash of the request's Idempotency-Key for it."""
        person = self.caller.person
        actor = Actor(organization_id=person.organization_id, name=person.name)
        key = self.header("Idempotency-Key")
        key_hash = digest(person.organization_id, person.id, command, key) if key else None
        return CommandContext(actor=actor, now=self.now, key_hash=key_hash)

    def repeatable_context(self, command: str) -> CommandContext:
        """The caller as the actor of a command that is repeated by the same request alone.

        The same body, and meant of the same version: another one under the same key is another request.
        """
        body = hashlib.sha256(self.http.get_body()).hexdigest()
        return self.context(digest(command, self.header("If-Match") or "", body))

    def _is_shown(self, referral: Referral) -> bool:
        return is_retained(referral.closed_at, self.now, self.service.settings.retention)
