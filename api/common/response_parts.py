"""Parts of answers that several resources show (docs/api.md)."""

from collections.abc import Iterable
from decimal import Decimal

from api.http.schemas import View
from shared.domain.referral import Address, Contact
from shared.domain.registration import FieldError


class ContactPreferenceView(View):
    locale: str | None
    disable_notifications: bool


class ContactView(View):
    first_name: str | None
    last_name: str | None
    phone_number: str | None
    email: str | None
    title: str | None
    contact_preference: ContactPreferenceView


class AddressView(View):
    address_line1: str | None
    address_line2: str | None
    city: str | None
    state: str | None
    postal_code: str | None
    country: str
    region: str | None


class ProfileIdView(View):
    profile_type: str
    id: str


class LocationFound(View):
    id: str
    name: str
    country: str


class FieldErrorView(View):
    """What is wrong with a field of a registration; `target` is a JSON Pointer."""

    target: str
    message: str


def amount(value: Decimal | None) -> int | float | None:
    """An amount as a JSON number, if there is one. Up to 999,999,999,999.99 a double holds every cent."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def field_errors(errors: Iterable[FieldError]) -> list[FieldErrorView]:
    """What is wrong with which fields of a registration."""
    return [FieldErrorView(target=each.target, message=each.message) for each in errors]


def address(place: Address) -> AddressView:
    """A postal address."""
    return AddressView(
        address_line1=place.address_line1,
        address_line2=place.address_line2,
        city=place.city,
        state=place.state,
        postal_code=place.postal_code,
        country=place.country,
        region=place.region,
    )


def contact(person: Contact) -> ContactView:
    """A contact with its mail preference; what a customer's contact lacks is null."""
    return ContactView(
        first_name=person.first_name or None,
        last_name=person.last_name or None,
        phone_number=person.phone_number or None,
        email=person.email or None,
        title=person.title,
        contact_preference=ContactPreferenceView(
            locale=person.locale, disable_notifications=person.disable_notifications
        ),
    )
