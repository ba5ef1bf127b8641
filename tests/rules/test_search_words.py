"""The words by which a record is found, whatever case and accents (N4)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.referral import Address, Customer
from shared.domain.search_words import LONGEST_WORD, MAX_WORDS, fold, has_words, words_in, words_of
from tests.examples.referrals import referral

ALIKE = [
    ("İstanbul A.Ş.", "istanbul a.s."),
    ("Diyarbakır", "diyarbakir"),  # noqa: RUF001 - the letters
    ("Łódź", "lodz"),
    ("Straße", "STRASSE"),
    ("ẞ", "ss"),
    ("Ærø", "aero"),
    ("Œuvre", "oeuvre"),
    ("Đặng", "dang"),
    ("ﬁnance", "finance"),
    ("ſtate", "state"),  # noqa: RUF001 - the letters
    ("\uff26\uff55\uff4c\uff4c", "full"),
    ("Crème Brûlée", "creme brulee"),
    ("Ελλάς", "ελλας"),
]


@pytest.mark.parametrize(("written", "searched"), ALIKE)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_case_and_accents_do_not_matter(written: str, searched: str, form: str) -> None:
    assert fold(unicodedata.normalize(form, written)) == fold(searched)


def test_korean_syllables_stay_whole() -> None:
    composed = unicodedata.normalize("NFC", "서울")
    assert fold(unicodedata.normalize("NFD", composed)) == composed
    record = referral(name="성남", customer=Customer(name="x", address=Address(country="KR")))
    assert not has_words(record, words_in("서"))
    assert has_words(record, words_in("성"))


def test_words_are_letters_and_digits_between_anything_else() -> None:
    assert words_in("CRM-4711_a (two)  Two") == ("crm", "4711", "a", "two")
    assert words_in(" -- ") == words_in("") == words_in(None) == ()
    assert words_in("x" * 100) == ("x" * LONGEST_WORD,)


def test_each_text_has_some_of_its_words_however_long_the_others_are() -> None:
    record = referral(
        name=" ".join(f"name{n}" for n in range(50)),
        customer=Customer(name="Adventure Works Cycles", address=Address(country="US")),
        external_reference_id="CRM-4711",
        campaign_id="Autumn 26",
    )
    words = words_of(record)
    assert len(words) == MAX_WORDS
    assert {"adventure", "works", "cycles", "crm", "4711", "autumn", "26", "name0", "name12"} <= words


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing_and_every_word_is_found_by_its_starts(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    record = referral(name=text or "x", customer=Customer(name="y", address=Address(country="US")))
    for word in words_of(record):
        for length in range(1, len(word) + 1):
            assert has_words(record, (word[:length],))
