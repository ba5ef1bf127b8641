"""Every field with every operator (N4), and that whatever can be asked can be written and is read as it was meant."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.http.problems import BadQuery
from api.referrals.odata import MAX_CONDITIONS, MAX_DEPTH, filter_of
from shared.domain.ids import InquiryId
from shared.domain.listing import (
    MULTI_VALUED,
    OPERATORS,
    OPTIONAL,
    AllOf,
    AnyOf,
    Condition,
    Field,
    ListItem,
    Not,
    Operator,
    Predicate,
    Value,
    matches,
)
from shared.domain.referral import Inquiry, RoutedTeam
from shared.domain.vocabulary import (
    ContactAlert,
    DealType,
    Direction,
    Qualification,
    RegistrationStatus,
    SalesStage,
    Sharing,
    Status,
    Substatus,
)
from tests.examples.referrals import NOW, contact, referral

ID, ANOTHER = "0190a5c0-0000-7000-8000-00000000000a", "0190a5c0-0000-7000-8000-00000000000b"
SHOWN = ListItem(
    now=NOW,
    referral=referral(
        id=ID,
        engagement_id=ID,
        team=(contact("kim@fabrikam.com"),),
        campaign_id="C-1",
        external_reference_id="CRM-1",
        expires_at=NOW,
        routed=RoutedTeam(team="americas", team_name="Americas", rule=None),
        sales_stage="Qualified",
        inquiry=Inquiry(id=InquiryId("i"), recipients=(), alternatives=0),
        customer_requested_contact=True,
        closed_at=NOW,
    ),
    favorite=True,
    my_team=True,
    registration_status="Eligible",
)
OWN_AND_LATER: dict[Field, tuple[Value, Value]] = {
    "id": (ID, ANOTHER),
    "engagementId": (ID, ANOTHER),
    "status": ("New", "Closed"),
    "substatus": ("Pending", "Won"),
    "qualification": ("None", "Direct"),
    "type": ("Shared", "Independent"),
    "direction": ("Incoming", "Outgoing"),
    "dealType": ("CoSell", "Private"),
    "createdDateTime": (NOW, NOW + timedelta(seconds=1)),
    "updatedDateTime": (NOW, NOW + timedelta(seconds=1)),
    "expirationDateTime": (NOW, NOW + timedelta(seconds=1)),
    "customerProfile/name": ("Relecloud", "Tailspin"),
    "customerProfile/address/country": ("US", "KR"),
    "team/email": ("kim@fabrikam.com", "lee@fabrikam.com"),
    "details/requirements/solutions/id": ("S", "T"),
    "campaignId": ("C-1", "C-2"),
    "externalReferenceId": ("CRM-1", "CRM-2"),
    "location": ("fabrikam-seoul", "fabrikam-tokyo"),
    "sellerTeam": ("americas", "korea"),
    "favorite": (True, False),
    "myTeam": (True, False),
    "name": ("Relecloud ERP", "Tailspin"),
    "details/dealValue": (Decimal("40000.50"), Decimal(40001)),
    "details/closingDateTime": (NOW + timedelta(days=90), NOW + timedelta(days=91)),
    "salesStage": ("Qualified", "Proposed"),
    "registrationStatus": ("Eligible", "Approved"),
    "contactAlert": ("hot", "overdue"),
    "closedDateTime": (NOW, NOW + timedelta(seconds=1)),
    "inviteContext/invitedBy/organizationId": ("contoso", "fabrikam"),
}
"""The value that the referral shown has, and one that comes later or is just another."""
HOLDS: dict[Operator, tuple[bool, bool]] = {
    "eq": (True, False),
    "ne": (False, True),
    "in": (True, False),
    "lt": (False, True),
    "le": (True, True),
    "gt": (False, False),
    "ge": (True, False),
    "startswith": (True, False),
}
"""What an operator says of the referral's own value and of the later one."""


def written(predicate: Predicate) -> str:
    """The `$filter` that asks a predicate."""
    match predicate:
        case Condition():
            return _condition(predicate)
        case AllOf(parts):
            return " and ".join(_part(part) for part in parts)
        case AnyOf(parts):
            return " or ".join(_part(part) for part in parts)
        case Not(part):
            return f"not ({written(part)})"


def _part(predicate: Predicate) -> str:
    return written(predicate) if isinstance(predicate, Condition | Not) else f"({written(predicate)})"


def _condition(condition: Condition) -> str:
    collection, _, name = condition.field.rpartition("/")
    if condition.field in MULTI_VALUED:
        return f"{collection}/any(x:{_comparison(f'x/{name}', condition)})"
    return _comparison(condition.field, condition)


def _comparison(name: str, condition: Condition) -> str:
    values = ",".join(_literal(value) for value in condition.values)
    if condition.operator == "startswith":
        return f"startswith({name},{values})"
    return f"{name} {condition.operator} {f'({values})' if condition.operator == 'in' else values}"


def _literal(value: Value) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case Decimal():
            return str(value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case str():
            return "'" + value.replace("'", "''") + "'"


PAIRS = [(field, operator) for field in get_args(Field) for operator in get_args(Operator)]


def test_the_table_names_every_field_with_known_operators() -> None:
    assert set(OPERATORS) == set(OWN_AND_LATER) == set(get_args(Field))
    assert {operator for operators in OPERATORS.values() for operator in operators} == set(get_args(Operator))


ROW = re.compile(r"^\| (?P<fields>`.*?) \| (?P<operators>`.*) \|$", re.MULTILINE)


def documented() -> dict[str, set[str]]:
    """The operators that docs/api.md lists for each field, a lambda by the path of what it compares."""
    lists = (Path(__file__).parents[2] / "docs/api.md").read_text("utf-8")
    lists = lists.partition("| filter fields | with |")[2].partition("\n\n")[0]
    found: dict[str, set[str]] = {}
    for row in ROW.finditer(lists):
        words = set(
            re.findall(
                r"\b(?:eq|ne|in|lt|le|gt|ge|startswith)\b", " ".join(row["operators"].split("`")[1::2])
            )
        )
        for code in row["fields"].split("`")[1::2]:
            found[re.sub(r"any\(\w:\w/(\w+) .*", r"\1", code)] = words
    return found


def test_the_documented_fields_and_operators_are_those_of_the_table() -> None:
    named = {field: words for field, words in documented().items() if field in OPERATORS}
    assert named == {field: set(operators) for field, operators in OPERATORS.items()}


@pytest.mark.parametrize(
    ("field", "operator"), [(field, operator) for field, operator in PAIRS if operator in OPERATORS[field]]
)
def test_an_operator_that_a_field_has_answers_right(field: Field, operator: Operator) -> None:
    for value, holds in zip(OWN_AND_LATER[field], HOLDS[operator], strict=True):
        asked = Condition(field, operator, (value,))
        read = filter_of(written(asked))
        assert read == asked
        assert matches(asked, SHOWN) is holds


@pytest.mark.parametrize(
    ("field", "operator"),
    [(field, operator) for field, operator in PAIRS if operator not in OPERATORS[field]],
)
def test_an_operator_that_a_field_lacks_is_refused_with_those_that_it_has(
    field: Field, operator: Operator
) -> None:
    with pytest.raises(BadQuery) as refused:
        filter_of(written(Condition(field, operator, OWN_AND_LATER[field][:1])))
    if field in MULTI_VALUED and operator == "startswith":
        assert "one comparison inside a lambda" in str(refused.value)
    else:
        assert f"supports {', '.join(OPERATORS[field])} with {field}, not {operator}." in str(refused.value)


@pytest.mark.parametrize(("field", "operator"), PAIRS)
def test_null_is_compared_by_equality_with_the_fields_that_may_be_missing(
    field: Field, operator: Operator
) -> None:
    text = written(Condition(field, operator, (None,)))
    if field in OPTIONAL and operator in {"eq", "ne"}:
        read = filter_of(text)
        assert read == Condition(field, operator, (None,))
        assert matches(read, SHOWN) is (operator == "ne")
    else:
        with pytest.raises(BadQuery):
            filter_of(text)


CODES: dict[Field, tuple[str, ...]] = {
    "status": get_args(Status),
    "substatus": get_args(Substatus),
    "qualification": get_args(Qualification),
    "type": get_args(Sharing),
    "direction": get_args(Direction),
    "dealType": get_args(DealType),
    "salesStage": get_args(SalesStage),
    "registrationStatus": (*get_args(RegistrationStatus), "Eligible"),
    "contactAlert": get_args(ContactAlert),
}
AMOUNTS = st.decimals(0, 10**12, places=2).filter(lambda amount: amount.is_finite())
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=12)
MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def values(field: Field) -> st.SearchStrategy[Value]:
    if field in {"favorite", "myTeam"}:
        return st.booleans()
    if field.endswith("DateTime"):
        return MOMENTS
    if field == "details/dealValue":
        return AMOUNTS
    if field in {"id", "engagementId"}:
        return st.uuids().map(str)
    return st.sampled_from(CODES[field]) if field in CODES else TEXTS


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    field = draw(st.sampled_from(get_args(Field)))
    operator = draw(st.sampled_from(OPERATORS[field]))
    if operator == "in":
        return Condition(field, operator, tuple(draw(st.lists(values(field), min_size=1, max_size=4))))
    missing = st.none() if field in OPTIONAL and operator in {"eq", "ne"} else st.nothing()
    return Condition(field, operator, (draw(values(field) | missing),))


def flat(kind: type[AllOf | AnyOf], parts: list[Predicate]) -> Predicate:
    """A conjunction or disjunction as it is read: it begins with another kind, for chains of one kind become one."""
    first, *others = parts
    return kind((*(first.parts if isinstance(first, kind) else (first,)), *others))


PREDICATES = st.recursive(
    conditions(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: flat(AllOf, parts)),
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: flat(AnyOf, parts)),
        st.builds(Not, inner),
    ),
    max_leaves=MAX_CONDITIONS // 10,
)


@given(PREDICATES)
def test_a_predicate_that_is_written_as_a_filter_is_read_back_the_same(predicate: Predicate) -> None:
    assert filter_of(written(predicate)) == predicate


@example(Condition("team/email", "eq", ("kim@fabrikam.com",)), AllOf, MAX_DEPTH - 1)
@given(conditions(), st.sampled_from([AllOf, AnyOf]), st.integers(1, MAX_DEPTH - 1))
def test_nesting_is_read_back_the_same_as_deep_as_it_may_go(condition, kind, depth) -> None:
    predicate: Predicate = condition
    for _ in range(depth):
        predicate = Not(predicate) if isinstance(predicate, kind) else kind((condition, predicate))
    assert filter_of(written(predicate)) == predicate
