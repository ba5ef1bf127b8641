"""The frame of an operation (`api.http.operation`) around handlers that a test declares, without a host."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import azure.functions as func
import pytest

from api.http import operation
from api.http.operation import Handler, PublicHandler, Trigger
from shared.auth.rate_limits import RateLimits
from shared.auth.tokens import Identity
from shared.domain.directory import Organization
from shared.domain.permissions import Caller
from shared.errors import Unauthenticated
from shared.wiring import Service, wiring
from tests.doubles.service import NOTHING, caller_of, http_request


class KnownCallers:
    """Recognizes Rae in whoever sends a token."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def identify(self, authorization: str | None) -> Identity:
        if authorization is None:
            raise Unauthenticated("Send a token.")
        return Identity(tenant_id="contoso", object_id=authorization, is_application=False)

    async def organization_of(self, _identity: Identity) -> Organization:
        return (await self.caller(_identity)).organization

    async def caller(self, _identity: Identity, _organization: Organization | None = None) -> Caller:
        return await caller_of(self._service, "rae")


class Frame:
    """Declares operations that are not the service's own, and calls them as the host would."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self._triggers: dict[str, Trigger] = {}
        monkeypatch.setattr(operation, "OPERATIONS", {})
        monkeypatch.setattr(operation, "_TRIGGERS", self._triggers)
        known: Any = KnownCallers(service)
        monkeypatch.setattr(wiring, "_service", replace(service, callers=known))
        monkeypatch.setattr(wiring, "_rate_limits", RateLimits(service.settings.limits))

    def declare(self, handler: Handler, method: str = "POST", **contract: Any) -> None:
        """Make a handler an operation, in the place of the one of this name."""
        operation.OPERATIONS.pop(handler.__name__, None)
        operation.operation(method, "v1.0/tried", **{"returns": {200: None}, **contract})(handler)

    def declare_public(self, handler: PublicHandler, method: str = "GET", **contract: Any) -> None:
        """Make a handler an operation that needs no token."""
        operation.public_operation(method, "v1.0/tried", returns={200: None}, **contract)(handler)

    async def call(
        self,
        handler: Handler | PublicHandler,
        body: object = None,
        *,
        headers: Mapping[str, str] = NOTHING,
        params: Mapping[str, str] = NOTHING,
        token: str | None = "any",
    ) -> func.HttpResponse:
        """What an operation answers to a request."""
        name = handler.__name__
        sent = {**headers, **({"Authorization": token} if token else {})}
        declared = operation.OPERATIONS[name]
        http = http_request(declared, body, params=params, headers=sent)
        trigger = self._triggers[name]
        return await (trigger(http) if declared.public else trigger(http, client=None))
