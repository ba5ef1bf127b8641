"""Filters for lists of referrals (rule N4): a predicate is evaluated on the whole record."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, assert_never

from shared.domain.directory import normalized_name
from shared.domain.lead import contact_alert
from shared.domain.referral import Referral
from shared.domain.search_words import fold

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
    "name",
    "details/dealValue",
    "details/closingDateTime",
    "salesStage",
    "registrationStatus",
    "contactAlert",
    "closedDateTime",
    "inviteContext/invitedBy/organizationId",
]
OrderField = Literal[
    "createdDateTime",
    "updatedDateTime",
    "name",
    "details/dealValue",
    "details/closingDateTime",
    "expirationDateTime",
]
STORED_ORDERS: frozenset[OrderField] = frozenset({"createdDateTime", "updatedDateTime"})
"""The orders in which storage has the referrals; for the others all that match are read and sorted."""


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list."""

    field: OrderField = "createdDateTime"
    descending: bool = True


Operator = Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "startswith"]
Value = str | datetime | Decimal | bool | None

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
        "name": (*_EQUALITY, "startswith"),
        "details/dealValue": _ORDERED,
        "details/closingDateTime": _ORDERED,
        "salesStage": _EQUALITY,
        "registrationStatus": _EQUALITY,
        "contactAlert": _EQUALITY,
        "closedDateTime": _ORDERED,
        "inviteContext/invitedBy/organizationId": _EQUALITY,
    }
)
"""The operators that each field allows."""
OPTIONAL: frozenset[Field] = frozenset(
    {
        *("campaignId", "externalReferenceId", "expirationDateTime", "location", "sellerTeam"),
        *("details/dealValue", "details/closingDateTime", "closedDateTime", "salesStage"),
        *("registrationStatus", "contactAlert", "inviteContext/invitedBy/organizationId"),
    }
)
"""The fields that can be null; only they can be compared with null, with eq and ne."""
MULTI_VALUED: frozenset[Field] = frozenset({"team/email", "details/requirements/solutions/id"})
"""The fields with any number of values."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a field with one value, or with several for `in`.

    A multi-valued field (team, solutions) matches if one of its values does.
    """

    field: Field
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """All parts match."""

    parts: "tuple[Predicate, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part matches."""

    parts: "tuple[Predicate, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not match."""

    part: "Predicate"


Predicate = Condition | AllOf | AnyOf | Not


@dataclass(frozen=True, slots=True, kw_only=True)
class ListItem:
    """A referral in one reader's list at `now`: whether it is a favorite, and routed to a team of the reader's (P3).

    `registration_status` is what the list shows of its registration (G2).
    """

    referral: Referral
    now: datetime
    favorite: bool
    my_team: bool = False
    registration_status: str | None = None


def matches(predicate: Predicate, item: ListItem) -> bool:
    """Whether an item matches a filter."""
    return holds(predicate, lambda field: values_of(field, item))


def holds(predicate: Predicate, values: Callable[[Field], tuple[Value, ...]]) -> bool:
    """Whether a filter matches something whose fields have these `values`, in the form in which they are compared."""
    match predicate:
        case Condition():
            return any(_holds(predicate, value) for value in values(predicate.field))
        case AllOf(parts):
            return all(holds(part, values) for part in parts)
        case AnyOf(parts):
            return any(holds(part, values) for part in parts)
        case Not(part):
            return not holds(part, values)
        case _:
            assert_never(predicate)


def values_of(field: Field, item: ListItem) -> tuple[Value, ...]:
    """The values of a field in the form in which they are compared."""
    return tuple(comparable(field, value) for value in _VALUES[field](item))


def comparable(field: Field, value: Value) -> Value:
    """A value in the form in which it is compared: names normalized, emails case-folded."""
    if not isinstance(value, str):
        return value
    if field in {"customerProfile/name", "name"}:
        return normalized_name(value)
    return value.casefold() if field == "team/email" else value


def fields_of(predicate: Predicate) -> frozenset[Field]:
    """The fields that a filter uses."""
    return frozenset(condition.field for condition in conditions_of(predicate))


def conditions_of(predicate: Predicate) -> Iterator[Condition]:
    """The conditions that a filter consists of."""
    match predicate:
        case Condition():
            yield predicate
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from conditions_of(part)
        case Not(part):
            yield from conditions_of(part)
        case _:
            assert_never(predicate)


def required_values(predicate: Predicate, field: Field) -> frozenset[Value] | None:
    """The only values of a field that can match; None if any value can (never excludes a match)."""
    match predicate:
        case Condition(field=same, operator="eq" | "in", values=values) if same == field:
            return frozenset(comparable(field, value) for value in values)
        case AllOf(parts):
            of_parts = [required_values(part, field) for part in parts]
            required = [values for values in of_parts if values is not None]
            if field in MULTI_VALUED:  # each part may match a different value
                return next(iter(required), None)
            return frozenset[Value].intersection(*required) if required else None
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


def lower_bound(predicate: Predicate | None, field: Field) -> datetime | None:
    """The time before which nothing can match; None if there is no bound (never excludes a match)."""
    match predicate:
        case Condition(field=same, operator="ge" | "gt" | "eq", values=(datetime() as at,)) if same == field:
            return at
        case AllOf(parts):
            of_parts = [lower_bound(part, field) for part in parts]
            return max((moment for moment in of_parts if moment), default=None)
        case _:
            return None


def _holds(condition: Condition, value: Value) -> bool:
    operands = tuple(comparable(condition.field, each) for each in condition.values)
    match condition.operator:
        case "eq" | "in":
            return value in operands
        case "ne":
            return value not in operands
        case "startswith":
            return isinstance(value, str) and value.startswith(str(operands[0]))
        case _:
            return _compares(condition.operator, value, operands[0])


def _compares(operator: Literal["lt", "le", "gt", "ge"], value: Value, operand: Value) -> bool:
    """Null is neither before nor after any time, and neither below nor above any number."""
    sign = _sign(value, operand)
    if sign is None:
        return False
    return {"lt": sign < 0, "le": sign <= 0, "gt": sign > 0, "ge": sign >= 0}[operator]


def _sign(value: Value, operand: Value) -> int | None:
    """-1, 0 or 1 as a value is less than, equal to or more than another of its type; None without one."""
    if isinstance(value, datetime) and isinstance(operand, datetime):
        return (value > operand) - (value < operand)
    if isinstance(value, Decimal) and isinstance(operand, Decimal):
        return (value > operand) - (value < operand)
    return None


_VALUES: Mapping[Field, Callable[[ListItem], tuple[Value, ...]]] = MappingProxyType(
    {
        "id": lambda item: (item.referral.id,),
        "engagementId": lambda item: (item.referral.engagement_id,),
        "status": lambda item: (item.referral.status,),
        "substatus": lambda item: (item.referral.substatus,),
        "qualification": lambda item: (item.referral.qualification,),
        "type": lambda item: (item.referral.sharing,),
        "direction": lambda item: (item.referral.direction,),
        "dealType": lambda item: (item.referral.deal_type,),
        "createdDateTime": lambda item: (item.referral.created_at,),
        "updatedDateTime": lambda item: (item.referral.updated_at,),
        "expirationDateTime": lambda item: (item.referral.expires_at,),
        "customerProfile/name": lambda item: (item.referral.customer.name,),
        "customerProfile/address/country": lambda item: (item.referral.customer.address.country,),
        "team/email": lambda item: tuple(contact.email for contact in item.referral.team),
        "details/requirements/solutions/id": lambda item: tuple(s.id for s in item.referral.terms.solutions),
        "campaignId": lambda item: (item.referral.campaign_id,),
        "externalReferenceId": lambda item: (item.referral.external_reference_id,),
        "location": lambda item: (item.referral.location,),
        "sellerTeam": lambda item: (item.referral.routed.team if item.referral.routed else None,),
        "favorite": lambda item: (item.favorite,),
        "myTeam": lambda item: (item.my_team,),
        "name": lambda item: (item.referral.name,),
        "details/dealValue": lambda item: (item.referral.terms.deal_value,),
        "details/closingDateTime": lambda item: (item.referral.terms.closing_at,),
        "salesStage": lambda item: (item.referral.sales_stage,),
        "registrationStatus": lambda item: (item.registration_status,),
        "contactAlert": lambda item: (contact_alert(item.referral, item.now),),
        "closedDateTime": lambda item: (item.referral.closed_at,),
        "inviteContext/invitedBy/organizationId": lambda item: (item.referral.invite_context.invited_by,),
    }
)


LONGEST_NAME = 100
"""Characters of a folded name by which it is sorted: a nextLink carries them."""


def sort_key(referral: Referral, field: OrderField) -> str:
    """Text that sorts as a field does, below all others without a value; names by their folded form (N4)."""
    value: str | datetime | Decimal | None
    match field:
        case "name":
            value = fold(referral.name)[:LONGEST_NAME]
        case "details/dealValue":
            value = referral.terms.deal_value
        case "details/closingDateTime":
            value = referral.terms.closing_at
        case "expirationDateTime":
            value = referral.expires_at
        case "createdDateTime":
            value = referral.created_at
        case "updatedDateTime":
            value = referral.updated_at
    match value:
        case None:
            return ""
        case Decimal():
            return f"{value:020.2f}"
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case _:
            return f" {value}"
