"""Texts that people type: something can be seen of them, and a domain looks like no other one (C6)."""

from typing import Any

import idna
import pytest
from pydantic import TypeAdapter, ValidationError

from api.http.fields import Code, Email, Name, Notes
from shared.visible_text import has_something_to_see, mixes_scripts, without_unseen

UNSEEN = [
    "\u200b",
    "\u2060\ufeff",
    "\u00ad",
    "\u3164",
    "\u115f\u1160\uffa0",
    "\u2800",
    "\u202e\u2069",
    "\ue000",
    "\u034f",
    "\u200d \u200c",
    "\ufe0f",
    "\U000e0041",
]


def accepted(kind: Any, text: str) -> str | None:
    """The text as it is taken, or None."""
    try:
        taken: str = TypeAdapter(kind).validate_python(text)
    except ValidationError as refused:
        (error,) = refused.errors()
        assert error["type"] == "invalidFormat"
        return None
    return taken


@pytest.mark.parametrize("text", UNSEEN)
@pytest.mark.parametrize("kind", [Name, Code, Notes])
def test_text_of_which_nothing_is_seen_is_refused(kind: Any, text: str) -> None:
    assert accepted(kind, text) is None
    assert accepted(kind, f"a{text}b") == f"a{text}b", "what is beside it is stored as it was sent"


@pytest.mark.parametrize("name", ["a", "가", "🙂", "👩‍🔧", ".", "नमस्ते", "می‌خواهم"])
def test_anything_that_is_seen_is_a_name(name: str) -> None:
    assert accepted(Name, name) == name


ONE_SYSTEM = [
    "example.com",
    "пример.com",
    "παράδειγμα.gr",
    "한국.kr",
    "大韓민국.kr",
    "日本語ドメイン.jp",
    "ラーメンの店.jp",
    "例子.cn",
    "مثال.com",
    "דוגמה.com",
    "उदाहरण.com",
    "ตัวอย่าง.com",
    "bücher-2026.de",
    "пример-1.example",
]
MIXED = [
    "ex\u0430mple.com",
    "mail.ex\u0430mple.com",
    "micros\u043eft.com",
    "\u03b3oogle.com",
    "한국a.kr",
    "ひ한.jp",
    "abc\u0434\u043e\u043c.com",
    "例子пример.com",
]


@pytest.mark.parametrize("domain", ONE_SYSTEM)
def test_a_domain_in_one_writing_system_is_taken_in_its_normal_form(domain: str) -> None:
    assert accepted(Email, f"Kim.Lee@{domain}") == f"Kim.Lee@{domain}"
    assert accepted(Email, f"Kim.Lee@{as_sent_by_machines(domain)}") == f"Kim.Lee@{domain}"


@pytest.mark.parametrize("domain", MIXED)
def test_a_domain_that_mixes_writing_systems_is_refused_however_it_is_sent(domain: str) -> None:
    assert accepted(Email, f"kim@{domain}") is None
    assert accepted(Email, f"kim@{as_sent_by_machines(domain)}") is None


def as_sent_by_machines(domain: str) -> str:
    """The domain in ASCII."""
    return idna.encode(domain).decode()


def test_labels_of_one_domain_may_differ_in_their_scripts() -> None:
    assert accepted(Email, "kim@пример.example.com") == "kim@пример.example.com"


@pytest.mark.parametrize("word", ["", "123", "a-b", "ᏣᎳᎩ", "𐒰𐒱", "ラー", "々木"])
def test_digits_hyphens_and_rare_scripts_mix_nothing(word: str) -> None:
    assert not mixes_scripts(word)


@pytest.mark.parametrize("word", ["aᏣ", "𐒰a", "\u0436\u03bb", "\u0430b", "か\u0430"])
def test_letters_of_two_scripts_are_mixed(word: str) -> None:
    assert mixes_scripts(word)


@pytest.mark.parametrize(
    "text",
    [
        "क्‍ष",  # Devanagari, joined
        "می‌خواهم",  # Persian, not joined
        "ක්‍ය",
        "👩‍🔧👩🏽‍🔧",
        "❤️‍🔥",
        "1️⃣",
        "葛󠄀城",
        "two\nlines\tand more",
    ],
)
def test_what_changes_the_look_of_the_letters_beside_it_stays(text: str) -> None:
    assert without_unseen(text) == text


@pytest.mark.parametrize("joiner", ["\u200c", "\u200d"])
@pytest.mark.parametrize(
    ("before", "behind"),
    [
        *(
            ("a", "b"),
            ("\u0431", "\u0432"),
            ("\u03b1", "\u03b2"),
            ("가", "나"),
            ("漢", "字"),
            ("か", "な"),
            ("1", "2"),
            ("", "क"),
            ("क", ""),
        ),
        *(("क", "a"), ("a", "क"), ("م", "1"), ("१", "२"), ("\u2067", "क"), ("क\u200d", "ष"), ("🙂", "a")),
    ],
)
def test_joiners_go_where_they_change_nothing(before: str, behind: str, joiner: str) -> None:
    shown = without_unseen(f"{before}{joiner}{behind}")
    assert "\u200c" not in shown
    assert "\u200d" not in shown
    assert has_something_to_see(shown)
