"""`dev.py token`: a bearer token of a sample person."""

import json
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from localcloud import PROJECT, issuer
from localcloud.errors import UnknownPersonError


def token(options: Namespace) -> int:
    """Print a bearer token and nothing else."""
    person = find_person(options.person, PROJECT / "samples" / "world.json")
    print(issuer.token(options.data.resolve(), tid=person.tid, oid=person.oid))
    return 0


@dataclass(frozen=True)
class Identity:
    """The tenant id and object id in a token."""

    tid: str
    oid: str


def find_person(person: str, world: Path) -> Identity:
    """Return the identity of a person, given by an email in `world` (any letter case) or as `TENANT_ID/OBJECT_ID`.

    `world` is `{"organizations": [{"tenantId", "people": [{"email", "oid"}]}]}`. Raises UnknownPersonError with the
    known emails.
    """
    tid, slash, oid = person.partition("/")
    if slash and tid and oid:
        return Identity(tid, oid)
    known = _people(world)
    if not known:
        raise UnknownPersonError(f"There are no people in {world}. Give TENANT_ID/OBJECT_ID.")
    try:
        return known[person.casefold()]
    except KeyError as error:
        choice = f"Give one of {', '.join(sorted(known))}; or TENANT_ID/OBJECT_ID."
        raise UnknownPersonError(f"Nobody is called {person}. {choice}") from error


def _people(world: Path) -> dict[str, Identity]:
    try:
        content = json.loads(world.read_bytes())
    except FileNotFoundError:
        return {}
    return {
        person["email"].casefold(): Identity(organization["tenantId"], person["oid"])
        for organization in content["organizations"]
        for person in organization["people"]
    }
