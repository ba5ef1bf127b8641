"""Response models of the parts that several resources have in common (docs/api.md)."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator

from api.http.schemas import View
from shared.domain.deal_warnings import DealWarning
from shared.domain.referral import Contact
from shared.domain.vocabulary import WarningCode


def json_number(value: object) -> object:
    """A decimal as a JSON number; other values stay. Up to 999,999,999,999.99 a double is exact to the cent."""
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)


Amount = Annotated[int | float | None, BeforeValidator(json_number)]


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


class WarningView(View):
    """A warning; `target` is the JSON Pointer of the field that it is about."""

    code: WarningCode
    target: str | None


class FieldErrorView(View):
    """A correction that a field of a registration needs; `target` is its JSON Pointer."""

    target: str
    message: str


def team_view(team: Iterable[Contact]) -> list[ContactView]:
    """Contacts with their mail preferences. Fields that a customer's contact lacks are null."""
    return [
        ContactView(
            first_name=person.first_name or None,
            last_name=person.last_name or None,
            phone_number=person.phone_number or None,
            email=person.email or None,
            title=person.title,
            contact_preference=ContactPreferenceView.from_domain(person),
        )
        for person in team
    ]


def warning_views(warnings: Iterable[DealWarning]) -> list[WarningView]:
    """The warnings of a response."""
    return [WarningView.from_domain(each) for each in warnings]
