"""`dev.py token`: a bearer token of a sample person or application."""

import json
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud import PROJECT, issuer
from localcloud.errors import UnknownCallerError


def token(options: Namespace) -> int:
    """Print a bearer token and nothing else."""
    caller = find_caller(options.caller, PROJECT / "samples" / "world.json")
    signed = issuer.token(
        options.data.resolve(),
        tid=caller.tid,
        oid=caller.oid,
        application=options.application or caller.application,
    )
    print(signed)
    return 0


@dataclass(frozen=True)
class Identity:
    """The tenant id and object id in a token, and whether they are an application's."""

    tid: str
    oid: str
    application: bool = False


def find_caller(name: str, world: Path) -> Identity:
    """Return an identity, given by a person's email, an application's name or `TENANT_ID/OBJECT_ID`.

    Letter case does not matter. `world` is `{"organizations": [{"tenantId", "people": [{"email", "oid"}],
    "applications": [{"name", "oid"}]}]}`. Raises UnknownCallerError with the known emails and names.
    """
    known = _known(world)
    tid, slash, oid = name.partition("/")
    if slash and tid and oid:
        given = Identity(tid, oid)
        return next((each for each in known.values() if _is_same(each, given)), given)
    if not known:
        raise UnknownCallerError(f"There is nobody in {world}. Give TENANT_ID/OBJECT_ID.")
    try:
        return known[name.casefold()]
    except KeyError as error:
        choice = f"Give one of {', '.join(sorted(known))}; or TENANT_ID/OBJECT_ID."
        raise UnknownCallerError(f"Nobody is called {name}. {choice}") from error


def _is_same(one: Identity, other: Identity) -> bool:
    return (one.tid.lower(), one.oid.lower()) == (other.tid.lower(), other.oid.lower())


def _known(world: Path) -> dict[str, Identity]:
    try:
        organizations: list[dict[str, Any]] = json.loads(world.read_bytes())["organizations"]
    except FileNotFoundError:
        return {}
    known: dict[str, Identity] = {}
    for organization in organizations:
        tid = organization["tenantId"]
        for person in organization.get("people", ()):
            known[person["email"].casefold()] = Identity(tid, person["oid"])
        for application in organization.get("applications", ()):
            known[application["name"].casefold()] = Identity(tid, application["oid"], application=True)
    return known
