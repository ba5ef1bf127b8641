"""The directory: organizations, people, applications, profiles, solutions and customers (rules V7, P1, T6)."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import TypeAlias
from unicodedata import normalize

from shared.domain.ids import ApplicationId, LocationId, OrganizationId, PersonId, digest
from shared.domain.referral import Address, Contact, ProfileId
from shared.domain.vocabulary import MICROSOFT, CustomerSize, OrganizationKind, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place of business of an organization; `country` is ISO 3166-1 alpha-2."""

    id: LocationId
    name: str
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """Microsoft, a partner company, or an application.

    `review_lead` is the email address of the lead of Microsoft's deal review team.
    """

    id: OrganizationId
    name: str
    kind: OrganizationKind
    transacting: bool = False
    vetted_for_assessments: bool = False
    default_location: LocationId | None = None
    locations: tuple[Location, ...] = ()
    review_lead: str | None = None

    def location(self, location_id: str | None) -> Location | None:
        """The location with this id, or None."""
        return next((location for location in self.locations if location.id == location_id), None)

    def nearest_location(self, country: str) -> Location | None:
        """The location for a customer in `country` (ISO 3166-1 alpha-2): one in that country, else the first."""
        in_country = [location for location in self.locations if location.country == country]
        return next(iter([*in_country, *self.locations]), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person of an organization: roles, the locations they apply to, and mail preferences (V7)."""

    id: PersonId
    organization_id: OrganizationId
    email: str
    first_name: str
    last_name: str
    roles: frozenset[Role]
    everywhere: bool = False
    locations: frozenset[LocationId] = frozenset()
    locale: str = "en-US"
    disable_notifications: bool = False
    phone_number: str | None = None
    title: str | None = None

    @property
    def name(self) -> str:
        """First and last name, as timelines show them."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def contact(self) -> Contact:
        """The person as a member of a team; the phone number is empty if the directory has none."""
        return Contact(
            first_name=self.first_name,
            last_name=self.last_name,
            phone_number=self.phone_number or "",
            email=self.email,
            title=self.title,
            locale=self.locale,
            disable_notifications=self.disable_notifications,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A program of an organization that calls with a token of its own: roles, and the locations they apply to (V7).

    It has no address: it gets no mail, is nobody's contact and on no team. From `expires_at` (UTC) it may do nothing.
    """

    id: ApplicationId
    organization_id: OrganizationId
    name: str
    roles: frozenset[Role]
    expires_at: datetime
    everywhere: bool = False
    locations: frozenset[LocationId] = frozenset()


Member: TypeAlias = Person | Application
"""Who can call: both have an id, an organization, a name, roles and the locations that the roles apply to."""


MAX_PROFILE_CONTACTS = 10
"""The most contacts of a location of a business profile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileLocation:
    """A location of a business profile: the contacts to notify, and what it offers (P1)."""

    id: LocationId
    name: str
    contacts: tuple[Contact, ...] = ()
    languages: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    customer_sizes: tuple[CustomerSize, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """An organization's business profile in one country. `version` counts its changes."""

    organization_id: OrganizationId
    country: str
    active: bool
    locations: tuple[ProfileLocation, ...] = ()
    version: int = 1

    def contacts_of(self, location_id: str | None) -> tuple[Contact, ...]:
        """The contacts of a location, empty if the profile does not have it."""
        return next((location.contacts for location in self.locations if location.id == location_id), ())


Profiles: TypeAlias = Mapping[tuple[str, str], Profile]
"""Business profiles, by organization id and country."""


def contacts_to_ask(location: Location | None, profile: Profile | None) -> tuple[Contact, ...]:
    """Whom an invitation or a lead to a location is sent to: its contacts in the profile of its country (M1).

    Empty if the profile does not exist, is not active or has no contacts there. A profile that was stored before
    their number was limited counts with its first `MAX_PROFILE_CONTACTS`.
    """
    if location is None or profile is None or not profile.active:
        return ()
    return profile.contacts_of(location.id)[:MAX_PROFILE_CONTACTS]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueSolution:
    """A solution of the catalogue; its owner decides its kind (T6)."""

    id: str
    name: str
    owner: OrganizationId
    assessment: bool = False
    co_sell_ready: bool = False
    incentives: tuple[str, ...] = ()

    @property
    def can_be_chosen(self) -> bool:
        """Whether a deal can include it: a partner's solution must be co-sell ready (T6)."""
        return self.assessment or self.owner == MICROSOFT or self.co_sell_ready

    def is_co_sell_ready_of(self, organization_id: OrganizationId) -> bool:
        """Whether this is a co-sell-ready solution of an organization's own; assessments are nobody's (T3)."""
        return self.owner == organization_id and self.co_sell_ready and not self.assessment


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerEntity:
    """A company of the customer directory."""

    name: str
    address: Address
    size: CustomerSize | None = None
    ids: tuple[ProfileId, ...] = ()

    @property
    def duns(self) -> str | None:
        """The D-U-N-S number (nine digits), or None."""
        return next((number.id for number in self.ids if number.profile_type == "Duns"), None)

    @property
    def identity(self) -> str:
        """A unique key: the D-U-N-S number, or else a digest of name, address and other identifiers."""
        address = (str(part or "") for part in astuple(self.address))
        numbers = (part for number in self.ids for part in (number.profile_type, number.id))
        return self.duns or digest(normalized_name(self.name), *address, *numbers)


def normalized_name(name: str) -> str:
    """A name in the form in which names are compared (C7): NFC, case-folded, single spaces.

    The normalized form of a prefix (of whole characters) is a prefix of the normalized name.
    """
    return " ".join(normalize("NFC", name.casefold()).split())
