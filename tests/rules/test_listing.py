"""The language of list conditions (N4): what matches, and what a predicate demands for certain."""

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.listing import (
    AllOf,
    AnyOf,
    Condition,
    Field,
    ListItem,
    Not,
    Predicate,
    lower_bound,
    matches,
    required_values,
    values_of,
)
from shared.domain.referral import Address
from tests.examples.referrals import NOW, contact, referral

HOUR = timedelta(hours=1)
RECORD = referral(
    team=(contact("Kim@Fabrikam.com"), contact("lee@fabrikam.com")), campaign_id="C-1", expires_at=None
)
SHOWN = ListItem(referral=RECORD, now=NOW, favorite=True)
CASES = [
    ("status", "eq", ("New",), True),
    ("status", "ne", ("New",), False),
    ("status", "in", ("Active", "New"), True),
    ("engagementId", "eq", ("engagement",), True),
    ("campaignId", "eq", ("C-1",), True),
    ("campaignId", "eq", ("c-1",), False),
    ("campaignId", "eq", (None,), False),
    ("externalReferenceId", "eq", (None,), True),
    ("externalReferenceId", "ne", ("x",), True),
    ("customerProfile/name", "eq", ("  RELE  cloud".replace("  ", ""),), True),
    ("customerProfile/name", "startswith", ("rele",), True),
    ("customerProfile/name", "startswith", ("cloud",), False),
    ("customerProfile/address/country", "eq", ("US",), True),
    ("team/email", "eq", ("KIM@fabrikam.COM",), True),
    ("team/email", "eq", ("rae@contoso.com",), False),
    ("details/requirements/solutions/id", "in", ("x", "S"), True),
    ("createdDateTime", "ge", (NOW,), True),
    ("createdDateTime", "gt", (NOW,), False),
    ("createdDateTime", "le", (NOW,), True),
    ("createdDateTime", "lt", (NOW + HOUR,), True),
    ("expirationDateTime", "lt", (NOW + 999 * HOUR,), False),
    ("expirationDateTime", "ge", (NOW,), False),
    ("expirationDateTime", "eq", (None,), True),
    ("favorite", "eq", (True,), True),
    ("favorite", "ne", (True,), False),
    ("location", "eq", ("fabrikam-seoul",), True),
    ("sellerTeam", "eq", (None,), True),
    ("sellerTeam", "eq", ("korea",), False),
    ("myTeam", "eq", (False,), True),
]


@pytest.mark.parametrize(("field", "operator", "values", "holds"), CASES)
def test_a_condition_compares_as_its_field_does(field, operator, values, holds) -> None:
    assert matches(Condition(field, operator, values), SHOWN) is holds


def test_every_field_has_values() -> None:
    assert all(isinstance(values_of(field, SHOWN), tuple) for field in get_args(Field))


def test_conditions_combine() -> None:
    yes, no = Condition("status", "eq", ("New",)), Condition("status", "eq", ("Closed",))
    assert matches(AllOf((yes, yes)), SHOWN)
    assert not matches(AllOf((yes, no)), SHOWN)
    assert matches(AnyOf((no, yes)), SHOWN)
    assert not matches(AnyOf((no, no)), SHOWN)
    assert matches(Not(no), SHOWN)


TEXTS = st.sampled_from(["New", "Active", "a", "A", "us", "US", "kim@x.com", "KIM@x.com", "Rele cloud"])
MOMENTS = st.integers(-3, 3).map(lambda hours: NOW + hours * HOUR)
TEXTUAL = ("status", "customerProfile/name", "team/email", "campaignId", "customerProfile/address/country")


def conditions() -> st.SearchStrategy[Predicate]:
    textual = st.builds(
        Condition,
        st.sampled_from(TEXTUAL),
        st.sampled_from(["eq", "ne", "in"]),
        st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
    )
    timed = st.builds(
        Condition,
        st.sampled_from(["createdDateTime", "updatedDateTime"]),
        st.sampled_from(["eq", "lt", "le", "gt", "ge"]),
        st.tuples(MOMENTS),
    )
    return textual | timed


PREDICATES = st.recursive(
    conditions(),
    lambda inner: st.one_of(
        st.builds(AllOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)
RECORDS = st.builds(
    lambda status, name, country, emails, campaign, created, updated: replace(
        RECORD,
        status=status,
        customer=replace(RECORD.customer, name=name, address=Address(country=country)),
        team=tuple(contact(email) for email in emails),
        campaign_id=campaign,
        created_at=created,
        updated_at=updated,
    ),
    *(TEXTS, TEXTS, TEXTS, st.lists(TEXTS, max_size=3), st.none() | TEXTS, MOMENTS, MOMENTS),
)


@given(PREDICATES, RECORDS)
def test_what_matches_has_what_is_demanded_and_is_not_before_the_earliest(predicate, record) -> None:
    """So a list may be read from the ranges that the demands leave."""
    item = ListItem(referral=record, now=NOW, favorite=False)
    if not matches(predicate, item):
        return
    for field in TEXTUAL:
        wanted = required_values(predicate, field)
        assert wanted is None or set(values_of(field, item)) & wanted
    for field, at in (("createdDateTime", record.created_at), ("updatedDateTime", record.updated_at)):
        bound = lower_bound(predicate, field)
        assert bound is None or at >= bound


def test_demands_are_found_through_conjunctions_and_complete_disjunctions() -> None:
    new, active = Condition("status", "eq", ("New",)), Condition("status", "eq", ("Active",))
    other = Condition("campaignId", "eq", ("x",))
    assert required_values(AllOf((new, other)), "status") == {"New"}
    assert required_values(AnyOf((new, active)), "status") == {"New", "Active"}
    assert required_values(AnyOf((new, other)), "status") is None
    assert required_values(Not(new), "status") is None
    assert required_values(AllOf((AnyOf((new, active)), active)), "status") == {"Active"}
    kim, lee = (Condition("team/email", "eq", (email,)) for email in ("kim@x.com", "lee@x.com"))
    assert required_values(AllOf((kim, lee)), "team/email") == {"kim@x.com"}  # both may be in one team
    assert required_values(Condition("team/email", "eq", ("A@x.com",)), "team/email") == {"a@x.com"}
