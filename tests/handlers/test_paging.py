"""How many items a request asks for, and which options it may give."""

from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest

from api.http.paging import MAX_TOP, next_link, refuse_unknown_options, top_of
from api.http.problems import BadQuery
from api.http.request import PublicRequest, Request
from tests.doubles.engine import FakeEngine
from tests.doubles.service import SETTINGS
from tests.examples.referrals import NOW

KNOWN = frozenset({"status", "$top"})


def asked(query: str) -> func.HttpRequest:
    pairs = dict(pair.split("=") for pair in query.split("&"))
    return func.HttpRequest("GET", f"http://127.0.0.1/v1.0/registrations?{query}", params=pairs, body=b"")


@pytest.mark.parametrize(
    ("text", "top"), [("1", 1), ("100", 100), ("101", MAX_TOP), ("007", 7), ("9" * 30, MAX_TOP)]
)
def test_more_items_than_there_may_be_are_as_many_as_there_may_be(text: str, top: int) -> None:
    assert top_of(PublicRequest(http=asked(f"$top={text}"))) == top


@pytest.mark.parametrize("text", ["", "0", "000", "-1", "1.5", "five", "²"])
def test_what_is_no_number_of_items_is_refused(text: str) -> None:
    with pytest.raises(BadQuery, match="whole number from 1"):
        top_of(PublicRequest(http=asked(f"$top={text}")))


def test_an_option_that_is_given_twice_is_not_read_as_one_of_them() -> None:
    with pytest.raises(BadQuery, match="Send status once"):
        refuse_unknown_options(asked("status=Approved&$top=1&status=Rejected"), KNOWN)
    refuse_unknown_options(asked("status=Approved,Rejected&$top=1"), KNOWN)


def test_an_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(BadQuery, match="does not support state"):
        refuse_unknown_options(asked("state=Approved"), KNOWN)


def test_a_link_to_the_next_page_repeats_any_text_that_was_sent() -> None:
    http = func.HttpRequest("GET", "http://127.0.0.1/v1.0/x", params={"customer": "\ud800"}, body=b"")
    service: Any = SimpleNamespace(settings=SETTINGS)
    caller: Any = None
    request = Request(
        http=http,
        path="/v1.0/x",
        load_body=dict,
        service=service,
        engine=FakeEngine(),
        caller=caller,
        now=NOW,
        known=caller,
    )
    assert next_link(request, "p") == "http://api.example/v1.0/x?customer=%ED%A0%80&$skiptoken=cA"
