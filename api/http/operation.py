"""The decorators that make a handler function an HTTP operation: its trigger, its OpenAPI entry, its log line.

The trigger authenticates the caller, parses the request, calls the handler, and turns errors into responses.
"""

import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial
from typing import Any, TypeAlias, TypedDict, TypeVar, Unpack
from urllib.parse import quote

import azure.durable_functions as df
import azure.functions as func
from pydantic import BaseModel

from api.http.json_body import load_json, refuse_lost_body, refuse_unfit_body
from api.http.paging import Option, refuse_unknown_options
from api.http.problems import HANDLED_ERRORS, describe
from api.http.rates import Rates, client_address
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
    from the rest: see `error_statuses`. `public` operations need no token; of them those that are `limited` count
    against the limit of the client's address.
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
    limited: bool = False
    html: bool = False

    @property
    def error_statuses(self) -> frozenset[int]:
        """All error statuses: for public operations those in `errors`, otherwise also those that its inputs imply."""
        if self.public:
            return frozenset({*self.errors, 429, 503} if self.limited else self.errors)
        implied = {400, 401, 403, 411, 429, 500, 503}
        if "{" in self.route:
            implied |= {404}
        if self.body is not None:
            implied |= {413, 415, 422}
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
        """The request for the handler, which reads the body. Raises `UnreadableBody`, `BadQuery`, `BadHeader`."""
        raw = http.get_body()
        refuse_lost_body(http.headers, raw)
        if self.body is not None:
            refuse_unfit_body(http.headers.get("Content-Type") or "", raw, self.media_types)
        if self.query is not None:
            refuse_unknown_options(http, {option.name for option in self.query})
        request = Request(
            http=http,
            path=self._path(http.route_params),
            service=service,
            engine=engine,
            caller=caller,
            load_body=cache(partial(load_json, raw)) if self.body is not None else _no_body,
            now=now,
            known=KnownReferrals(service.referrals),
        )
        for name in self.headers:
            request.header(name)
        return request

    def _path(self, parameters: Mapping[str, str]) -> str:
        """The path of a request with these parameters of the route. The URL would have what the client called us."""

        def value(name: re.Match[str]) -> str:
            return quote(parameters.get(name[1], ""), safe="", errors="surrogatepass")

        return "/" + re.sub(r"{(\w+)}", value, self.route)


def _no_body() -> None:
    """The body of operations that take none."""


class Contract(TypedDict, total=False):
    """The optional arguments of the decorators; see `Operation`."""

    body: type[BaseModel] | Schema
    media_types: tuple[str, ...]
    query: tuple[Option, ...]
    headers: tuple[str, ...]
    errors: tuple[int, ...]
    limited: bool
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
            async def handle(rates: Rates) -> Response:
                return await handler(await _authenticated(declared, req, DurableEngine(client), rates))

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
            async def handle(rates: Rates) -> Response:
                if declared.limited:
                    await rates.count(wiring.rate_limits().address, client_address(req.headers))
                return await handler(PublicRequest(http=req))

            return await _respond(declared, req, handle)

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


async def _authenticated(
    declared: Operation, http: func.HttpRequest, engine: Orchestrations, rates: Rates
) -> Request:
    """The request of an authenticated caller; 401 comes before any other error, then the limits on requests.

    Commands need free disk space.
    """
    service, limits = await wiring.service(), wiring.rate_limits()
    identity = await service.callers.identify(http.headers.get("Authorization"))
    await rates.count(limits.person, f"{identity.tenant_id}/{identity.object_id}")
    organization = await service.callers.organization_of(identity)
    await rates.count(limits.organization, organization.id)
    caller = await service.callers.caller(identity, organization)
    if declared.method not in SAFE_METHODS:
        require_free_space(service.settings.watched_disk)
    return declared.read(http, service, engine, caller, clock.now())


async def _respond(
    declared: Operation, http: func.HttpRequest, handle: Callable[[Rates], Awaitable[Response]]
) -> func.HttpResponse:
    started, rates = time.monotonic(), Rates()
    try:
        response = await handle(rates)
    except HANDLED_ERRORS as error:
        response = Response(**describe(error))
    response = replace(response, headers={**rates.headers(), **response.headers})
    milliseconds = round((time.monotonic() - started) * 1000)
    logger.info("answered operation=%s status=%d ms=%d", declared.name, response.status, milliseconds)
    return response.to_http(http.headers.get("client-request-id"))
