"""Reads `names.toml`: each list of codes with the codes' names by language."""

import tomllib
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "ko")


@cache
def names() -> dict[str, dict[str, dict[str, str]]]:
    """By list, then by code in the order of the file, then by language."""
    path = Path(__file__).with_name("names.toml")
    lists = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        name: {code: dict(zip(LANGUAGES, texts, strict=True)) for code, texts in codes.items()}
        for name, codes in lists.items()
    }
