"""Generate the customers of the sample directory: `python -m samples.customers` writes `customers.json`.

About two hundred invented companies in ten countries. Each name is another combination of syllables, and all other
fields are derived from the position in the list, so the generated file is always the same.
"""

import itertools
import json
from dataclasses import dataclass
from typing import Any, get_args

from samples.world import CUSTOMERS_FILE
from shared.domain.vocabulary import CustomerSize

_FIRST_DUNS = 990_000_001
_SIZES = get_args(CustomerSize)

_ONSETS = (
    "Brav", "Cald", "Dren", "Elvor", "Fenn", "Gorv", "Hesk", "Ilm", "Jund", "Kest", "Lyth", "Marn", "Ost",
    "Quill",
)  # fmt: skip
_CODAS = (
    "adine", "abrook", "emont", "estra", "ethra", "ivane", "olind", "onelle", "orvale", "ubera", "undra",
    "uvar", "yssel", "ystead",
)  # fmt: skip
_TRADES = (
    "Foods", "Logistics", "Motors", "Energy", "Textiles", "Insurance", "Clinics", "Retail", "Shipping",
    "Optics", "Farms", "Media", "Steel",
)  # fmt: skip
_STREETS = (
    "Orchard Way", "Harbor Road", "Mill Lane", "Station Street", "Garden Avenue", "Canal Street", "Hill Road",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A city with its postal code; `state` only where addresses have one."""

    country: str
    city: str
    postal_code: str
    state: str | None = None


_PLACES = (
    (Place("US", "Denver", "80202", "CO"), Place("US", "Boston", "02108", "MA")),
    (Place("CA", "Toronto", "M5H 2N2", "ON"), Place("CA", "Calgary", "T2P 2M5", "AB")),
    (Place("GB", "London", "EC2V 7HH"), Place("GB", "Leeds", "LS1 1UR"), Place("GB", "Bristol", "BS1 5TR")),
    (Place("DE", "Munich", "80331"), Place("DE", "Hamburg", "20095"), Place("DE", "Leipzig", "04109")),
    (Place("FR", "Lyon", "69001"), Place("FR", "Nantes", "44000"), Place("FR", "Lille", "59000")),
    (Place("KR", "Seoul", "04524"), Place("KR", "Busan", "48058"), Place("KR", "Daegu", "41911")),
    (Place("JP", "Osaka", "530-0001"), Place("JP", "Nagoya", "450-0002"), Place("JP", "Sapporo", "060-0001")),
    (Place("AU", "Sydney", "2000", "NSW"), Place("AU", "Perth", "6000", "WA")),
    (Place("BR", "Curitiba", "80010-000", "PR"), Place("BR", "Recife", "50010-000", "PE")),
    (Place("IN", "Pune", "411001", "MH"), Place("IN", "Chennai", "600001", "TN")),
)  # fmt: skip

_REDMOND = Place("US", "Redmond", "98052", "WA")
_NAMED = (
    ("Adventure Works", _REDMOND, "251to1000employees"),
    ("Adventure Works", _REDMOND, "Morethan20000employees"),
    ("Relecloud", Place("US", "Seattle", "98101", "WA"), "1001to5000employees"),
    ("Lucerne Publishing", Place("KR", "Seoul", "04524"), "51to250employees"),
)


def generate() -> list[dict[str, Any]]:
    """Return the customers in the format of the directory import: the named ones first."""
    return [_customer(n, *chosen) for n, chosen in enumerate(itertools.chain(_NAMED, _invented()))]


def _invented() -> list[tuple[str, Place, str]]:
    names = ("".join(parts) for parts in itertools.product(_ONSETS, _CODAS))
    return [
        (f"{name} {_TRADES[n % len(_TRADES)]}", _place(n), _SIZES[n % len(_SIZES)])
        for n, name in enumerate(names)
    ]


def _place(n: int) -> Place:
    country = _PLACES[n % len(_PLACES)]
    return country[n // len(_PLACES) % len(country)]


def _customer(n: int, name: str, place: Place, size: str) -> dict[str, Any]:
    address = {
        "addressLine1": f"{100 + 37 * n % 900} {_STREETS[n % len(_STREETS)]}",
        "addressLine2": None,
        "city": place.city,
        "state": place.state,
        "postalCode": place.postal_code,
        "country": place.country,
        "region": None,
    }
    duns = {"profileType": "Duns", "id": str(_FIRST_DUNS + 1_009 * n)}
    return {"name": name, "address": address, "size": size, "ids": [duns]}


def write() -> None:
    """Write the file, one customer per line, so that diffs are readable."""
    lines = ",\n".join(json.dumps(customer, ensure_ascii=False) for customer in generate())
    CUSTOMERS_FILE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    write()
