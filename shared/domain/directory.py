"""What the directory knows: organizations, people, solutions, customers (rules V7, P1, T6)."""

from dataclasses import astuple, dataclass
from unicodedata import normalize

from shared.domain.ids import LocationId, OrganizationId, PersonId, digest
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

    `review_lead` is the address of who leads Microsoft's deal reviews.
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
        """The organization's location of this id, if it has one."""
        return next((location for location in self.locations if location.id == location_id), None)

    def nearest_location(self, country: str) -> Location | None:
        """The location that an invitation about a customer in `country` goes to: one there, else the first."""
        there = [location for location in self.locations if location.country == country]
        return next(iter([*there, *self.locations]), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person of an organization: what it may do, where, and how it wants its mail (V7)."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileLocation:
    """A location in a business profile: who is told of what arrives there, and what it is good at (P1)."""

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
        """The contacts of the addressed location."""
        return next((place.contacts for place in self.locations if place.id == location_id), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueSolution:
    """A solution of the catalogue; whose it is decides its kind (T6)."""

    id: str
    name: str
    owner: OrganizationId
    assessment: bool = False
    co_sell_ready: bool = False
    incentives: tuple[str, ...] = ()

    @property
    def can_be_chosen(self) -> bool:
        """Whether a deal can name it: a partner's must be co-sell ready (T6)."""
        return self.assessment or self.owner == MICROSOFT or self.co_sell_ready


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerEntity:
    """A company of the customer directory."""

    name: str
    address: Address
    size: CustomerSize | None = None
    ids: tuple[ProfileId, ...] = ()

    @property
    def duns(self) -> str | None:
        """The D-U-N-S number, nine digits."""
        return next((number.id for number in self.ids if number.profile_type == "Duns"), None)

    @property
    def identity(self) -> str:
        """What tells it apart: its D-U-N-S number; without one a digest of its name, address and other numbers."""
        address = (str(part or "") for part in astuple(self.address))
        numbers = (part for number in self.ids for part in (number.profile_type, number.id))
        return self.duns or digest(normalized_name(self.name), *address, *numbers)


def normalized_name(name: str) -> str:
    """A name as it is compared (C7): case, runs of spaces and how a character is composed do not matter.

    What ends with a whole character and starts a name, so normalized, starts the normalized name.
    """
    return " ".join(normalize("NFC", name.casefold()).split())
