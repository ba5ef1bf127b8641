"""Manage a partner's business profiles: `/v1.0/organizations/{id}/profiles/{country}` (P1, V6)."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from api.directory.organizations import ORGANIZATION_ROUTE, require_configurer, require_reader
from api.http.body import Body, Required, read
from api.http.etags import etag_of, require_version
from api.http.fields import Code, Country, Email, Flag, Locale, Name, Phone
from api.http.operation import IF_MATCH, operation
from api.http.problems import NotFound, PreconditionFailed
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from shared.domain.directory import MAX_PROFILE_CONTACTS, Organization, Profile, ProfileLocation
from shared.domain.ids import LocationId, OrganizationId
from shared.domain.referral import Contact
from shared.domain.refusals import Fault
from shared.domain.vocabulary import CustomerSize
from shared.errors import StoreConflict

PROFILES_ROUTE = f"{ORGANIZATION_ROUTE}/profiles"
PROFILE_ROUTE = f"{PROFILES_ROUTE}/{{country}}"

MAX_LOCATIONS = 5
MAX_KEYWORDS = 50

Languages = Annotated[tuple[Locale, ...], Field(max_length=MAX_KEYWORDS)]
Keywords = Annotated[tuple[Code, ...], Field(max_length=MAX_KEYWORDS)]


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


class ProfileContactBody(Body):
    """A person who is notified of new referrals of a location."""

    first_name: Annotated[Name | None, Required()] = None
    last_name: Annotated[Name | None, Required()] = None
    email: Annotated[Email | None, Required()] = None
    phone_number: Annotated[Phone | None, Required()] = None
    locale: Locale | None = None


class ProfileLocationBody(Body):
    id: Annotated[Code | None, Required()] = None
    name: Name | None = None
    contacts: Annotated[tuple[ProfileContactBody, ...] | None, Field(max_length=MAX_PROFILE_CONTACTS)] = None
    languages: Languages | None = None
    industries: Keywords | None = None
    products: Keywords | None = None
    services: Keywords | None = None
    keywords: Keywords | None = None
    customer_sizes: Annotated[tuple[CustomerSize, ...] | None, Field(max_length=20)] = None


class ProfileBody(Body):
    """`PUT …/profiles/{country}`."""

    response: ClassVar[type[BaseModel]] = ProfileView
    active: Annotated[Flag | None, Required()] = None
    locations: Annotated[tuple[ProfileLocationBody, ...] | None, Field(max_length=MAX_LOCATIONS)] = None

    def faults(self, organization: Organization, country: str) -> tuple[Fault, ...]:
        """Locations must be the organization's own, in this country, each once; only an inactive profile has none."""
        if not self.locations and (self.active or self.locations is None):
            return (Fault("required", "/locations", "Name a location, or send [] in an inactive profile."),)
        allowed = [place.id for place in organization.locations if place.country == country]
        found: list[Fault] = []
        used: list[str | None] = []
        for index, place in enumerate(self.locations or ()):
            at = f"/locations/{index}/id"
            if place.id and place.id not in allowed:
                locations = ", ".join(allowed) or "it has none there"
                message = f"Use a location of your organization in {country}: {locations}."
                found.append(Fault("notInCatalogue", at, message))
            elif place.id and place.id in used:
                found.append(Fault("invalidValue", at, "This location is in the profile already."))
            used.append(place.id)
        return tuple(found)

    def profile(self, organization: Organization, country: str, version: int) -> Profile:
        """The profile; only valid for a body without faults. The default name of a location is the directory's."""
        return Profile(
            organization_id=organization.id,
            country=country,
            active=bool(self.active),
            locations=tuple(_location(each, organization) for each in self.locations or ()),
            version=version,
        )


@operation("GET", PROFILES_ROUTE, returns=ProfilesView)
async def list_profiles(request: Request) -> Response:
    """List the business profiles of an organization, by country."""
    organization_id = require_reader(request)
    places = request.caller.organization.locations
    wanted = [(organization_id, place.country) for place in places]
    found = await request.service.profiles.get_many(wanted)
    return Response(body=ProfilesView(value=[_view(found[key]) for key in sorted(found)]))


@operation("GET", PROFILE_ROUTE, returns=ProfileView)
async def get_profile(request: Request) -> Response:
    """Get the business profile of an organization in a country, with its ETag."""
    found = await request.service.profiles.get(require_reader(request), _country(request))
    if found is None:
        raise NotFound("Your organization has no profile in this country.")
    return _response(found)


@operation(
    "PUT",
    PROFILE_ROUTE,
    body=ProfileBody,
    returns={200: ProfileView, 201: ProfileView},
    errors=(428,),
    headers=IF_MATCH,
)
async def put_profile(request: Request) -> Response:
    """Create or replace the business profile in a country.

    To replace a profile, `If-Match` is mandatory.
    """
    organization_id, country = require_configurer(request, "the business profiles"), _country(request)
    parsed = read(ProfileBody, request.body)
    before = await request.service.profiles.get(organization_id, country)
    version = before.version if before else 0
    require_version(request, etag_of(version) if before else None, "profile")
    parsed.require_valid(parsed.body.faults(request.caller.organization, country))
    after = parsed.body.profile(request.caller.organization, country, version + 1)
    try:
        await request.service.profiles.put(after)
    except StoreConflict as changed:
        raise PreconditionFailed(await _current_etag(request, organization_id, country)) from changed
    return _response(after, status=200 if before else 201)


async def _current_etag(request: Request, organization_id: OrganizationId, country: str) -> str:
    current = await request.service.profiles.get(organization_id, country)
    return etag_of(current.version) if current else ""


def _country(request: Request) -> str:
    code: str = request.route_param("country").upper()
    try:
        return TypeAdapter(Country).validate_python(code)
    except ValidationError as unknown:
        raise NotFound("There is no such country: use an ISO 3166-1 country code, such as US.") from unknown


def _location(body: ProfileLocationBody, organization: Organization) -> ProfileLocation:
    own = organization.location(body.id)
    return ProfileLocation(
        id=LocationId(body.id or ""),
        name=body.name or (own.name if own else ""),
        contacts=tuple(Contact(**contact.model_dump()) for contact in body.contacts or ()),
        **body.model_dump(exclude={"id", "name", "contacts"}, exclude_none=True),
    )


def _response(profile: Profile, status: int = 200) -> Response:
    return Response(status=status, body=_view(profile), headers={"ETag": etag_of(profile.version)})


def _view(profile: Profile) -> ProfileView:
    return ProfileView.from_domain(profile, e_tag=etag_of(profile.version))
