"""The service on given tables and mail service, and requests to its operations without HTTP."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from urllib.parse import quote, urlencode

import azure.functions as func

from api import operations  # noqa: F401 - declares every operation
from api.http.operation import OPERATIONS, Handler, Operation
from api.http.problems import HANDLED_ERRORS, describe
from api.http.response import Response
from shared import clock
from shared.domain.directory import Member
from shared.domain.ids import ApplicationId, OrganizationId, PersonId
from shared.domain.permissions import Caller
from shared.mail.service import MailService
from shared.settings import Limits, Settings, TableAccount
from shared.storage.tables import Tables
from shared.wiring import Service, assemble
from shared.workflow.follow_up import LONGEST_FOLLOW_UP
from shared.workflow.wake import Orchestrations
from tests.doubles.engine import FakeEngine
from tests.doubles.small_world import APPLICATIONS, PEOPLE

NOTHING: Mapping[str, str] = MappingProxyType({})
NO_LIMITS = Limits(
    requests_per_person=0,
    requests_per_organization=0,
    requests_per_address=0,
    invitations_per_day=0,
    inquiries_per_day=0,
    messages_per_hour=0,
    messages_per_deal=0,
    customer_mails_per_day=0,
)
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
    public_url="http://api.example",
    response_window=timedelta(days=14),
    retention=timedelta(days=2557),
    limits=NO_LIMITS,
)


def service_on(
    tables: Tables,
    mail: MailService,
    wall_clock: Callable[[], datetime] = clock.wall_clock,
    settings: Settings = SETTINGS,
) -> Service:
    """The service, put together as in production."""
    return assemble(settings, tables, mail, wall_clock, pause=no_pause)


async def no_pause(_seconds: float) -> None:
    """In virtual time nobody waits."""


async def ask(
    service: Service,
    who: str,
    handler: Handler,
    body: object = None,
    *,
    now: datetime,
    route: Mapping[str, str] = NOTHING,
    params: Mapping[str, str] = NOTHING,
    headers: Mapping[str, str] = NOTHING,
    engine: Orchestrations | None = None,
    follow_up: bool = True,
) -> Response:
    """One request of a person of the small world to an operation; refusals come back as answers, bodies as JSON.

    `route` are the names in the operation's route, and may be more than it has. With `follow_up` it returns when what
    the operation left for after its response is done too.
    """
    operation = OPERATIONS[handler.__name__]
    http = http_request(operation, body, route=route, params=params, headers=headers)
    try:
        caller = await caller_of(service, who)
        response = await handler(operation.read(http, service, engine or FakeEngine(), caller, now))
    except HANDLED_ERRORS as refused:
        return Response(**describe(refused))
    finally:
        if follow_up:
            await service.follow_ups.background.wait(LONGEST_FOLLOW_UP)
    return replace(response, body=response.json())


def dies_after_responses(service: Service) -> None:
    """From now on, what handlers leave for after their responses is lost, as if the process died each time."""
    service.follow_ups.background.start = lambda run: run.close()  # type: ignore[method-assign]


def http_request(
    operation: Operation,
    body: object = None,
    *,
    route: Mapping[str, str] = NOTHING,
    params: Mapping[str, str] = NOTHING,
    headers: Mapping[str, str] = NOTHING,
) -> func.HttpRequest:
    """A request of an operation as the worker hands it over; a body that is not bytes is sent as JSON."""
    parts = {name: quote(value, errors="surrogatepass") for name, value in route.items()}
    path, query = operation.route.format_map(parts), urlencode(params, errors="surrogatepass")
    sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return func.HttpRequest(
        method=operation.method,
        url=f"http://service.example/{path}" + (f"?{query}" if query else ""),
        headers={"Content-Type": "application/json", **headers},
        params=dict(params),
        route_params=dict(route),
        body=sent,
    )


async def caller_of(service: Service, who: str) -> Caller:
    """A person or an application of the small world, as recognized by a token."""
    member: Member | None
    if who in APPLICATIONS:
        organization_id = OrganizationId(APPLICATIONS[who])
        member = await service.directory.application(organization_id, ApplicationId(who))
    else:
        organization_id = OrganizationId(PEOPLE[who][0])
        member = await service.directory.person(organization_id, PersonId(who))
    organization = await service.directory.organization(organization_id)
    assert organization
    assert member
    return Caller(organization=organization, member=member)


def spelled(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers whose names were given as Python spells names."""
    return {name.replace("_", "-"): value for name, value in headers.items()}
