"""A small language of conditions on referrals, for lists (rule N4): pure, and always asked of the whole record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal, assert_never

from shared.domain.directory import normalized_name
from shared.domain.referral import Referral

Field = Literal[
    "id",
    "engagementId",
    "status",
    "substatus",
    "qualification",
    "type",
    "direction",
    "dealType",
    "createdDateTime",
    "updatedDateTime",
    "expirationDateTime",
    "customerProfile/name",
    "customerProfile/address/country",
    "team/email",
    "details/requirements/solutions/id",
    "campaignId",
    "externalReferenceId",
    "location",
    "sellerTeam",
    "favorite",
    "myTeam",
]


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list."""

    field: Literal["createdDateTime", "updatedDateTime"] = "createdDateTime"
    descending: bool = True


Operator = Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "startswith"]
Value = str | datetime | bool | None

_EQUALITY: tuple[Operator, ...] = ("eq", "ne", "in")
_ORDERED: tuple[Operator, ...] = (*_EQUALITY, "lt", "le", "gt", "ge")
OPERATORS: Mapping[Field, tuple[Operator, ...]] = MappingProxyType(
    {
        "id": _EQUALITY,
        "engagementId": _EQUALITY,
        "status": _EQUALITY,
        "substatus": _EQUALITY,
        "qualification": _EQUALITY,
        "type": _EQUALITY,
        "direction": _EQUALITY,
        "dealType": _EQUALITY,
        "createdDateTime": _ORDERED,
        "updatedDateTime": _ORDERED,
        "expirationDateTime": _ORDERED,
        "customerProfile/name": (*_EQUALITY, "startswith"),
        "customerProfile/address/country": _EQUALITY,
        "team/email": _EQUALITY,
        "details/requirements/solutions/id": _EQUALITY,
        "campaignId": _EQUALITY,
        "externalReferenceId": _EQUALITY,
        "location": _EQUALITY,
        "sellerTeam": _EQUALITY,
        "favorite": ("eq", "ne"),
        "myTeam": ("eq", "ne"),
    }
)
"""What each field may be compared with."""
OPTIONAL: frozenset[Field] = frozenset(
    {"campaignId", "externalReferenceId", "expirationDateTime", "location", "sellerTeam"}
)
"""The fields that a referral may lack; they alone are compared with null, by eq and ne."""
MULTI_VALUED: frozenset[Field] = frozenset({"team/email", "details/requirements/solutions/id"})
"""The fields of which a referral has any number of values."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One field compared with values: one, or for `in` several.

    A field with several values (team, solutions) meets a condition if one of them does.
    """

    field: Field
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds."""

    parts: "tuple[Predicate, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part holds."""

    parts: "tuple[Predicate, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Predicate"


Predicate = Condition | AllOf | AnyOf | Not


@dataclass(frozen=True, slots=True, kw_only=True)
class ListItem:
    """A referral as one reader's list has it: its own mark, and whether it went to a team of its own (P3)."""

    referral: Referral
    favorite: bool
    my_team: bool = False


def matches(predicate: Predicate, listed: ListItem) -> bool:
    """Whether a referral is wanted."""
    match predicate:
        case Condition():
            return any(_holds(predicate, value) for value in values_of(predicate.field, listed))
        case AllOf(parts):
            return all(matches(part, listed) for part in parts)
        case AnyOf(parts):
            return any(matches(part, listed) for part in parts)
        case Not(part):
            return not matches(part, listed)
        case _:
            assert_never(predicate)


def values_of(field: Field, listed: ListItem) -> tuple[Value, ...]:
    """The values of a field as they are compared: names and emails without regard to case."""
    return tuple(comparable(field, value) for value in _VALUES[field](listed))


def comparable(field: Field, value: Value) -> Value:
    """A value in the form in which values of this field are compared."""
    if not isinstance(value, str):
        return value
    if field == "customerProfile/name":
        return normalized_name(value)
    return value.casefold() if field == "team/email" else value


def fields_of(predicate: Predicate) -> frozenset[Field]:
    """The fields that a filter asks about."""
    match predicate:
        case Condition():
            return frozenset({predicate.field})
        case AllOf(parts) | AnyOf(parts):
            return frozenset[Field]().union(*(fields_of(part) for part in parts))
        case Not(part):
            return fields_of(part)
        case _:
            assert_never(predicate)


def required_values(predicate: Predicate, field: Field) -> frozenset[Value] | None:
    """The values of a field outside of which nothing can match; None if the predicate demands none (sound)."""
    match predicate:
        case Condition(field=same, operator="eq" | "in", values=values) if same == field:
            return frozenset(comparable(field, value) for value in values)
        case AllOf(parts):
            of_parts = [required_values(part, field) for part in parts]
            found = [values for values in of_parts if values is not None]
            if field in MULTI_VALUED:  # each part may be met by another of the values
                return next(iter(found), None)
            return frozenset[Value].intersection(*found) if found else None
        case AnyOf(parts):
            union: frozenset[Value] = frozenset()
            for part in parts:
                of_part = required_values(part, field)
                if of_part is None:
                    return None
                union |= of_part
            return union
        case _:
            return None


def earliest(predicate: Predicate | None, field: Field) -> datetime | None:
    """The moment before which nothing can match; None if the predicate sets none (sound)."""
    match predicate:
        case Condition(field=same, operator="ge" | "gt" | "eq", values=(datetime() as at,)) if same == field:
            return at
        case AllOf(parts):
            of_parts = [earliest(part, field) for part in parts]
            return max((moment for moment in of_parts if moment), default=None)
        case _:
            return None


def _holds(condition: Condition, value: Value) -> bool:
    wanted = tuple(comparable(condition.field, each) for each in condition.values)
    match condition.operator:
        case "eq" | "in":
            return value in wanted
        case "ne":
            return value not in wanted
        case "startswith":
            return isinstance(value, str) and value.startswith(str(wanted[0]))
        case _:
            return _compares(condition.operator, value, wanted[0])


def _compares(operator: Literal["lt", "le", "gt", "ge"], value: Value, wanted: Value) -> bool:
    """A missing value is neither before nor after anything."""
    if not isinstance(value, datetime) or not isinstance(wanted, datetime):
        return False
    before, after = value < wanted, value > wanted
    return {"lt": before, "le": not after, "gt": after, "ge": not before}[operator]


_VALUES: Mapping[Field, Callable[[ListItem], tuple[Value, ...]]] = MappingProxyType(
    {
        "id": lambda each: (each.referral.id,),
        "engagementId": lambda each: (each.referral.engagement_id,),
        "status": lambda each: (each.referral.status,),
        "substatus": lambda each: (each.referral.substatus,),
        "qualification": lambda each: (each.referral.qualification,),
        "type": lambda each: (each.referral.sharing,),
        "direction": lambda each: (each.referral.direction,),
        "dealType": lambda each: (each.referral.deal_type,),
        "createdDateTime": lambda each: (each.referral.created_at,),
        "updatedDateTime": lambda each: (each.referral.updated_at,),
        "expirationDateTime": lambda each: (each.referral.expires_at,),
        "customerProfile/name": lambda each: (each.referral.customer.name,),
        "customerProfile/address/country": lambda each: (each.referral.customer.address.country,),
        "team/email": lambda each: tuple(contact.email for contact in each.referral.team),
        "details/requirements/solutions/id": lambda each: tuple(s.id for s in each.referral.terms.solutions),
        "campaignId": lambda each: (each.referral.campaign_id,),
        "externalReferenceId": lambda each: (each.referral.external_reference_id,),
        "location": lambda each: (each.referral.location,),
        "sellerTeam": lambda each: (each.referral.routed.team if each.referral.routed else None,),
        "favorite": lambda each: (each.favorite,),
        "myTeam": lambda each: (each.my_team,),
    }
)
