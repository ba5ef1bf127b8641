"""Manage the locations of a partner: `/v1.0/organizations/{id}/locations` (P5, V6)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from api.directory.organizations import ORGANIZATION_ROUTE, require_own, require_reader
from api.http.body import Body, Required, read
from api.http.etags import require_version
from api.http.fields import Code, Country, Flag, Name
from api.http.operation import IF_MATCH, operation
from api.http.problems import Forbidden, NotFound, PreconditionFailed
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from shared.domain.directory import Location, Organization
from shared.domain.ids import LocationId, OrganizationId, digest
from shared.domain.permissions import may_keep_locations
from shared.domain.refusals import Fault, NotAllowed
from shared.storage.list_ranges import range_of_location
from shared.storage.members import ETagMismatch
from shared.storage.referral_lists import MAX_PAGE_ROWS

LOCATIONS_ROUTE = f"{ORGANIZATION_ROUTE}/locations"
LOCATION_ROUTE = f"{LOCATIONS_ROUTE}/{{location}}"
MAX_LOCATIONS = 500
MAX_NAMED = 5


class LocationView(View):
    id: str
    name: str
    country: str
    is_default: bool
    e_tag: Annotated[str, Field(alias="eTag")]


class LocationsView(View):
    value: list[LocationView]


class LocationBody(Body):
    """`PUT …/locations/{location}`."""

    response: ClassVar[type[BaseModel]] = LocationView
    name: Annotated[Name | None, Required()] = None
    country: Annotated[Country | None, Required()] = None
    is_default: Flag | None = None

    def faults(self, organization: Organization, location_id: LocationId) -> tuple[Fault, ...]:
        """There is always a default once there was one; and the number of locations is limited."""
        if self.is_default is False and organization.default_location == location_id:
            message = "This is the default location: make another one the default instead."
            return (Fault("notAllowed", "/isDefault", message),)
        if organization.location(location_id) is None and len(organization.locations) >= MAX_LOCATIONS:
            message = f"An organization has at most {MAX_LOCATIONS} locations: delete one first."
            return (Fault("notAllowed", "/name", message),)
        return ()

    def location(self, location_id: LocationId) -> Location:
        """The location; only valid for a body without faults."""
        return Location(id=location_id, name=self.name or "", country=self.country or "")


@operation("GET", LOCATIONS_ROUTE, returns=LocationsView)
async def list_locations(request: Request) -> Response:
    """List the locations of an organization, in the order of the directory."""
    found = await request.service.locations.organization(require_reader(request))
    return Response(body=LocationsView(value=[_view(found, each) for each in found.locations]))


@operation("GET", LOCATION_ROUTE, returns=LocationView)
async def get_location(request: Request) -> Response:
    """Get a location, with its ETag."""
    found = await request.service.locations.organization(require_reader(request))
    return _response(found, _existing(found, _id(request)))


@operation(
    "PUT",
    LOCATION_ROUTE,
    body=LocationBody,
    returns={200: LocationView, 201: LocationView},
    errors=(409, 428),
    headers=IF_MATCH,
)
async def put_location(request: Request) -> Response:
    """Create or replace a location, for the partner admins.

    Its id is unique among all organizations. To replace a location, `If-Match` is mandatory. Its country stays while
    a business profile names the location. `isDefault: true` makes it the one of deals that name none.
    """
    organization_id, location_id = _require_keeper(request), _id(request)
    parsed = read(LocationBody, request.body)
    before = await request.service.locations.organization(organization_id)
    current = before.location(location_id)
    etag = _etag(before, current) if current else None
    require_version(request, etag, "location")
    parsed.require_valid(parsed.body.faults(before, location_id))
    location = parsed.body.location(location_id)
    if current and current.country != location.country:
        await _require_no_profile(request, before, location_id, "move to another country")

    def put(organization: Organization) -> Organization:
        _require_etag(organization, location_id, etag)
        default = location_id if parsed.body.is_default else organization.default_location
        return replace(
            organization, locations=_with(organization.locations, location), default_location=default
        )

    after = await _change(request, organization_id, put)
    return _response(after, location, status=200 if current else 201)


@operation("DELETE", LOCATION_ROUTE, returns={204: None}, errors=(409, 428), headers=IF_MATCH)
async def delete_location(request: Request) -> Response:
    """Delete a location that nothing uses, for the partner admins; `If-Match` is mandatory.

    409 while it is the default, while it is in a business profile, in the scope of a person or an application, or
    while one of its referrals is open.
    """
    organization_id, location_id = _require_keeper(request), _id(request)
    before = await request.service.locations.organization(organization_id)
    etag = _etag(before, _existing(before, location_id))
    require_version(request, etag, "location")
    await _require_no_profile(request, before, location_id, "go")
    await _require_in_no_scope(request, organization_id, location_id)
    await _require_no_open_referral(request, organization_id, location_id)

    def delete(organization: Organization) -> Organization:
        _require_etag(organization, location_id, etag)
        if organization.default_location == location_id:
            raise NotAllowed("This is the default location: make another one the default first.")
        others = tuple(each for each in organization.locations if each.id != location_id)
        return replace(organization, locations=others)

    await _change(request, organization_id, delete)
    return Response(status=204)


def _require_keeper(request: Request) -> OrganizationId:
    organization_id = require_own(request)
    if not may_keep_locations(request.caller):
        raise Forbidden("Only your organization's partner admins can change its locations.")
    return organization_id


def _id(request: Request) -> LocationId:
    try:
        return LocationId(TypeAdapter(Code).validate_python(request.route_param("location")))
    except ValidationError as impossible:
        raise NotFound("There is no such location.") from impossible


def _existing(organization: Organization, location_id: LocationId) -> Location:
    found = organization.location(location_id)
    if found is None:
        raise NotFound("There is no such location.")
    return found


async def _change(
    request: Request, organization_id: OrganizationId, decide: Callable[[Organization], Organization]
) -> Organization:
    try:
        return await request.service.locations.change(organization_id, decide)
    except ETagMismatch as stale:
        raise PreconditionFailed(stale.etag or "") from stale


def _require_etag(organization: Organization, location_id: LocationId, etag: str | None) -> None:
    """Raise `ETagMismatch` if the location has changed since the request read it."""
    stored = organization.location(location_id)
    current = _etag(organization, stored) if stored else None
    if current != etag:
        raise ETagMismatch(current)


def _with(locations: tuple[Location, ...], location: Location) -> tuple[Location, ...]:
    """Locations with one of them replaced, or with another one at the end."""
    if all(each.id != location.id for each in locations):
        return (*locations, location)
    return tuple(location if each.id == location.id else each for each in locations)


async def _require_no_profile(
    request: Request, organization: Organization, location_id: LocationId, what: str
) -> None:
    countries = {each.country for each in organization.locations}
    found = await request.service.profiles.get_many((organization.id, country) for country in countries)
    naming = sorted(
        profile.country for profile in found.values() if any(p.id == location_id for p in profile.locations)
    )
    if naming:
        raise NotAllowed(
            f"The business profile of {', '.join(naming)} names this location: take it out of there, and it can "
            f"{what}."
        )


async def _require_in_no_scope(
    request: Request, organization_id: OrganizationId, location_id: LocationId
) -> None:
    people = await request.service.people.all(organization_id)
    applications = await request.service.applications.all(organization_id)
    holders = sorted(
        [each.person.name for each in people if location_id in each.person.locations]
        + [each.application.name for each in applications if location_id in each.application.locations]
    )
    if holders:
        raise NotAllowed(
            f"This location is in the scope of {_some(holders)}: give them other locations, and it can go."
        )


async def _require_no_open_referral(
    request: Request, organization_id: OrganizationId, location_id: LocationId
) -> None:
    """All referrals of the location are read, a page of storage at a time, until one is open."""
    place: str | None = None
    while True:
        scan = request.service.referrals.scan(organization_id, range_of_location(location_id), after=place)
        async for referral in scan.records(MAX_PAGE_ROWS):
            if not referral.is_closed and referral.location == location_id:
                raise NotAllowed("A referral of this location is open: close it, and the location can go.")
        if scan.complete:
            return
        place = scan.place


def _some(names: Sequence[str]) -> str:
    """The first few of many names."""
    rest = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _etag(organization: Organization, location: Location) -> str:
    is_default = str(organization.default_location == location.id)
    return f'"{digest(location.id, location.name, location.country, is_default)[:16]}"'


def _response(organization: Organization, location: Location, status: int = 200) -> Response:
    view = _view(organization, location)
    return Response(status=status, body=view, headers={"ETag": view.e_tag})


def _view(organization: Organization, location: Location) -> LocationView:
    return LocationView.from_domain(
        location,
        is_default=organization.default_location == location.id,
        e_tag=_etag(organization, location),
    )
