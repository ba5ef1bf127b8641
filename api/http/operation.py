"""One HTTP operation is one function: `operation` makes its trigger and keeps what the contract says of it.

The frame of every operation recognizes the caller, reads the request, calls the handler, and turns refusals into
answers. Nothing else does.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, TypedDict, Unpack

import azure.durable_functions as df
import azure.functions as func
from pydantic import BaseModel

from api.http.json_body import load_json, refuse_lost_body
from api.http.paging import Option, refuse_unknown_options
from api.http.problems import ANSWERABLE, describe
from api.http.request import PublicRequest, Request
from api.http.response import Response
from shared import clock
from shared.disk import require_free_space
from shared.domain.permissions import Caller
from shared.wiring import Service, wiring
from shared.workflow.durable import DurableEngine
from shared.workflow.wake import Orchestrations

logger = logging.getLogger(__name__)

Schema: TypeAlias = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]
PublicHandler = Callable[[PublicRequest], Awaitable[Response]]
Returned: TypeAlias = type[BaseModel] | tuple[type[BaseModel], ...] | None
"""The model of a body, or several of which it is one; None for no body."""

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that ask for nothing to be stored; the others are commands."""
SEEING = (403, 404)
"""How an operation refuses that only asks whether the caller sees a record."""
CHANGING = (400, 403, 404, 409, 412, 413, 415, 422)
"""How a change of a record refuses; 428 besides, where `If-Match` is mandatory."""
CREATING = (400, 403, 404, 409, 413, 415, 422)
"""How the creation of a record refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the contract says of an operation: name and words are its function's.

    `returns` maps each good status to its body. `body` is the model or the schema of what it takes; `query` are the
    options that it takes, None where options are not looked at. `errors` are the statuses that it can refuse with,
    besides those that every operation shares.
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

    def read(
        self,
        http: func.HttpRequest,
        service: Service,
        engine: Orchestrations,
        caller: Caller,
        now: datetime,
    ) -> Request:
        """A request as its handler takes it. Raises `BadQuery`, `UnreadableBody`."""
        if self.query is not None:
            refuse_unknown_options(http, {option.name for option in self.query})
        body = None
        if self.body is not None:
            body = load_json(http.headers.get("Content-Type") or "", http.get_body(), self.media_types)
        return Request(http=http, service=service, engine=engine, caller=caller, body=body, now=now)


class Contract(TypedDict, total=False):
    """What an operation says of itself besides method, route and answers: see `Operation`."""

    body: type[BaseModel] | Schema
    media_types: tuple[str, ...]
    query: tuple[Option, ...]
    headers: tuple[str, ...]
    errors: tuple[int, ...]
    html: bool


OPERATIONS: dict[str, Operation] = {}
"""Every operation that was declared, by name: `api.operations` declares them all."""
blueprint = df.Blueprint()
"""Their triggers."""


def operation(
    method: str,
    route: str,
    *,
    returns: Mapping[int, Returned] | type[BaseModel],
    **contract: Unpack[Contract],
) -> Callable[[Handler], Handler]:
    """Make a handler an operation for recognized callers; `contract` is the rest of an `Operation`.

    The handler stays as it is, to be called by tests.
    """

    def declare(handler: Handler) -> Handler:
        declared = _declared(handler, method, route, returns, public=False, contract=contract)

        async def trigger(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
            async def answer() -> Response:
                return await handler(await _request(declared, req, DurableEngine(client)))

            return await _respond(declared, req, answer)

        trigger.__name__ = trigger.__qualname__ = declared.name
        bound = blueprint.durable_client_input(client_name="client")(trigger)
        blueprint.route(route, methods=[method], auth_level=func.AuthLevel.ANONYMOUS)(bound)
        return handler

    return declare


def public_operation(
    method: str,
    route: str,
    *,
    returns: Mapping[int, Returned] | type[BaseModel],
    **contract: Unpack[Contract],
) -> Callable[[PublicHandler], PublicHandler]:
    """Make a handler an operation that needs no token; `contract` is the rest of an `Operation`."""

    def declare(handler: PublicHandler) -> PublicHandler:
        declared = _declared(handler, method, route, returns, public=True, contract=contract)

        async def trigger(req: func.HttpRequest) -> func.HttpResponse:
            return await _respond(declared, req, lambda: handler(PublicRequest(http=req)))

        trigger.__name__ = trigger.__qualname__ = declared.name
        blueprint.route(route, methods=[method], auth_level=func.AuthLevel.ANONYMOUS)(trigger)
        return handler

    return declare


def _declared(
    handler: Handler | PublicHandler,
    method: str,
    route: str,
    returns: Mapping[int, Returned] | type[BaseModel],
    *,
    public: bool,
    contract: Contract,
) -> Operation:
    summary, _, rest = (handler.__doc__ or "").partition("\n\n")
    declared = Operation(
        name=handler.__name__,
        method=method,
        route=route,
        summary=" ".join(summary.split()),
        description=" ".join(rest.split()),
        returns=returns if isinstance(returns, Mapping) else {200: returns},
        public=public,
        **contract,
    )
    if declared.name in OPERATIONS:
        raise ValueError(f"There are two operations named {declared.name}: rename one of them.")
    OPERATIONS[declared.name] = declared
    return declared


async def _request(declared: Operation, http: func.HttpRequest, engine: Orchestrations) -> Request:
    """The request of a recognized caller: 401 before anything else is looked at.

    A command needs room on the disk. A body that was announced must be there, whether or not the handler reads it.
    """
    service = await wiring.service()
    caller = await service.callers.authenticate(http.headers.get("Authorization"))
    if declared.method not in READING:
        require_free_space(service.settings.watched_disk)
    refuse_lost_body(http.headers, http.get_body())
    return declared.read(http, service, engine, caller, clock.now())


async def _respond(
    declared: Operation, http: func.HttpRequest, answer: Callable[[], Awaitable[Response]]
) -> func.HttpResponse:
    begun = time.monotonic()
    try:
        response = await answer()
    except ANSWERABLE as refused:
        response = Response(**describe(refused))
    milliseconds = round((time.monotonic() - begun) * 1000)
    logger.info("answered operation=%s status=%d ms=%d", declared.name, response.status, milliseconds)
    return response.to_http(http.headers.get("client-request-id"))
