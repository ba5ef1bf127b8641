"""Types of the fields of request bodies: lengths, formats and code lists, for parsing and for OpenAPI (C6)."""

import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any

import pycountry
from babel.numbers import get_currency_precision
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from shared.domain.vocabulary import NO_HELP
from shared.visible_text import has_something_to_see, mixes_scripts

_PHONE_SEPARATORS = re.compile(r"[\s().\-/]")
_PHONE = re.compile(r"\+?\d{7,15}")
_NUMBER = re.compile(r"[-+]?[\d.]+")
_LOCALE = re.compile("[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
NUMBER_HINT, TIME_HINT = "Use a number with a decimal point", "Use text such as 2027-03-31T00:00:00Z"


def _readable(*, allowed: set[str]) -> AfterValidator:
    """Text without control characters but the allowed ones, of which something is to be seen."""

    def check(text: str) -> str:
        if any(unicodedata.category(c) == "Cc" and c not in allowed for c in text):
            raise PydanticCustomError("invalidFormat", "Remove the control characters.")
        if not has_something_to_see(text):
            raise PydanticCustomError("invalidFormat", "Use characters that can be seen: none of these can.")
        return text

    return AfterValidator(check)


def text(max_length: int) -> StringConstraints:
    """Text of limited length, without surrounding white space, and not empty."""
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=max_length)


one_line = _readable(allowed=set())
many_lines = _readable(allowed={"\n", "\r", "\t"})
Name = Annotated[str, text(255), one_line]
Code = Annotated[str, text(100), one_line]
Notes = Annotated[str, text(8000), many_lines]


def _phone(text: str) -> str:
    if not _PHONE.fullmatch(_PHONE_SEPARATORS.sub("", text)):
        raise PydanticCustomError("invalidFormat", "Use 7 to 15 digits, such as +1 206 555 0100.")
    return text


def _email(text: str) -> str:
    """An address in its normal form.

    Its domain, decoded if it was sent as `xn--…`, has letters of one writing system in each label: with one Cyrillic
    letter, another domain would look like a partner's own.
    """
    try:
        address = validate_email(text, check_deliverability=False)
    except EmailNotValidError as invalid:
        raise PydanticCustomError("invalidFormat", "Use an address such as name@example.com.") from invalid
    if any(mixes_scripts(label) for label in address.domain.split(".")):
        raise PydanticCustomError("invalidFormat", "Use letters of one alphabet in each part of the domain.")
    return address.normalized


def _country(code: str) -> str:
    if not re.fullmatch("[A-Z]{2}", code) or pycountry.countries.get(alpha_2=code) is None:
        raise PydanticCustomError("notInCatalogue", "Use an ISO 3166-1 country code, such as US.")
    return code


def _currency(code: str) -> str:
    """Check the form alone; that the currency exists is a rule about the amount."""
    if not re.fullmatch("[A-Z]{3}", code):
        raise PydanticCustomError("invalidFormat", "Use an ISO 4217 currency code, such as USD.")
    return code


def _locale(tag: str) -> str:
    if not _LOCALE.fullmatch(tag):
        raise PydanticCustomError("invalidFormat", "Use a language tag such as en-US.")
    return tag


def _iso_text(value: object) -> object:
    """Refuse numbers, even as text: Pydantic would read them as times, but the API takes ISO 8601 only."""
    if not isinstance(value, str) or _NUMBER.fullmatch(value.strip()):
        raise PydanticCustomError("invalidType", TIME_HINT)
    return value


def _utc(time: datetime) -> datetime:
    try:
        return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
    except OverflowError as overflow:
        raise PydanticCustomError("outOfRange", "Use a date in the years 1 to 9999.") from overflow


def _with_offset(time: datetime) -> datetime:
    _utc(time)
    return time.replace(tzinfo=time.tzinfo or UTC)


def _not_bool(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("invalidType", NUMBER_HINT)
    return value


def _empty_object_as_list(value: object) -> object:
    """Some clients send `{}` for an empty list of ids."""
    return [] if value == {} else value


def _schema(**extra: str) -> Any:
    """Additions to the JSON schema of a type."""
    return Field(json_schema_extra=dict(extra))


Phone = Annotated[
    str, text(255), one_line, AfterValidator(_phone), _schema(description="7 to 15 digits, with separators.")
]
Email = Annotated[str, text(255), AfterValidator(_email), _schema(format="email")]
Country = Annotated[
    str, AfterValidator(_country), _schema(pattern="^[A-Z]{2}$", description="ISO 3166-1 alpha-2.")
]
Currency = Annotated[str, AfterValidator(_currency), _schema(pattern="^[A-Z]{3}$", description="ISO 4217.")]
Locale = Annotated[
    str,
    StringConstraints(max_length=35),
    AfterValidator(_locale),
    _schema(pattern=f"^{_LOCALE.pattern}$", description="BCP 47."),
]
DateTime = Annotated[datetime, BeforeValidator(_iso_text), AfterValidator(_utc)]
"""A time, converted to UTC; UTC if it has no offset."""
OffsetDateTime = Annotated[datetime, BeforeValidator(_iso_text), AfterValidator(_with_offset)]
"""A time whose calendar day matters: it keeps its offset; UTC if it has none."""
Amount = Annotated[Decimal, BeforeValidator(_not_bool), Field(allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
EmptyObjectAsList = BeforeValidator(_empty_object_as_list)
UnknownAsNoHelp = BeforeValidator(lambda value: NO_HELP if value == "Unknown" else value)
"""Older clients send `Unknown` if the question was not answered."""


@cache
def currency_decimals() -> dict[str, int]:
    """The number of decimals of each current ISO 4217 currency."""
    return {each.alpha_3: get_currency_precision(each.alpha_3) for each in pycountry.currencies}
