"""The service on given tables and mail service, and requests to its handlers without HTTP."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import azure.functions as func
from api.http.ask import Request, Response, plain

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


async def ask(
    service: Service,
    who: str,
    handler: Callable[[Request], Awaitable[Response]],
    *,
    now: datetime,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    route: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    method: str | None = None,
) -> Response:
    """One request of a person of the small world to a handler; refusals come back as answers."""
    organization_id, _ = PEOPLE[who]
    organization = await service.directory.organization(organization_id)
    person = await service.directory.person(OrganizationId(organization_id), PersonId(who))
    assert organization
    assert person
    http: Any = func.HttpRequest(
        method=method or ("POST" if body is not None else "GET"),
        url=f"http://service.example{path}",
        headers={"content-type": "application/json", **(headers or {})},
        params=dict(params or {}),
        route_params=dict(route or {}),
        body=b"" if body is None else json.dumps(body).encode(),
    )
    request = Request(
        ask=http,
        service=service,
        caller=Caller(organization=organization, person=person),
        now=now,
        client_request_id=None,
    )
    try:
        answer = await handler(request)
    except ANSWERABLE as refused:
        return Response(**describe(refused))
    return replace(answer, body=plain(answer.body))
