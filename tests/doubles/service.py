"""The service on given tables and mail service, and requests to its handlers without HTTP."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import azure.functions as func
from api import operations  # noqa: F401 - declares every operation
from api.http.operation import OPERATIONS, Handler
from api.http.request import Request
from api.http.response import Response

from api.http.problems import ANSWERABLE, describe
from shared import clock
from shared.domain.ids import OrganizationId, PersonId
from shared.domain.permissions import Caller
from shared.mail.service import MailService
from shared.settings import Settings, TableAccount
from shared.storage.tables import Tables
from shared.wiring import Service, assemble
from tests.doubles.small_world import PEOPLE

SETTINGS = Settings(
    tables=TableAccount(setting="TABLES_ENDPOINT"),
    hub=None,
    hub_name="testhub",
    hub_partitions=None,
    slot="Production",
    sweep_schedule="*/10 * * * * *",
    mail_endpoint="http://127.0.0.1",
    mail_access_key=None,
    mail_sender="no-reply@referrals.example",
    mail_events_key="events-key",
    mail_lease=timedelta(),
    auth_issuer="https://issuer.localhost/{tid}/v2.0",
    auth_audience="api://test",
    auth_jwks_url="http://127.0.0.1/keys",
    portal_url="http://portal.example",
    response_window=timedelta(days=14),
    retention=timedelta(days=2557),
)


def service_on(
    tables: Tables, mail: MailService, wall_clock: Callable[[], datetime] = clock.wall_clock
) -> Service:
    """The service, put together as in production."""
    return assemble(SETTINGS, tables, mail, wall_clock, pause=no_pause)


async def no_pause(_seconds: float) -> None:
    """In virtual time nobody waits."""


class TakesAll:
    """An engine that takes every start and every event, and runs nothing."""

    async def start(self, name: str, instance_id: str, argument: dict[str, str]) -> bool:
        return True

    async def raise_event(self, instance_id: str, event: str) -> bool:
        return True


async def ask(
    service: Service,
    who: str,
    handler: Handler,
    *,
    now: datetime,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    route: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    method: str | None = None,
    engine: Any = None,
) -> Response:
    """One request of a person of the small world to a handler; refusals come back as answers.

    The handler is an operation, or one that a test wraps around operations: then it reads the request itself.
    """
    operation = OPERATIONS.get(handler.__name__)
    organization_id, _ = PEOPLE[who]
    organization = await service.directory.organization(organization_id)
    person = await service.directory.person(OrganizationId(organization_id), PersonId(who))
    assert organization
    assert person
    http: Any = func.HttpRequest(
        method=method or (operation.method if operation else "POST" if body is not None else "GET"),
        url=f"http://service.example{path}",
        headers={"content-type": "application/json", **(headers or {})},
        params=dict(params or {}),
        route_params=dict(route or {}),
        body=b"" if body is None else json.dumps(body).encode(),
    )
    caller = Caller(organization=organization, person=person)
    try:
        if operation:
            request = operation.read(http, service, engine or TakesAll(), caller, now)
        else:
            request = Request(
                http=http, service=service, engine=engine or TakesAll(), caller=caller, body=body, now=now
            )
        response = await handler(request)
    except ANSWERABLE as refused:
        return Response(**describe(refused))
    return replace(response, body=response.json())
