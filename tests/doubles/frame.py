"""The frame of an operation (`api.http.operation`) around handlers that a test declares, without a host."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any

import azure.functions as func
import pytest

from api.http import operation
from api.http.operation import Handler, PublicHandler
from shared.domain.permissions import Caller
from shared.errors import Unauthenticated
from shared.wiring import Service, wiring
from tests.doubles.service import NOTHING, caller_of, http_request

Trigger = Callable[..., Awaitable[func.HttpResponse]]


class KnownCallers:
    """Recognizes Rae in whoever sends a token."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def authenticate(self, authorization: str | None) -> Caller:
        if authorization is None:
            raise Unauthenticated("Send a token.")
        return await caller_of(self._service, "rae")


class Triggers:
    """Stands in for the blueprint: keeps each trigger, which the host would call, by its name."""

    def __init__(self) -> None:
        self.kept: dict[str, Trigger] = {}

    def durable_client_input(self, client_name: str) -> Callable[[Trigger], Trigger]:
        def bind(trigger: Trigger) -> Trigger:
            @wraps(trigger)
            async def bound(req: func.HttpRequest) -> func.HttpResponse:
                return await trigger(req, **{client_name: None})

            return bound

        return bind

    def route(self, route: str, **_: object) -> Callable[[Trigger], Trigger]:
        def keep(trigger: Trigger) -> Trigger:
            self.kept[trigger.__name__] = trigger
            return trigger

        return keep


class Frame:
    """Declares operations that are not the service's own, and calls them as the host would."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self._triggers = Triggers()
        monkeypatch.setattr(operation, "OPERATIONS", {})
        monkeypatch.setattr(operation, "blueprint", self._triggers)
        known: Any = KnownCallers(service)
        monkeypatch.setattr(wiring, "_service", replace(service, callers=known))

    def declare(self, handler: Handler, method: str = "POST", **contract: Any) -> None:
        """Make a handler an operation, in the place of the one of this name."""
        operation.OPERATIONS.pop(handler.__name__, None)
        operation.operation(method, "v1.0/tried", **{"returns": {200: None}, **contract})(handler)

    def declare_public(self, handler: PublicHandler, method: str = "GET") -> None:
        """Make a handler an operation that needs no token."""
        operation.public_operation(method, "v1.0/tried", returns={200: None})(handler)

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
        return await self._triggers.kept[name](http)
