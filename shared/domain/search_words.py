"""Words by which a record is found, whatever their case and accents (rule N4)."""

import re
import unicodedata
from itertools import chain, zip_longest

from shared.domain.referral import Referral

MAX_WORDS = 20
"""The words of one record that are indexed."""
LONGEST_WORD = 40
"""Characters of a word that are indexed; the rest of a longer one is not looked at."""
_WORD = re.compile(r"[^\W_]+")
_LETTERS = str.maketrans({"\u0131": "i", "ø": "o", "ł": "l", "đ": "d", "ß": "ss", "æ": "ae", "œ": "oe"})
"""Letters that Unicode does not decompose into a base letter and a mark; the first is the i without a dot."""


def fold(text: str) -> str:
    """Text without case, accents and compatibility forms: `Łódź` as `lodz`, `İstanbul` as `istanbul`."""
    decomposed = unicodedata.normalize("NFKD", text)
    unmarked = "".join(c for c in decomposed if not unicodedata.category(c).startswith("M"))
    folded = unicodedata.normalize("NFKD", unmarked.casefold()).translate(_LETTERS)
    return unicodedata.normalize("NFC", folded)


def words_in(text: str | None) -> tuple[str, ...]:
    """The distinct folded words of a text: letters and digits between anything else, so `CRM-4711` has two."""
    found = (word[:LONGEST_WORD] for word in _WORD.findall(fold(text or "")))
    return tuple(dict.fromkeys(found))


def words_of(referral: Referral) -> frozenset[str]:
    """The words that a record is found by: of its name, its customer's, its CRM id and its campaign."""
    return words_among(
        referral.name, referral.customer.name, referral.external_reference_id, referral.campaign_id
    )


def words_among(*texts: str | None) -> frozenset[str]:
    """At most `MAX_WORDS` words of some texts, taken of each in turn.

    So each of them has some of its first words among them, however long the others are.
    """
    in_turn = chain.from_iterable(zip_longest(*map(words_in, texts)))
    distinct = dict.fromkeys(word for word in in_turn if word)
    return frozenset(list(distinct)[:MAX_WORDS])


def has_words(referral: Referral, starts: tuple[str, ...]) -> bool:
    """Whether each of some folded texts is the start of a word that the record is found by."""
    words = words_of(referral)
    return all(any(word.startswith(start) for word in words) for start in starts)
