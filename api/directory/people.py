"""`/v1.0/organizations/{id}/people`: who works for an organization, and what they may do (V7)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from api.http.body import Body, Required, read, unless_below
from api.http.etags import require_version
from api.http.fields import Code, Email, Flag, Locale, Name, Phone
from api.http.operation import CHANGING, SEEING, operation
from api.http.problems import Forbidden, NotFound, PreconditionFailed
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from shared.domain.directory import Organization, Person
from shared.domain.ids import LocationId, OrganizationId, PersonId
from shared.domain.permissions import may_manage_people
from shared.domain.refusals import Fault, Invalid
from shared.domain.vocabulary import Role
from shared.storage.people import ETagMismatch, StoredPerson

ALL = "v1.0/organizations/{id}/people"
ONE = f"{ALL}/{{oid}}"
_LONGEST_ID = 100

PartnerRole = Literal["MpnPartnerAdmin", "ReferralsAdmin", "ReferralsUser"]
"""The roles that a partner's admins give; Microsoft's and LeadIntake are an operator's to enter."""


class PersonBody(Body):
    """`PUT …/people/{oid}`."""

    ignored: ClassVar[frozenset[str]] = frozenset({"oid", "organizationId", "eTag"})
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
        """Locations are the organization's own."""
        known = ", ".join(place.id for place in organization.locations)
        return tuple(
            Fault("notInCatalogue", f"/locations/{index}", f"Name locations of your organization: {known}.")
            for index, place in enumerate(self.locations or ())
            if organization.location(place) is None
        )

    def person(self, organization_id: OrganizationId, person_id: PersonId) -> Person:
        """The person; to be asked of a body without faults."""
        return Person(
            id=person_id,
            organization_id=organization_id,
            email=self.email or "",
            first_name=self.first_name or "",
            last_name=self.last_name or "",
            roles=frozenset(self.roles or ()),
            everywhere=bool(self.global_),
            locations=frozenset(LocationId(place) for place in self.locations or ()),
            locale=self.locale or "en-US",
            disable_notifications=bool(self.disable_notifications),
            phone_number=self.phone_number,
            title=self.title,
        )


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


@operation("GET", ALL, returns=PeopleView, errors=SEEING)
async def list_people(request: Request) -> Response:
    """Everybody in the organization's directory, for its partner admins."""
    organization_id = _require_keeper(request)
    people = await request.service.people.all(organization_id)
    views = sorted((_view(each) for each in people), key=lambda view: (view.last_name, view.first_name))
    return Response(body=PeopleView(value=views))


@operation("GET", ONE, returns=PersonView, errors=SEEING)
async def get_person(request: Request) -> Response:
    """One person, with its ETag."""
    _require_keeper(request)
    return _response(await _stored(request))


@operation(
    "PUT",
    ONE,
    body=PersonBody,
    returns={200: PersonView, 201: PersonView},
    errors=(*CHANGING, 428),
    headers=("If-Match",),
)
async def put_person(request: Request) -> Response:
    """Enter a person (201), or change one that `If-Match` names (200)."""
    reading = read(PersonBody, request.body)
    organization_id = _require_keeper(request)
    before = await request.service.people.get(organization_id, _oid(request))
    etag = before.etag if before else None
    require_version(request, etag, "person")
    rules = reading.body.faults(request.caller.organization)
    faults = (*reading.faults, *unless_below(rules, reading.faults))
    if faults:
        raise Invalid(faults)
    person = reading.body.person(organization_id, PersonId(_oid(request)))
    try:
        stored = await request.service.people.put(person, etag)
    except ETagMismatch as stale:
        raise PreconditionFailed(stale.etag or "") from stale
    return _response(stored, status=200 if before else 201)


@operation("DELETE", ONE, returns={204: None}, errors=(403, 404, 409, 412, 428), headers=("If-Match",))
async def delete_person(request: Request) -> Response:
    """Take a person out of the directory; `If-Match` is mandatory. 204."""
    organization_id = _require_keeper(request)
    before = await _stored(request)
    require_version(request, before.etag, "person")
    try:
        await request.service.people.remove(organization_id, before.person.id, before.etag)
    except ETagMismatch as stale:
        raise PreconditionFailed(stale.etag or "") from stale
    return Response(status=204)


def _require_keeper(request: Request) -> OrganizationId:
    """The caller's own organization, if the caller keeps its people; another one reads like an unknown id (V5)."""
    organization_id = request.caller.organization.id
    if request.in_route("id") != organization_id:
        raise NotFound("There is no such organization.")
    if not may_manage_people(request.caller):
        raise Forbidden("Your organization's partner admins keep its directory of people.")
    return organization_id


def _oid(request: Request) -> str:
    oid: str = request.in_route("oid")
    if not oid.isprintable() or len(oid) > _LONGEST_ID:
        raise NotFound("There is no such person.")
    return oid


async def _stored(request: Request) -> StoredPerson:
    found = await request.service.people.get(request.caller.organization.id, _oid(request))
    if found is None:
        raise NotFound("There is no such person.")
    return found


def _response(stored: StoredPerson, status: int = 200) -> Response:
    return Response(status=status, body=_view(stored), headers={"ETag": stored.etag})


def _view(stored: StoredPerson) -> PersonView:
    person = stored.person
    return PersonView(
        oid=person.id,
        organization_id=person.organization_id,
        email=person.email,
        first_name=person.first_name,
        last_name=person.last_name,
        phone_number=person.phone_number,
        title=person.title,
        roles=sorted(person.roles),
        global_=person.everywhere,
        locations=sorted(person.locations),
        locale=person.locale,
        disable_notifications=person.disable_notifications,
        e_tag=stored.etag,
    )
