"""Manage the people of an organization and their roles: `/v1.0/organizations/{id}/people` (V7)."""

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
from api.http.fields import Code, Email, Flag, Locale, Name, Phone
from api.http.operation import IF_MATCH, operation
from api.http.problems import NotFound, PreconditionFailed
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from shared.domain.directory import Organization, Person
from shared.domain.ids import LocationId, OrganizationId, PersonId
from shared.domain.refusals import Fault
from shared.domain.vocabulary import Role
from shared.storage.members import ETagMismatch
from shared.storage.people import StoredPerson

PEOPLE_ROUTE = f"{ORGANIZATION_ROUTE}/people"
PERSON_ROUTE = f"{PEOPLE_ROUTE}/{{oid}}"


class PersonView(View):
    oid: str
    organization_id: str
    email: str
    first_name: str
    last_name: str
    phone_number: str | None
    title: str | None
    roles: list[Role]
    global_: Annotated[bool, Field(alias="global")]
    locations: list[str]
    locale: str
    disable_notifications: bool
    e_tag: Annotated[str, Field(alias="eTag")]


class PeopleView(View):
    value: list[PersonView]


class PersonBody(Body):
    """`PUT …/people/{oid}`."""

    response: ClassVar[type[BaseModel]] = PersonView
    email: Annotated[Email | None, Required()] = None
    first_name: Annotated[Name | None, Required()] = None
    last_name: Annotated[Name | None, Required()] = None
    phone_number: Phone | None = None
    title: Name | None = None
    roles: Annotated[tuple[PartnerRole, ...] | None, Field(max_length=10), Required()] = None
    global_: Annotated[Flag | None, Field(alias="global")] = None
    locations: Annotated[tuple[Code, ...] | None, Field(max_length=100)] = None
    locale: Locale | None = None
    disable_notifications: Flag | None = None

    def faults(self, organization: Organization) -> tuple[Fault, ...]:
        """Locations must be the organization's own."""
        return foreign_locations(self.locations, organization)

    def person(self, organization_id: OrganizationId, person_id: PersonId) -> Person:
        """The person; only valid for a body without faults."""
        return Person(
            id=person_id,
            organization_id=organization_id,
            roles=frozenset(self.roles or ()),
            everywhere=bool(self.global_),
            locations=frozenset(LocationId(place) for place in self.locations or ()),
            **self.model_dump(exclude={"roles", "global_", "locations"}, exclude_none=True),
        )


@operation("GET", PEOPLE_ROUTE, returns=PeopleView)
async def list_people(request: Request) -> Response:
    """List the people of an organization, for its partner admins."""
    organization_id = require_members_reader(request)
    people = await request.service.people.all(organization_id)
    views = sorted((_view(each) for each in people), key=lambda view: (view.last_name, view.first_name))
    return Response(body=PeopleView(value=views))


@operation("GET", PERSON_ROUTE, returns=PersonView)
async def get_person(request: Request) -> Response:
    """Get a person, with its ETag."""
    require_members_reader(request)
    return _response(await _stored(request))


@operation(
    "PUT",
    PERSON_ROUTE,
    body=PersonBody,
    returns={200: PersonView, 201: PersonView},
    errors=(409, 428),
    headers=IF_MATCH,
)
async def put_person(request: Request) -> Response:
    """Create or replace a person.

    To replace a person, `If-Match` is mandatory.
    """
    organization_id, person_id = require_members_manager(request), _id(request)
    parsed = read(PersonBody, request.body)
    before = await request.service.people.get(organization_id, person_id)
    etag = before.etag if before else None
    require_version(request, etag, "person")
    parsed.require_valid(parsed.body.faults(request.caller.organization))
    person = parsed.body.person(organization_id, person_id)
    try:
        stored = await request.service.people.put(person, etag)
    except ETagMismatch as stale:
        raise PreconditionFailed(stale.etag or "") from stale
    return _response(stored, status=200 if before else 201)


@operation("DELETE", PERSON_ROUTE, returns={204: None}, errors=(409, 428), headers=IF_MATCH)
async def delete_person(request: Request) -> Response:
    """Delete a person; `If-Match` is mandatory."""
    organization_id = require_members_manager(request)
    before = await _stored(request)
    require_version(request, before.etag, "person")
    try:
        await request.service.people.remove(organization_id, before.person.id, before.etag)
    except ETagMismatch as stale:
        raise PreconditionFailed(stale.etag or "") from stale
    return Response(status=204)


def _id(request: Request) -> PersonId:
    return PersonId(oid_of(request, "person"))


async def _stored(request: Request) -> StoredPerson:
    found = await request.service.people.get(request.caller.organization.id, _id(request))
    if found is None:
        raise NotFound("There is no such person.")
    return found


def _response(stored: StoredPerson, status: int = 200) -> Response:
    return Response(status=status, body=_view(stored), headers={"ETag": stored.etag})


def _view(stored: StoredPerson) -> PersonView:
    person = stored.person
    return PersonView.from_domain(
        person,
        oid=person.id,
        roles=sorted(person.roles),
        global_=person.everywhere,
        locations=sorted(person.locations),
        e_tag=stored.etag,
    )
