"""The decorators that make a handler function an HTTP operation: its trigger, its OpenAPI entry, its log line.

The trigger authenticates the caller, parses the request, calls the handler, and turns errors into responses.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, TypedDict, TypeVar, Unpack

import azure.durable_functions as df
import azure.functions as func
from pydantic import BaseModel

from api.http.json_body import load_json, refuse_lost_body
from api.http.paging import Option, refuse_unknown_options
from api.http.problems import HANDLED_ERRORS, describe
from api.http.request import PublicRequest, Request
from api.http.response import Response
from shared import clock
from shared.disk import require_free_space
from shared.domain.permissions import Caller
from shared.storage.known_referrals import KnownReferrals
from shared.wiring import Service, wiring
from shared.workflow.durable import DurableEngine
from shared.workflow.wake import Orchestrations

logger = logging.getLogger(__name__)

Schema: TypeAlias = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]
PublicHandler = Callable[[PublicRequest], Awaitable[Response]]
Trigger = Callable[..., Awaitable[func.HttpResponse]]
H = TypeVar("H", Handler, PublicHandler)
Returned: TypeAlias = type[BaseModel] | tuple[type[BaseModel], ...] | None
"""The model of a response body, or the models that it can have; None for no body."""

IF_MATCH = ("If-Match",)
KEYED = ("Idempotency-Key", "client-request-id")
"""The headers under which a creation is carried out once (C5)."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing; all others are commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The description of an operation for the OpenAPI document; name, summary and description are its function's.

    `returns` maps each success status to its body. `body` is the model or JSON schema of the request body. `query`
    lists the supported query options; None leaves them unchecked. `errors` are the error statuses that do not follow
    from the rest: see `error_statuses`.
    """

    name: str
    method: str
    route: str
    summary: str
    description: str
    returns: Mapping[int, Returned]
    body: type[BaseModel] | Schema | None = None
    media_types: tuple[str, ...] = ("application/json",)
    query: tuple[Option, ...] | None = None
    headers: tuple[str, ...] = ()
    errors: tuple[int, ...] = ()
    public: bool = False
    html: bool = False

    @property
    def error_statuses(self) -> frozenset[int]:
        """All error statuses: for public operations those in `errors`, otherwise also those that its inputs imply."""
        if self.public:
            return frozenset(self.errors)
        implied = {401, 403, 411, 500, 503}
        if "{" in self.route:
            implied |= {404}
        if self.query is not None:
            implied |= {400}
        if self.body is not None:
            implied |= {400, 413, 415, 422}
        if "If-Match" in self.headers:
            implied |= {412}
        if "Idempotency-Key" in self.headers:
            implied |= {409}
        return frozenset(implied | set(self.errors))

    def read(
        self,
        http: func.HttpRequest,
        service: Service,
        engine: Orchestrations,
        caller: Caller,
        now: datetime,
    ) -> Request:
        """The request for the handler: query options checked, body loaded. Raises `BadQuery`, `UnreadableBody`."""
        if self.query is not None:
            refuse_unknown_options(http, {option.name for option in self.query})
        body = None
        if self.body is not None:
            body = load_json(http.headers.get("Content-Type") or "", http.get_body(), self.media_types)
        known = KnownReferrals(service.referrals)
        return Request(
            http=http, service=service, engine=engine, caller=caller, body=body, now=now, known=known
        )


class Contract(TypedDict, total=False):
    """The optional arguments of the decorators; see `Operation`."""

    body: type[BaseModel] | Schema
    media_types: tuple[str, ...]
    query: tuple[Option, ...]
    headers: tuple[str, ...]
    errors: tuple[int, ...]
    html: bool


OPERATIONS: dict[str, Operation] = {}
"""Every declared operation by name; importing `api.operations` declares them all."""
_TRIGGERS: dict[str, Trigger] = {}
"""The function behind each operation, as the Functions host calls it."""


def operation(
    method: str,
    route: str,
    *,
    returns: Mapping[int, Returned] | type[BaseModel],
    **contract: Unpack[Contract],
) -> Callable[[Handler], Handler]:
    """Declare an operation for authenticated callers; `contract` are further fields of its `Operation`.

    The handler itself is returned unchanged, so that tests can call it.
    """

    def declare(handler: Handler) -> Handler:
        declared = _declare(handler, method, route, returns, public=False, contract=contract)

        async def trigger(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
            async def handle() -> Response:
                return await handler(await _authenticated(declared, req, DurableEngine(client)))

            return await _respond(declared, req, handle)

        return _register(declared, trigger, handler)

    return declare


def public_operation(
    method: str,
    route: str,
    *,
    returns: Mapping[int, Returned] | type[BaseModel],
    **contract: Unpack[Contract],
) -> Callable[[PublicHandler], PublicHandler]:
    """Declare an operation that needs no token; otherwise as `operation`."""

    def declare(handler: PublicHandler) -> PublicHandler:
        declared = _declare(handler, method, route, returns, public=True, contract=contract)

        async def trigger(req: func.HttpRequest) -> func.HttpResponse:
            return await _respond(declared, req, lambda: handler(PublicRequest(http=req)))

        return _register(declared, trigger, handler)

    return declare


def _declare(
    handler: Handler | PublicHandler,
    method: str,
    route: str,
    returns: Mapping[int, Returned] | type[BaseModel],
    *,
    public: bool,
    contract: Contract,
) -> Operation:
    summary, _, rest = (handler.__doc__ or "").partition("\n\n")
    return Operation(
        name=handler.__name__,
        method=method,
        route=route,
        summary=" ".join(summary.split()),
        description=" ".join(rest.split()),
        returns=returns if isinstance(returns, Mapping) else {200: returns},
        public=public,
        **contract,
    )


def _register(declared: Operation, trigger: Trigger, handler: H) -> H:
    if declared.name in OPERATIONS:
        raise ValueError(f"There are two operations named {declared.name}: rename one of them.")
    OPERATIONS[declared.name] = declared
    _TRIGGERS[declared.name] = trigger
    return handler


def http_blueprint() -> df.Blueprint:
    """The triggers of all declared operations, those with literal routes before those with parameters.

    A host may take the first route that matches: `engagements/referrals` is no engagement's id.
    """
    blueprint = df.Blueprint()
    for declared in sorted(OPERATIONS.values(), key=_parameters_last):
        trigger = _TRIGGERS[declared.name]
        trigger.__name__ = trigger.__qualname__ = declared.name
        if not declared.public:
            trigger = blueprint.durable_client_input(client_name="client")(trigger)
        blueprint.route(declared.route, methods=[declared.method], auth_level=func.AuthLevel.ANONYMOUS)(
            trigger
        )
    return blueprint


def _parameters_last(declared: Operation) -> list[bool]:
    return [part.startswith("{") for part in declared.route.split("/")]


async def _authenticated(declared: Operation, http: func.HttpRequest, engine: Orchestrations) -> Request:
    """The request of an authenticated caller; 401 comes before any other error.

    Commands need free disk space. An announced body must have arrived, whether or not the handler reads it.
    """
    service = await wiring.service()
    caller = await service.callers.authenticate(http.headers.get("Authorization"))
    if declared.method not in SAFE_METHODS:
        require_free_space(service.settings.watched_disk)
    refuse_lost_body(http.headers, http.get_body())
    return declared.read(http, service, engine, caller, clock.now())


async def _respond(
    declared: Operation, http: func.HttpRequest, handle: Callable[[], Awaitable[Response]]
) -> func.HttpResponse:
    started = time.monotonic()
    try:
        response = await handle()
    except HANDLED_ERRORS as error:
        response = Response(**describe(error))
    milliseconds = round((time.monotonic() - started) * 1000)
    logger.info("answered operation=%s status=%d ms=%d", declared.name, response.status, milliseconds)
    return response.to_http(http.headers.get("client-request-id"))
