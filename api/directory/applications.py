"""Manage the applications of an organization: `/v1.0/organizations/{id}/applications` (V7).

An application is a program that calls with a token of its own, such as the integration of a CRM.
"""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field

from api.directory.members import (
    PartnerRole,
    foreign_locations,
    oid_of,
    require_members_manager,
    require_members_reader,
)
from api.directory.organizations import ORGANIZATION_ROUTE
from api.http.body import Body, Required, read
from api.http.etags import require_version
from api.http.fields import Code, Flag, Name
from api.http.fields import DateTime as TimeField
from api.http.operation import IF_MATCH, operation
from api.http.problems import NotFound, PreconditionFailed
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import DateTime, View
from shared.domain.directory import Application, Organization
from shared.domain.ids import ApplicationId, LocationId, OrganizationId
from shared.domain.refusals import Fault
from shared.domain.vocabulary import Role
from shared.storage.applications import StoredApplication
from shared.storage.members import ETagMismatch

APPLICATIONS_ROUTE = f"{ORGANIZATION_ROUTE}/applications"
APPLICATION_ROUTE = f"{APPLICATIONS_ROUTE}/{{oid}}"
LONGEST_LIFE = timedelta(days=731)
"""Two years, as long as Entra ID lets a client secret live: then somebody decides again about the application."""


class ApplicationView(View):
    oid: str
    organization_id: str
    name: str
    roles: list[Role]
    global_: Annotated[bool, Field(alias="global")]
    locations: list[str]
    expires_date_time: DateTime
    e_tag: Annotated[str, Field(alias="eTag")]


class ApplicationsView(View):
    value: list[ApplicationView]


class ApplicationBody(Body):
    """`PUT …/applications/{oid}`."""

    response: ClassVar[type[BaseModel]] = ApplicationView
    name: Annotated[Name | None, Required()] = None
    roles: Annotated[tuple[PartnerRole, ...] | None, Field(max_length=10), Required()] = None
    global_: Annotated[Flag | None, Field(alias="global")] = None
    locations: Annotated[tuple[Code, ...] | None, Field(max_length=100)] = None
    expires_date_time: Annotated[
        TimeField | None, Required(), Field(description="In the future, at most two years from now.")
    ] = None

    def faults(self, organization: Organization, now: datetime) -> tuple[Fault, ...]:
        """Locations must be the organization's own, and the expiry in the next two years."""
        found = foreign_locations(self.locations, organization)
        if self.expires_date_time and not now < self.expires_date_time <= now + LONGEST_LIFE:
            latest = (now + LONGEST_LIFE).date()
            hint = f"Use a time between now and {latest}; renew the application before it has passed."
            found = (*found, Fault("outOfRange", "/expiresDateTime", hint))
        return found

    def application(self, organization_id: OrganizationId, application_id: ApplicationId) -> Application:
        """The application; only valid for a body without faults."""
        assert self.expires_date_time
        return Application(
            id=application_id,
            organization_id=organization_id,
            name=self.name or "",
            roles=frozenset(self.roles or ()),
            expires_at=self.expires_date_time,
            everywhere=bool(self.global_),
            locations=frozenset(LocationId(place) for place in self.locations or ()),
        )


@operation("GET", APPLICATIONS_ROUTE, returns=ApplicationsView)
async def list_applications(request: Request) -> Response:
    """List the applications of an organization, for its partner admins, also those whose entry has expired."""
    organization_id = require_members_reader(request)
    found = await request.service.applications.all(organization_id)
    views = sorted((_view(each) for each in found), key=lambda view: (view.name, view.oid))
    return Response(body=ApplicationsView(value=views))


@operation("GET", APPLICATION_ROUTE, returns=ApplicationView)
async def get_application(request: Request) -> Response:
    """Get an application, with its ETag."""
    require_members_reader(request)
    return _response(await _stored(request))


@operation(
    "PUT",
    APPLICATION_ROUTE,
    body=ApplicationBody,
    returns={200: ApplicationView, 201: ApplicationView},
    errors=(409, 428),
    headers=IF_MATCH,
)
async def put_application(request: Request) -> Response:
    """Create or replace an application.

    `oid` is the object id of its service principal in the organization's tenant. To replace an application,
    `If-Match` is mandatory. From `expiresDateTime` on it may do nothing, until it is renewed.
    """
    organization_id, application_id = require_members_manager(request), _id(request)
    parsed = read(ApplicationBody, request.body)
    before = await request.service.applications.get(organization_id, application_id)
    etag = before.etag if before else None
    require_version(request, etag, "application")
    parsed.require_valid(parsed.body.faults(request.caller.organization, request.now))
    application = parsed.body.application(organization_id, application_id)
    try:
        stored = await request.service.applications.put(application, etag)
    except ETagMismatch as stale:
        raise PreconditionFailed(stale.etag or "") from stale
    return _response(stored, status=200 if before else 201)


@operation("DELETE", APPLICATION_ROUTE, returns={204: None}, errors=(409, 428), headers=IF_MATCH)
async def delete_application(request: Request) -> Response:
    """Delete an application; `If-Match` is mandatory."""
    organization_id = require_members_manager(request)
    before = await _stored(request)
    require_version(request, before.etag, "application")
    try:
        await request.service.applications.remove(organization_id, before.application.id, before.etag)
    except ETagMismatch as stale:
        raise PreconditionFailed(stale.etag or "") from stale
    return Response(status=204)


def _id(request: Request) -> ApplicationId:
    return ApplicationId(oid_of(request, "application"))


async def _stored(request: Request) -> StoredApplication:
    found = await request.service.applications.get(request.caller.organization.id, _id(request))
    if found is None:
        raise NotFound("There is no such application.")
    return found


def _response(stored: StoredApplication, status: int = 200) -> Response:
    return Response(status=status, body=_view(stored), headers={"ETag": stored.etag})


def _view(stored: StoredApplication) -> ApplicationView:
    application = stored.application
    return ApplicationView.from_domain(
        application,
        oid=application.id,
        roles=sorted(application.roles),
        global_=application.everywhere,
        locations=sorted(application.locations),
        expires_date_time=application.expires_at,
        e_tag=stored.etag,
    )
