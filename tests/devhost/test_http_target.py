"""Paths and queries as Kestrel and ASP.NET read them, as tables."""

import pytest

from devhost.http_target import escaped, query_options, segments, split_target


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a/b", "/a/b", ""),
        ("/a?x=1?y", "/a", "?x=1?y"),
        ("/a?", "/a", "?"),
        ("/caf%C3%A9/%41", "/café/A", ""),
        ("/a%2Fb/%2f", "/a%2Fb/%2f", ""),
        ("/a%C3%2Fb", "/a%C3%2Fb", ""),
        ("/a%ffb%C3%A9%c3", "/a%ffbé%c3", ""),
        ("/a%zz%", "/a%zz%", ""),
        ("/a/../b/./c", "/b/c", ""),
        ("/a/%2E%2e/b", "/b", ""),
        ("/a/..%2Fb", "/a/..%2Fb", ""),
        ("/../../a", "/a", ""),
        ("/a/b/.", "/a/b/", ""),
        ("/a/b/..", "/a/", ""),
        ("/a//b/", "/a//b/", ""),
        ("/a?x=../%2F", "/a", "?x=../%2F"),
    ],
)
def test_a_target_is_read(target: str, path: str, query: str) -> None:
    assert split_target(target) == (path, query)


@pytest.mark.parametrize(
    ("path", "parts"),
    [("/", []), ("/a/b", ["a", "b"]), ("/a/", ["a", ""]), ("//a", ["", "a"]), ("/a//", ["a", "", ""])],
)
def test_a_path_has_parts(path: str, parts: list[str]) -> None:
    assert segments(path) == parts


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/a b/é", "/a%20b/%C3%A9"),
        ("/a;b=c@d:e!$&'()*,+~-._", "/a;b=c@d:e!$&'()*,+~-._"),
        ('/[]|"<>^`{}#?', "/%5B%5D%7C%22%3C%3E%5E%60%7B%7D%23%3F"),
        ("/a%2Fb%zz%", "/a%2Fb%25zz%25"),
    ],
)
def test_a_path_is_shown_in_a_url(path: str, shown: str) -> None:
    assert escaped(path) == shown


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("", {}),
        ("?", {}),
        ("?a=1&b=2", {"a": "1", "b": "2"}),
        ("?a=1&A=2&a=3", {"A": "1,2,3"}),
        ("?A=1&a=2", {"a": "1,2"}),
        ("?a=1&a=2&A=3", {"a": "1,2,3"}),
        ("?a=&a=1&A=", {"a": "1"}),
        ("?a=&b&=x&c=%20", {"": "x", "c": " "}),
        ("?q=a%20b+c%2Bd%2Fe%26&k%20x=1", {"q": "a b c+d/e&", "k x": "1"}),
        ("?q=%FF&r=%zz&s=%", {"q": "%FF", "r": "%zz", "s": "%"}),
        ("?a=1;b=2&c=d=e&f=?", {"a": "1;b=2", "c": "d=e", "f": "?"}),
        ("?q=%ED%95%9C&$top=5&%24skip=1", {"q": "한", "$top": "5", "$skip": "1"}),
    ],
)
def test_options_are_read(query: str, options: dict[str, str]) -> None:
    assert query_options(query) == options
