"""The requests that handlers take: of authenticated callers, and public ones (docs/api.md, conventions)."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import azure.functions as func

from api.http.problems import BadHeader
from shared.domain.change import CommandContext
from shared.domain.ids import digest, uuid7
from shared.domain.permissions import Caller, is_retained, may_see, may_see_partner_led
from shared.domain.referral import Referral
from shared.domain.registration import Registration
from shared.domain.timeline import Actor
from shared.storage.known_referrals import KnownReferrals
from shared.wiring import Service
from shared.workflow.wake import Orchestrations


def is_unicode(text: str) -> bool:
    """Whether a text is valid: bytes of a request that are not UTF-8 reach the app as lone surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicRequest:
    """A request that needs no token."""

    http: func.HttpRequest

    @property
    def method(self) -> str:

        return str(self.http.method)

    @property
    def url(self) -> str:
        """The requested URL with its query."""
        return str(self.http.url)

    @property
    def options(self) -> dict[str, str]:

        return dict(self.http.params)

    def route_param(self, name: str) -> str:
        """A parameter of the route; empty if it has none of this name."""
        return str(self.http.route_params.get(name, ""))

    def header(self, name: str) -> str | None:
        """A request header; names are case-insensitive. Raises `BadHeader` if it is not UTF-8."""
        value: str | None = self.http.headers.get(name)
        if value is not None and not is_unicode(value):
            raise BadHeader(f"The header {name} is not UTF-8.")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(PublicRequest):
    """A request of an authenticated caller.

    `path` is that of the URL. `now` is the domain clock's time at the start. `known` has the referrals that the
    request has read.
    """

    path: str
    load_body: Callable[[], Any]
    service: Service
    engine: Orchestrations
    caller: Caller
    now: datetime
    known: KnownReferrals

    @property
    def body(self) -> Any:
        """The body as JSON, None for operations without one; it is read when it is first asked for.

        Ask for it after the checks that do not need it: see docs/api.md, order of checks. Raises `UnreadableBody`.
        """
        return self.load_body()

    @property
    def client_request_id(self) -> str | None:
        """The client's own id of this request."""
        return self.header("client-request-id")

    def link(self, path: str) -> str:
        """The absolute URL of a path of this API: not built from the header Host, which the client chooses."""
        return f"{self.service.settings.public_url}{path}"

    def new_id(self) -> str:
        """A new UUIDv7 with the domain clock's time."""
        return uuid7(self.now, secrets.token_bytes(16))

    def sees(self, referral: Referral) -> bool:
        """Whether the caller may see a referral and its retention period is not over (V4, N3)."""
        return may_see(self.caller, referral) and self._is_shown(referral)

    def sees_partner_led(self, deal: Referral) -> bool:
        """Whether the caller is a seller who may see a partner-led deal within its retention period (V3, N3)."""
        return may_see_partner_led(self.caller, deal) and self._is_shown(deal)

    def is_retained(self, registration: Registration) -> bool:
        """Whether a registration's retention period is not over (N3)."""
        return is_retained(registration.retained_from, self.now, self.service.settings.retention)

    def context(self, command: str) -> CommandContext:
        """The context of a command of the caller, with the hash of the Idempotency-Key in the scope of `command`."""
        member = self.caller.member
        actor = Actor(
            organization_id=member.organization_id,
            name=member.name,
            is_application=self.caller.is_application,
        )
        key = self.header("Idempotency-Key")
        key_hash = digest(member.organization_id, member.id, command, key) if key else None
        return CommandContext(actor=actor, now=self.now, key_hash=key_hash)

    def repeatable_context(self, command: str) -> CommandContext:
        """As `context`; the same key with another body or If-Match counts as another request."""
        body = hashlib.sha256(self.http.get_body()).hexdigest()
        return self.context(digest(command, self.header("If-Match") or "", body))

    def _is_shown(self, referral: Referral) -> bool:
        return is_retained(referral.closed_at, self.now, self.service.settings.retention)
