"""Route templates, as a table."""

import pytest

from devhost.routes import RouteError, RouteTable, RouteTemplate

GUID = "0b0f2f0a-9a9e-4a52-8f3e-3b2f5f1b7a11"


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("orders", "orders", {}),
        ("orders", "ORDERS", {}),
        ("orders", "orders/1", None),
        ("orders/{id}", "orders/1", {"id": "1"}),
        ("orders/{id}", "orders", None),
        ("orders/{id?}", "orders", {}),
        ("orders/{id?}", "orders/7", {"id": "7"}),
        ("orders/{id=5}", "orders", {"id": "5"}),
        ("orders/{id=5}", "orders/6", {"id": "6"}),
        ("files/{*rest}", "files/a/b/c", {"rest": "a/b/c"}),
        ("files/{*rest}", "files", {}),
        ("files/{**rest}", "files/a/b", {"rest": "a/b"}),
        ("{name}.{extension}", "report.final.pdf", {"name": "report.final", "extension": "pdf"}),
        ("v{version}/x", "v1.0/x", {"version": "1.0"}),
        ("{id:int}", "12", {"id": "12"}),
        ("{id:int}", "-12", {"id": "-12"}),
        ("{id:int}", "12a", None),
        ("{id:int}", "2147483648", None),
        ("{id:long}", "2147483648", {"id": "2147483648"}),
        ("{id:guid}", GUID, {"id": GUID}),
        ("{id:guid}", "not-a-guid", None),
        ("{on:bool}", "True", {"on": "True"}),
        ("{on:bool}", "yes", None),
        ("{day:datetime}", "2026-11-21", {"day": "2026-11-21"}),
        ("{day:datetime}", "someday", None),
        ("{price:decimal}", "1.50", {"price": "1.50"}),
        ("{price:double}", "1e3", {"price": "1e3"}),
        ("{price:float}", "cheap", None),
        ("{name:alpha}", "abc", {"name": "abc"}),
        ("{name:alpha}", "abc1", None),
        ("{name:length(3)}", "abc", {"name": "abc"}),
        ("{name:length(3)}", "abcd", None),
        ("{name:length(2,3)}", "ab", {"name": "ab"}),
        ("{name:minlength(3)}", "ab", None),
        ("{name:maxlength(3)}", "abcd", None),
        ("{n:min(5)}", "5", {"n": "5"}),
        ("{n:min(5)}", "4", None),
        ("{n:max(5)}", "6", None),
        ("{n:range(5,7)}", "7", {"n": "7"}),
        ("{n:range(5,7)}", "8", None),
        ("{zip:regex(^\\d{{5}}$)}", "12345", {"zip": "12345"}),
        ("{zip:regex(^\\d{{5}}$)}", "1234", None),
        ("{id:int:min(1)}", "0", None),
        ("{id:int?}", "", {}),
        ("orders", "orders/", {}),
        ("orders", "orders//", None),
        ("orders/{id}", "orders/1/", {"id": "1"}),
        ("orders/{id}", "orders//", None),
        ("orders/{id?}", "orders/", {}),
        ("orders/{id?}", "orders//", None),
        ("orders/{id}/lines", "orders//lines", None),
        ("files/{*rest}", "files/", {}),
        ("files/{*rest}", "files/a/", {"rest": "a/"}),
        ("files/{*rest}", "files/a//b", {"rest": "a//b"}),
        ("files/{*rest}", "files//a", None),
        ("{*rest}", "a", {"rest": "a"}),
    ],
)
def test_a_template_matches_a_path(template: str, path: str, parameters: dict[str, str] | None) -> None:
    segments = path.split("/") if path else []
    assert RouteTemplate(template).match(segments) == parameters


@pytest.mark.parametrize(
    ("path", "winner"),
    [("a/b", "literal"), ("a/1", "constrained"), ("a/x", "parameter"), ("a/x/y", "catch-all"), ("z", None)],
)
def test_the_most_specific_template_wins_in_any_order(path: str, winner: str | None) -> None:
    entries = [
        ("a/{*rest}", frozenset(), "catch-all"),
        ("a/{id}", frozenset(), "parameter"),
        ("a/{id:int}", frozenset(), "constrained"),
        ("a/b", frozenset(), "literal"),
    ]
    found = RouteTable(entries).find("GET", path.split("/"))
    assert (found.target if found else None) == winner


def test_the_method_chooses_between_templates_that_are_alike() -> None:
    table = RouteTable([("a", frozenset({"GET"}), "read"), ("a", frozenset({"POST"}), "write")])
    assert [table.find(method, ["a"]) is not None for method in ("GET", "POST", "PUT")] == [True, True, False]


@pytest.mark.parametrize(
    "template",
    [
        *("{id", "id}", "{}", "{id:unknown}", "{id:length(x)}", "{id:int(}", "{id:int(1)}", "{id=5?}"),
        *("{id}/{ID}", "{a}{b}", "{a?}.{b}", "{*rest}/more", "a{*rest}", "a?b", "a//b", "~a"),
    ],
)
def test_an_invalid_template_is_refused(template: str) -> None:
    with pytest.raises(RouteError):
        RouteTemplate(template)
