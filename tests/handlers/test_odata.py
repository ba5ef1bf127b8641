"""The OData options (N4): what is supported is read, everything else is refused by its name and at once."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odata_query.grammar import ODataParser

from api.http.problems import BadQuery
from api.referrals.odata import Order, count_of, filter_of, order_of, select_of, skip_of
from shared.domain.listing import AllOf, AnyOf, Condition, Not

AT = datetime(2026, 1, 1, tzinfo=UTC)
EQ = Condition
READ = {
    "status eq 'New'": EQ("status", "eq", ("New",)),
    "STATUS EQ 'new'": EQ("status", "eq", ("New",)),
    "'New' eq status": EQ("status", "eq", ("New",)),
    "substatus eq 'Received'": EQ("substatus", "eq", ("Pending",)),
    "engagementId eq '65edc0b5-3485-41b7-a17e-dfa9ef4706e2'": EQ(
        "engagementId", "eq", ("65edc0b5-3485-41b7-a17e-dfa9ef4706e2",)
    ),
    "engagementId eq 65edc0b5-3485-41b7-a17e-dfa9ef4706e2": EQ(
        "engagementId", "eq", ("65edc0b5-3485-41b7-a17e-dfa9ef4706e2",)
    ),
    "status in ('New')": EQ("status", "in", ("New",)),
    "status in ( 'New' )": EQ("status", "in", ("New",)),
    "status in ('New',)": EQ("status", "in", ("New",)),
    "campaignId in (')(,')": EQ("campaignId", "in", (")(,",)),
    "status in (('New'))": EQ("status", "in", ("New",)),
    "(status in ('New')) and (status in ('New','Closed'))": AllOf(
        (EQ("status", "in", ("New",)), EQ("status", "in", ("New", "Closed")))
    ),
    "team/any(t:t/email in ('a@b.com'))": EQ("team/email", "in", ("a@b.com",)),
    "  status eq 'New'  ": EQ("status", "eq", ("New",)),
    "\tstatus\teq 'New'\t": EQ("status", "eq", ("New",)),
    " ( status eq 'New' ) ": EQ("status", "eq", ("New",)),
    "STARTSWITH( customerProfile/name , 'Rele' )": EQ("customerProfile/name", "startswith", ("Rele",)),
    "TEAM/ANY( t : t/EMAIL EQ 'a@b.com' )": EQ("team/email", "eq", ("a@b.com",)),
    "NOT (status IN ('new') OR favorite NE TRUE) AND campaignId EQ NULL": AllOf(
        (
            Not(AnyOf((EQ("status", "in", ("New",)), EQ("favorite", "ne", (True,))))),
            EQ("campaignId", "eq", (None,)),
        )
    ),
    "Not(favorite eq true)": Not(EQ("favorite", "eq", (True,))),
    "id eq '65EDC0B5-3485-41B7-A17E-DFA9EF4706E2'": EQ("id", "eq", ("65edc0b5-3485-41b7-a17e-dfa9ef4706e2",)),
    "engagementId in (65EDC0B5-3485-41B7-A17E-DFA9EF4706E2)": EQ(
        "engagementId", "in", ("65edc0b5-3485-41b7-a17e-dfa9ef4706e2",)
    ),
    "campaignId eq 'Spring.2026'": EQ("campaignId", "eq", ("Spring.2026",)),
    "createdDateTime ge 2026-01-01t00:00:00z": EQ("createdDateTime", "ge", (AT,)),
    "status in ('New','Closed')": EQ("status", "in", ("New", "Closed")),
    "customerProfile/address/country ne 'US'": EQ("customerProfile/address/country", "ne", ("US",)),
    "startswith(customerProfile/name,'It''s')": EQ("customerProfile/name", "startswith", ("It's",)),
    "team/any(t:t/email eq 'a@b.com')": EQ("team/email", "eq", ("a@b.com",)),
    "details/requirements/solutions/any(x:x/id in ('A','B'))": EQ(
        "details/requirements/solutions/id", "in", ("A", "B")
    ),
    "campaignId eq null": EQ("campaignId", "eq", (None,)),
    "favorite eq true": EQ("favorite", "eq", (True,)),
    "createdDateTime ge 2026-01-01T00:00:00Z": EQ("createdDateTime", "ge", (AT,)),
    "2026-01-01T09:00:00+09:00 gt updatedDateTime": EQ("updatedDateTime", "lt", (AT,)),
    "createdDateTime lt 2026-01-01": EQ("createdDateTime", "lt", (AT,)),
    "status eq 'New' and favorite eq true and type eq 'Shared'": AllOf(
        (EQ("status", "eq", ("New",)), EQ("favorite", "eq", (True,)), EQ("type", "eq", ("Shared",)))
    ),
    "not (status eq 'New' or status eq 'Active')": Not(
        AnyOf((EQ("status", "eq", ("New",)), EQ("status", "eq", ("Active",))))
    ),
}


@pytest.mark.parametrize("text", READ)
def test_a_filter_is_read_as_it_is_meant(text: str) -> None:
    assert filter_of(text) == READ[text]


REFUSED = {
    "length(name) gt 3": "the function 'length'",
    "contains(customerProfile/name,'x')": "the function 'contains'",
    "startswith(campaignId,'x')": "not startswith",
    "startswith('x',campaignId)": "startswith(customerProfile/name,'…')",
    "f(a=1,b=2,c=3)": "the function 'f'",
    "startswith(a=1,b=2,c=3)": "cannot be read",
    "startswith(customerProfile/name)": "a field and a text",
    "f.status eq 'New'": "'f.status'",
    "customerProfile/f.name eq 'x'": "'f.name'",
    "f.startswith(customerProfile/name,'x')": "'f.startswith'",
    "geo.distance(location,location) lt 5": "'geo.distance'",
    "team/any(f.t:f.t/email eq 'a')": "'f.t'",
    "status in ()": "cannot be read",
    "status in (('New','Active'))": "single quotes",
    "campaignId eq 'a\tb'": "control characters",
    "not (not favorite eq true)": "write not (…) around",
    "team/any(t:not (t/email eq 'a'))": "inside a lambda",
    "details/notes eq 'x'": "'details/notes'",
    "notes eq 'x'": "'notes'",
    "dealValue add 1 eq 2": "arithmetic",
    "status eq 'New' eq true": "a comparison",
    "team/all(t:t/email eq 'a')": "not all",
    "team/any()": "any(…) with a condition",
    "team/any(t:t/phoneNumber eq 'a')": "only the lambdas team/any(t:t/email",
    "team/any(t:u/email eq 'a')": "only the lambdas team/any(t:t/email",
    "team/any(t:t/email eq 'a' and t/email eq 'b')": "inside a lambda",
    "invitations/any(t:t/email eq 'a')": "only the lambdas team/any(t:t/email",
    "status eq ('New','Active')": "a list in parentheses after in, and supports lists nowhere else",
    "status in 'New'": "",
    "status gt 'New'": "eq, ne, in with status, not gt",
    "favorite in (true,false)": "eq, ne with favorite, not in",
    "favorite eq 'true'": "true or false",
    "status eq 7": "single quotes",
    "status eq 'Asleep'": "use one of New, Active, Closed",
    "dealType eq 'Merger'": "SolutionAssessment",
    "status eq null": "null",
    "createdDateTime gt '2026-01-01'": "without quotes",
    "createdDateTime gt 2026-02-31": "2026-02-31 does not exist in the calendar",
    "createdDateTime gt 10L": "",
    "status": "alone",
    "status eq status": "one field with one value",
    "'a' eq 'a'": "one field with one value",
    "status eq": "cannot be read",
    "": "cannot be read",
    "status eq 'New' and (": "cannot be read",
    "status eq 'New\x00'": "control characters",
    "status eq '\ud800'": "control characters",
    "(" * 2000 + "status eq 'New'" + ")" * 2000: "",
    "not favorite eq true": "an operator before a value",
    "not (" * 500 + "favorite eq true" + ")" * 500: "nested at most 20 levels deep",
    " or ".join(["status eq 'New'"] * 101): "100 conditions",
    "status in (" + ",".join(["'New'"] * 101) + ")": "100 conditions",
    " or ".join(["status eq 'New'"] * 20_000): "4,096 characters",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:40]))
def test_what_a_filter_may_not_hold_is_refused_by_its_name(text: str) -> None:
    if not REFUSED[text] and text.startswith("("):
        assert filter_of(text)  # parentheses alone nest nothing
        return
    with pytest.raises(BadQuery) as refused:
        filter_of(text)
    assert REFUSED[text] in str(refused.value)


class Defect(Exception):
    """What a library's own defect may look like."""


@pytest.mark.parametrize(
    "failure", [Defect("x"), RecursionError(), AttributeError("_no list_items"), KeyError(1)]
)
def test_whatever_the_grammar_raises_the_filter_is_refused(failure, monkeypatch) -> None:
    def fails(self: object, tokens: object) -> object:
        raise failure

    monkeypatch.setattr(ODataParser, "parse", fails)
    with pytest.raises(BadQuery) as refused:
        filter_of("status eq 'New'")
    assert str(refused.value).startswith("$filter cannot be read: write conditions such as")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("status eq 'New", 'from "\'New" on'),
        ("  status equals 'New'", "from \"equals 'New'\" on"),
        ("status eq 'New') or (favorite eq true)", "from ') or (favorite eq true)' on"),
        ("status eq", "from 'eq' on"),
        ("status eq 'New' and ", "from 'and' on"),
        ("status eq ", "from 'eq' on"),
        ("startswith(a=1,b=2,c=3)", "cannot be read:"),
        ("status eq 'New' and (", "cannot be read:"),
        ("", "cannot be read:"),
        ("  ", "cannot be read:"),
        ("status eq #" + "x" * 200, "from '#" + "x" * 39 + "' on"),
    ],
)
def test_what_cannot_be_read_is_shown_with_an_example_of_what_can(text: str, place: str) -> None:
    with pytest.raises(BadQuery) as refused:
        filter_of(text)
    message = str(refused.value)
    assert place in message
    assert filter_of(message.rpartition("such as ")[2].removesuffix("."))


OF_THE_LIBRARY = re.compile(
    r"Token\(|\w+\(\w+=|\b(Identifier|Compare|BoolOp|UnaryOp|List|Null)\b|odata_query|<"
)


@pytest.mark.parametrize(
    "text", [text for text, found in REFUSED.items() if found], ids=lambda text: repr(text[:40])
)
def test_a_refusal_is_a_sentence_for_people(text: str) -> None:
    with pytest.raises(BadQuery) as refused:
        filter_of(text)
    message = str(refused.value)
    assert message.startswith("$filter")
    assert message.endswith(".")
    assert not OF_THE_LIBRARY.search(message.replace(repr(text), ""))


@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from(
            [
                "status",
                "f.status",
                "id",
                "favorite",
                "createdDateTime",
                "not",
                "NOT ",
                " ",
                "\t",
                " ne ",
                " lt ",
                " add ",
                "=",
                ":",
                "any(",
                "/all(",
                "f(",
                "geo.distance(",
                "length(",
                "STARTSWITH(",
                "2026-02-31T24:00:00Z",
                "9999-12-31T23:59:59-23:59",
                "1.5e9",
                "duration'P1D'",
                "geography'x'",
                "65EDC0B5-3485-41B7-A17E-DFA9EF4706E2",
                " eq ",
                "'New'",
                " and ",
                " or ",
                "not ",
                "(",
                ")",
                "team",
                "/any(",
                "t:",
                "t/email",
                "'",
                ",",
                "startswith(",
                "customerProfile/name",
                "null",
                "true",
                "2026-01-01",
                " in ",
                "7",
                "/",
                "$",
                "-",
            ]
        ),
        max_size=25,
    ).map("".join)
)
@settings(max_examples=500)
def test_no_text_raises_anything_but_a_bad_query(text: str) -> None:
    try:
        filter_of(text)
    except BadQuery:
        return


@pytest.mark.parametrize(
    ("text", "order"),
    [
        (None, Order()),
        ("createdDateTime desc", Order("createdDateTime", True)),
        ("updatedDateTime", Order("updatedDateTime", False)),
        ("UPDATEDDATETIME asc", Order("updatedDateTime", False)),
        ("createdDateTime DESC", Order("createdDateTime", True)),
        ("createdDateTime Asc", Order("createdDateTime", False)),
        ("\t updatedDateTime   desc ", Order("updatedDateTime", True)),
    ],
)
def test_orders(text: str | None, order: Order) -> None:
    assert order_of(text) == order


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "f.createdDateTime",
        "notes",
        "createdDateTime up",
        "createdDateTime desc,name",
        "createdDateTime desc x",
    ],
)
def test_other_orders_are_refused(text: str) -> None:
    with pytest.raises(BadQuery, match="orderby"):
        order_of(text)


def test_selections_counts_and_skips() -> None:
    assert select_of(None) is select_of("*") is None
    assert select_of("ID, customerProfile/name") == {"id", "customerProfile"}
    assert (count_of(None), count_of("TRUE"), count_of("false")) == (False, True, False)
    assert (skip_of(None), skip_of("0"), skip_of("1000")) == (0, 0, 1000)
    for read, text in (
        *((select_of, "id,secret"), (select_of, ""), (count_of, "1"), (skip_of, "1001")),
        *((skip_of, "x"), (skip_of, "\N{FULLWIDTH DIGIT NINE}"), (skip_of, "9" * 5000)),
    ):
        with pytest.raises(BadQuery):
            read(text)
