"""Reads `holidays.toml`: when the review team does not work."""

import tomllib
from datetime import date
from functools import cache
from pathlib import Path


@cache
def holidays() -> frozenset[date]:
    """The days, besides weekends."""
    path = Path(__file__).with_name("holidays.toml")
    days: list[date] = tomllib.loads(path.read_text(encoding="utf-8"))["days"]
    return frozenset(days)
