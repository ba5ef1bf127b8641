"""Text that people type, without characters that nobody sees, and the writing systems of a word.

Characters that are not shown let two names look alike and differ, hide words in a name, and turn the text after them
around. The properties of characters come from `regex`, whose Unicode data is the same on every Python version.
"""

import regex

_UNSEEN = (
    r"[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800\U0001D159]"
)
"""Control and format characters, lone surrogates, private use, what Unicode says to ignore where a font lacks it, and
two symbols that are blank by design. Other unassigned characters stay: newer Unicode may show them."""
_WITH_JOINERS = (
    *("Arabic", "Syriac", "Thaana", "Nko", "Mandaic", "Adlam", "Hanifi_Rohingya", "Mongolian", "Phags_Pa"),
    *("Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam"),
    *("Sinhala", "Khmer", "Myanmar", "Tibetan", "Balinese", "Javanese", "Meetei_Mayek", "Newa", "Chakma"),
)
"""Scripts in which a joiner changes the shape of the letters beside it."""
_JOINED = "[[" + "".join(rf"\p{{Script={script}}}" for script in _WITH_JOINERS) + r"]&&[\p{L}\p{M}]]"
_SEEN_IN_CONTEXT = "|".join(
    (
        rf"(?<={_JOINED}\p{{M}}*)[\u200C\u200D](?={_JOINED})",
        r"(?<=\p{Extended_Pictographic}[\p{Emoji_Modifier}\uFE0F]*)\u200D(?=\p{Extended_Pictographic})",
        r"(?<=\p{Extended_Pictographic})[\uFE0E\uFE0F]",
        r"(?<=[0-9#*])\uFE0F(?=\u20E3)",
        r"(?<=\p{Script=Han})[\uFE00-\uFE02\U000E0100-\U000E01EF]",
    )
)
"""Joiners between letters of such scripts, what makes one emoji of several characters, variants of Han letters."""
_TO_REMOVE = regex.compile(rf"(?:{_SEEN_IN_CONTEXT})(*SKIP)(*FAIL)|{_UNSEEN}", regex.V1)

_SCRIPTS = (
    *("Latin", "Greek", "Cyrillic", "Armenian", "Georgian", "Hebrew", "Arabic", "Syriac", "Thaana", "Nko"),
    *("Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam"),
    *("Sinhala", "Thai", "Lao", "Tibetan", "Myanmar", "Khmer", "Mongolian", "Ethiopic", "Cherokee"),
    *("Canadian_Aboriginal", "Tifinagh", "Vai", "Yi", "Javanese", "Balinese", "Adlam", "Coptic", "Lisu"),
)
_SYSTEMS = (
    ("Han", "Hiragana", "Katakana"),  # Japanese
    ("Han", "Hangul"),  # Korean
    ("Han", "Bopomofo"),  # Chinese
    *((script,) for script in _SCRIPTS),
)


def _letters_of(scripts: tuple[str, ...]) -> str:
    """The characters of a writing system, by their script extensions, and those that all scripts share."""
    own = "".join(rf"\p{{Script_Extensions={script}}}" for script in scripts)
    return rf"[{own}\p{{Script=Common}}\p{{Script=Inherited}}]"


_IN_ONE_SYSTEM = tuple(regex.compile(_letters_of(system)) for system in _SYSTEMS)
_IN_ANY_SYSTEM = regex.compile(rf"(?:{'|'.join(map(_letters_of, _SYSTEMS))})+")


def without_unseen(text: str) -> str:
    """The text without characters that are not shown, on one line or many: white space stays as it is.

    Joiners and variation selectors stay where they change what is shown: between letters of scripts that join, in
    emoji, after Han letters.
    """
    shown: str = _TO_REMOVE.sub(lambda unseen: unseen[0] if unseen[0].isspace() else "", text)
    return shown


def has_something_to_see(text: str) -> bool:
    """Whether any character of a text is shown."""
    return bool(without_unseen(text).strip())


def mixes_scripts(word: str) -> bool:
    """Whether letters of several writing systems are in one word, so that it can pass for another one.

    Japanese, Korean and Chinese write with several scripts; each counts as one system.
    """
    known = [c for c in word if _IN_ANY_SYSTEM.fullmatch(c)]
    if len(known) < len(
        word
    ):  # letters of a script that is not listed: they cannot be mixed with any that is
        return any(regex.fullmatch(r"[\p{Script=Common}\p{Script=Inherited}]", c) is None for c in known)
    return not any(all(system.fullmatch(c) for c in known) for system in _IN_ONE_SYSTEM)
