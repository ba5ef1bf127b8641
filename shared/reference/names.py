"""Reads `names.toml`: lists of codes, with the display names of each code by language."""

import tomllib
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "ko")


@cache
def names() -> dict[str, dict[str, dict[str, str]]]:
    """The display names by list, by code (in the order of the file) and by language."""
    path = Path(__file__).with_name("names.toml")
    lists = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        name: {code: dict(zip(LANGUAGES, texts, strict=True)) for code, texts in codes.items()}
        for name, codes in lists.items()
    }
