"""The types of single fields on the wire: lengths, formats and code lists (C6). One place for reading and OpenAPI."""

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

_PHONE_SEPARATORS = re.compile(r"[\s().\-/]")
_PHONE = re.compile(r"\+?\d{7,15}")
_NUMBER = re.compile(r"[-+]?[\d.]+")
_LOCALE = re.compile("[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
A_NUMBER, A_MOMENT = "Use a number, with a point before its decimals", "Use text such as 2027-03-31T00:00:00Z"


def _clean(allowed: set[str]) -> AfterValidator:
    def check(text: str) -> str:
        if any(unicodedata.category(c) == "Cc" and c not in allowed for c in text):
            raise PydanticCustomError("invalidFormat", "Remove the control characters.")
        return text

    return AfterValidator(check)


one_line, many_lines = _clean(set()), _clean({"\n", "\r", "\t"})
"""Text without control characters; of many lines, without others than those of lines."""
_line = StringConstraints(strip_whitespace=True, min_length=1, max_length=255)
Name = Annotated[str, _line, one_line]
Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), one_line]
Notes = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8000), many_lines]


def _phone(text: str) -> str:
    if not _PHONE.fullmatch(_PHONE_SEPARATORS.sub("", text)):
        raise PydanticCustomError("invalidFormat", "Use 7 to 15 digits, such as +1 206 555 0100.")
    return text


def _email(text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as invalid:
        raise PydanticCustomError("invalidFormat", "Use an address such as name@example.com.") from invalid


def _country(code: str) -> str:
    if not re.fullmatch("[A-Z]{2}", code) or pycountry.countries.get(alpha_2=code) is None:
        raise PydanticCustomError("notInCatalogue", "Use an ISO 3166-1 country code, such as US.")
    return code


def _currency(code: str) -> str:
    """Its form alone; whether there is such a currency is a rule about the amount."""
    if not re.fullmatch("[A-Z]{3}", code):
        raise PydanticCustomError("invalidFormat", "Use an ISO 4217 currency code, such as USD.")
    return code


def _locale(tag: str) -> str:
    if not _LOCALE.fullmatch(tag):
        raise PydanticCustomError("invalidFormat", "Use a language tag such as en-US.")
    return tag


def _only_text(value: object) -> object:
    """Pydantic would read numbers as times, in text too; the wire has moments as ISO 8601 only."""
    if not isinstance(value, str) or _NUMBER.fullmatch(value.strip()):
        raise PydanticCustomError("invalidType", A_MOMENT)
    return value


def _utc(moment: datetime) -> datetime:
    try:
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except OverflowError as beyond:
        raise PydanticCustomError("outOfRange", "Use a date within the calendar.") from beyond


def _with_offset(moment: datetime) -> datetime:
    _utc(moment)
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("invalidType", A_NUMBER)
    return value


def _empty_object_as_list(value: object) -> object:
    """Clients of the wire format send `{}` for no ids."""
    return [] if value == {} else value


def _shown(**extra: str) -> Any:
    """What the contract says of a field besides what its type says."""
    return Field(json_schema_extra=dict(extra))


Phone = Annotated[
    str, _line, one_line, AfterValidator(_phone), _shown(description="7 to 15 digits, with separators.")
]
Email = Annotated[str, _line, AfterValidator(_email), _shown(format="email")]
Country = Annotated[
    str, AfterValidator(_country), _shown(pattern="^[A-Z]{2}$", description="ISO 3166-1 alpha-2.")
]
Currency = Annotated[str, AfterValidator(_currency), _shown(pattern="^[A-Z]{3}$", description="ISO 4217.")]
Locale = Annotated[
    str,
    StringConstraints(max_length=35),
    AfterValidator(_locale),
    _shown(pattern=f"^{_LOCALE.pattern}$", description="BCP 47."),
]
Moment = Annotated[datetime, BeforeValidator(_only_text), AfterValidator(_utc)]
LocalMoment = Annotated[datetime, BeforeValidator(_only_text), AfterValidator(_with_offset)]
"""A moment whose day matters: it keeps the offset that it is sent with, UTC if none."""
Amount = Annotated[Decimal, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
EmptyObjectAsList = BeforeValidator(_empty_object_as_list)
UnknownAsNoHelp = BeforeValidator(lambda value: NO_HELP if value == "Unknown" else value)
"""Older clients send `Unknown` for an answer that was not given."""


@cache
def currency_decimals() -> dict[str, int]:
    """Each current ISO 4217 currency and how many decimals its amounts have."""
    return {each.alpha_3: get_currency_precision(each.alpha_3) for each in pycountry.currencies}
