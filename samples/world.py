"""The sample world: invented companies, people, solutions and customers.

`world.json` is written by hand: organizations, their people and profiles, and the solutions. `customers.json` comes
from `samples.customers`. Only fictitious names, and telephone numbers from ranges reserved for fiction.
"""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

WORLD_FILE = Path(__file__).with_name("world.json")
CUSTOMERS_FILE = Path(__file__).with_name("customers.json")

_NAMESPACE = uuid.UUID("7d9f4a52-6c1e-5b0f-8f43-2f0f3f2e9a10")


class SampleDirectory(TypedDict):
    """All that a directory starts with, in the format of the directory import."""

    organizations: list[dict[str, Any]]
    solutions: list[dict[str, Any]]
    customers: list[dict[str, Any]]
    routing: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SamplePerson:
    """Who a person of the sample world is: what a token says, and how to show it."""

    organization: str
    tenant_id: str
    oid: str
    email: str
    first_name: str
    last_name: str
    phone_number: str
    title: str


def load() -> SampleDirectory:
    """Read the whole sample world."""
    stated = json.loads(WORLD_FILE.read_text(encoding="utf-8"))
    customers = json.loads(CUSTOMERS_FILE.read_text(encoding="utf-8"))
    return SampleDirectory(
        organizations=stated["organizations"],
        solutions=stated["solutions"],
        customers=customers,
        routing=stated["routing"],
    )


def person(email: str) -> SamplePerson:
    """Find a person by email. Raises KeyError if the sample world has none of this address."""
    for organization in load()["organizations"]:
        for stated in organization["people"]:
            if stated["email"] == email:
                return SamplePerson(
                    organization=organization["name"],
                    tenant_id=organization["tenantId"],
                    oid=stated["oid"],
                    email=email,
                    first_name=stated["firstName"],
                    last_name=stated["lastName"],
                    phone_number=stated["phoneNumber"],
                    title=stated["title"],
                )
    raise KeyError(f"Nobody in {WORLD_FILE.name} has the address {email}.")


def stable_id(name: str) -> str:
    """Derive the GUID of a tenant (by organization id) or of a person (by email); the same on every machine."""
    return str(uuid.uuid5(_NAMESPACE, name))
