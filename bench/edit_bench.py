"""Edits and wide invitations over HTTP: PATCHes per second, and a creation that invites ten partners.

    python -m bench.edit_bench [--patches N]

Eight clients each patch a deal of their own, with the tag that the answer before gave. The ten partners are entered
into the directory beside the sample world. Counts of storage requests are taken with the app in the bench's process.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

import devhost
from bench.deals import CLIENTS, CREATOR, deal, headers
from bench.deals import REFERRALS as PATH
from bench.slice_bench import show
from localcloud import PROJECT
from localcloud.stack.stack import Stack
from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.storage.azure_tables import AzureTables
from shared.wiring import wiring

PARTNERS = 10
CREATIONS = 10


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured; latencies are medians, in milliseconds."""

    patches: int
    patches_per_second: float
    storage_requests_per_patch: float
    creation_with_ten_invitations_ms: float
    storage_requests_per_creation_with_ten: float
    until_all_ten_are_notified_ms: float


def run(patches: int = 400) -> Result:
    """Measure once, within a minute or two."""
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder) / "edits", samples=True) as stack:
        stack.host.stop()
        return asyncio.run(_measured(stack, patches))


async def _measured(stack: Stack, patches: int) -> Result:
    os.environ.update(stack.environment())
    async with (
        devhost.running(PROJECT, stack.data.path / "counted") as host,
        httpx.AsyncClient(base_url=host.url, timeout=60) as http,
    ):
        rae = headers(stack, CREATOR)
        service = await wiring.service()
        await import_directory(service.tables, _ten_partners())
        tables = service.tables
        if not isinstance(tables, AzureTables):
            message = "the app of a stack works on Azurite"
            raise TypeError(message)
        rate, per_patch = await _patching(http, rae, tables, patches)
        created, per_creation, notified = await _inviting(http, rae, tables)
        return Result(
            patches=patches,
            patches_per_second=rate,
            storage_requests_per_patch=per_patch,
            creation_with_ten_invitations_ms=created,
            storage_requests_per_creation_with_ten=per_creation,
            until_all_ten_are_notified_ms=notified,
        )


async def _patching(
    http: httpx.AsyncClient, rae: dict[str, str], tables: AzureTables, patches: int
) -> tuple[float, float]:
    """PATCHes per second, and storage requests for each, what the orchestration does for it included."""
    body = deal(0) | {"invitations": [], "inviteContext": {}}
    made = [(await http.post(PATH, json=body, headers=rae)).raise_for_status().json() for _ in range(CLIENTS)]
    tags = {each["id"]: each["eTag"] for each in made}
    await _settle(http)
    before, start = tables.requests, time.perf_counter()

    async def client(identifier: str) -> None:
        for number in range(patches // CLIENTS):
            operation = {"op": "replace", "path": "/details/dealValue", "value": 1000 + number + 1}
            answer = await http.patch(
                f"{PATH}/{identifier}", json=[operation], headers={**rae, "If-Match": tags[identifier]}
            )
            tags[identifier] = answer.raise_for_status().headers["ETag"]

    await asyncio.gather(*(client(identifier) for identifier in tags))
    spent = time.perf_counter() - start
    await _settle(http)
    return patches / spent, (tables.requests - before) / patches


async def _inviting(
    http: httpx.AsyncClient, rae: dict[str, str], tables: AzureTables
) -> tuple[float, float, float]:
    """Until 201, storage requests altogether, and until the mails are out."""
    entry = deal(0)["invitations"][0]
    invitations = [{**entry, "organizationId": f"measured-{n}"} for n in range(PARTNERS)]
    body = deal(0) | {"invitations": invitations, "inviteContext": {}}
    created: list[float] = []
    notified: list[float] = []
    before = tables.requests
    for _ in range(CREATIONS):
        start = time.perf_counter()
        (await http.post(PATH, json=body, headers=rae)).raise_for_status()
        created.append(time.perf_counter() - start)
        await _settle(http)
        notified.append(time.perf_counter() - start)
    requests = (tables.requests - before) / CREATIONS
    return statistics.median(created) * 1000, requests, statistics.median(notified) * 1000


async def _settle(http: httpx.AsyncClient) -> None:
    (await http.post("/admin/devhost/clock", json={"advance": "PT0S"})).raise_for_status()


def _ten_partners() -> DirectoryDocument:
    return DirectoryDocument.model_validate(
        {"organizations": [_partner(number) for number in range(PARTNERS)]}
    )


def _partner(number: int) -> dict[str, Any]:
    identifier = f"measured-{number}"
    return {
        "id": identifier,
        "name": f"Measured partner {number}",
        "kind": "partner",
        "tenantId": f"00000000-0000-4000-8000-{number:012d}",
        "transacting": True,
        "locations": [{"id": f"{identifier}-here", "name": "Here", "country": "US"}],
        "people": [
            {
                "oid": f"10000000-0000-4000-8000-{number:012d}",
                "email": f"admin@{identifier}.example.com",
                "firstName": "Measured",
                "lastName": "Admin",
                "roles": ["MpnPartnerAdmin"],
                "global": True,
            }
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patches", type=int, default=400)
    show(run(parser.parse_args().patches))


if __name__ == "__main__":
    main()
