"""`/v1.0/organizations/{id}/profiles/{country}`: where and how a partner wants to be found (P1, V6)."""

from typing import Annotated, ClassVar

from pydantic import Field, TypeAdapter, ValidationError

from api.directory.organizations import require_configurer, require_reader
from api.http.body import Body, Required, read, unless_below
from api.http.etags import etag_of, require_version
from api.http.fields import Code, Country, Email, Flag, Locale, Name, Phone
from api.http.operation import SEEING, operation
from api.http.problems import NotFound, PreconditionFailed
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from shared.domain.directory import Organization, Profile, ProfileLocation
from shared.domain.ids import LocationId, OrganizationId
from shared.domain.referral import Contact
from shared.domain.refusals import Fault, Invalid
from shared.domain.vocabulary import CustomerSize
from shared.errors import StoreConflict

ALL = "v1.0/organizations/{id}/profiles"
ONE = f"{ALL}/{{country}}"

MOST_LOCATIONS = 5
MOST_CONTACTS = 10
MOST_WORDS = 50

Languages = Annotated[tuple[Locale, ...], Field(max_length=MOST_WORDS)]
Keywords = Annotated[tuple[Code, ...], Field(max_length=MOST_WORDS)]


class ProfileContactBody(Body):
    """Somebody who is told of what arrives at a location."""

    first_name: Annotated[Name | None, Required()] = None
    last_name: Annotated[Name | None, Required()] = None
    email: Annotated[Email | None, Required()] = None
    phone_number: Annotated[Phone | None, Required()] = None
    locale: Locale | None = None


class ProfileLocationBody(Body):
    id: Annotated[Code | None, Required()] = None
    name: Name | None = None
    contacts: Annotated[tuple[ProfileContactBody, ...] | None, Field(max_length=MOST_CONTACTS)] = None
    languages: Languages | None = None
    industries: Keywords | None = None
    products: Keywords | None = None
    services: Keywords | None = None
    keywords: Keywords | None = None
    customer_sizes: Annotated[tuple[CustomerSize, ...] | None, Field(max_length=20)] = None


class ProfileBody(Body):
    """`PUT …/profiles/{country}`."""

    ignored: ClassVar[frozenset[str]] = frozenset({"organizationId", "country", "eTag"})
    active: Annotated[Flag | None, Required()] = None
    locations: Annotated[
        tuple[ProfileLocationBody, ...] | None, Field(max_length=MOST_LOCATIONS), Required()
    ] = None

    def faults(self, organization: Organization, country: str) -> tuple[Fault, ...]:
        """A profile's locations are the organization's own, in this country, each once."""
        there = [place.id for place in organization.locations if place.country == country]
        known = ", ".join(there) or "it has none there"
        found: list[Fault] = []
        named: list[str | None] = []
        for index, place in enumerate(self.locations or ()):
            at = f"/locations/{index}/id"
            if place.id and place.id not in there:
                message = f"Name a location of your organization in {country}: {known}."
                found.append(Fault("notInCatalogue", at, message))
            elif place.id and place.id in named:
                found.append(Fault("invalidValue", at, "This location is in the profile already."))
            named.append(place.id)
        return tuple(found)

    def profile(self, organization: Organization, country: str, version: int) -> Profile:
        """The profile; to be asked of a body without faults. A location's own name is its default."""
        return Profile(
            organization_id=organization.id,
            country=country,
            active=bool(self.active),
            locations=tuple(_location(each, organization) for each in self.locations or ()),
            version=version,
        )


class ProfileContactView(View):
    first_name: str
    last_name: str
    email: str
    phone_number: str
    locale: str | None


class ProfileLocationView(View):
    id: str
    name: str
    contacts: list[ProfileContactView]
    languages: list[str]
    industries: list[str]
    products: list[str]
    services: list[str]
    keywords: list[str]
    customer_sizes: list[CustomerSize]


class ProfileView(View):
    organization_id: str
    country: str
    active: bool
    locations: list[ProfileLocationView]
    e_tag: Annotated[str, Field(alias="eTag")]


class ProfilesView(View):
    value: list[ProfileView]


@operation("GET", ALL, returns=ProfilesView, errors=SEEING)
async def list_profiles(request: Request) -> Response:
    """The profiles of the organization, by country."""
    organization_id = require_reader(request)
    places = request.caller.organization.locations
    wanted = [(organization_id, place.country) for place in places]
    found = await request.service.profiles.get_many(wanted)
    return Response(body=ProfilesView(value=[_view(found[key]) for key in sorted(found)]))


@operation("GET", ONE, returns=ProfileView, errors=SEEING)
async def get_profile(request: Request) -> Response:
    """The profile in a country, with its ETag."""
    found = await request.service.profiles.get(require_reader(request), _country(request))
    if found is None:
        raise NotFound("Your organization has no profile in this country.")
    return _response(found)


@operation(
    "PUT",
    ONE,
    body=ProfileBody,
    returns={200: ProfileView, 201: ProfileView},
    errors=(400, 403, 404, 412, 413, 415, 422, 428),
    headers=("If-Match",),
)
async def put_profile(request: Request) -> Response:
    """Enter a profile (201), or replace the one that `If-Match` names (200)."""
    organization_id, country = require_configurer(request, "the business profiles"), _country(request)
    before = await request.service.profiles.get(organization_id, country)
    version = before.version if before else 0
    require_version(request, etag_of(version) if before else None, "profile")
    reading = read(ProfileBody, request.body)
    rules = reading.body.faults(request.caller.organization, country)
    faults = (*reading.faults, *unless_below(rules, reading.faults))
    if faults:
        raise Invalid(faults)
    after = reading.body.profile(request.caller.organization, country, version + 1)
    try:
        await request.service.profiles.put(after)
    except StoreConflict as changed:
        raise PreconditionFailed(await _tag(request, organization_id, country)) from changed
    return _response(after, status=200 if before else 201)


async def _tag(request: Request, organization_id: OrganizationId, country: str) -> str:
    present = await request.service.profiles.get(organization_id, country)
    return etag_of(present.version) if present else ""


def _country(request: Request) -> str:
    code: str = request.in_route("country").upper()
    try:
        return TypeAdapter(Country).validate_python(code)
    except ValidationError as unknown:
        raise NotFound("There is no such country: use an ISO 3166-1 country code, such as US.") from unknown


def _location(body: ProfileLocationBody, organization: Organization) -> ProfileLocation:
    own = organization.location(body.id)
    return ProfileLocation(
        id=LocationId(body.id or ""),
        name=body.name or (own.name if own else ""),
        contacts=tuple(_contact(each) for each in body.contacts or ()),
        languages=body.languages or (),
        industries=body.industries or (),
        products=body.products or (),
        services=body.services or (),
        keywords=body.keywords or (),
        customer_sizes=body.customer_sizes or (),
    )


def _contact(body: ProfileContactBody) -> Contact:
    return Contact(
        first_name=body.first_name or "",
        last_name=body.last_name or "",
        email=body.email or "",
        phone_number=body.phone_number or "",
        locale=body.locale,
    )


def _response(profile: Profile, status: int = 200) -> Response:
    return Response(status=status, body=_view(profile), headers={"ETag": etag_of(profile.version)})


def _view(profile: Profile) -> ProfileView:
    return ProfileView(
        organization_id=profile.organization_id,
        country=profile.country,
        active=profile.active,
        locations=[_location_view(place) for place in profile.locations],
        e_tag=etag_of(profile.version),
    )


def _location_view(place: ProfileLocation) -> ProfileLocationView:
    return ProfileLocationView(
        id=place.id,
        name=place.name,
        contacts=[
            ProfileContactView(
                first_name=each.first_name,
                last_name=each.last_name,
                email=each.email,
                phone_number=each.phone_number,
                locale=each.locale,
            )
            for each in place.contacts
        ],
        languages=list(place.languages),
        industries=list(place.industries),
        products=list(place.products),
        services=list(place.services),
        keywords=list(place.keywords),
        customer_sizes=list(place.customer_sizes),
    )
