"""What a request may have looked up in the directory: as much as the rules allow it to name (C6)."""

from typing import Any

import pytest

from api.http.response import Response
from api.referrals.create import create_referral
from api.referrals.invitations import create_invitations
from shared.domain.field_rules import MAX_SOLUTIONS
from shared.domain.invitation_rules import MAX_INVITATIONS
from shared.storage.memory_tables import MemoryTables
from tests.doubles.service import ask, service_on
from tests.doubles.small_world import deal, import_small_world
from tests.examples.referrals import NOW

BESIDES = 10  # what a creation reads of its caller, customer and key


@pytest.fixture
def tables() -> MemoryTables:
    return MemoryTables()


@pytest.fixture
async def service(tables: MemoryTables) -> Any:
    service = service_on(tables, None)  # type: ignore[arg-type] # no mail is sent here
    await import_small_world(service.tables)
    return service


async def made(service: Any, body: dict[str, Any]) -> Response:
    return await ask(service, "rae", create_referral, body, now=NOW)


def naming(organizations: int, solutions: int, **fields: Any) -> dict[str, Any]:
    """A deal whose invitations name this many organizations, and each so many solutions of its own."""
    body = deal("northwind")
    (one,) = body["invitations"]
    entries = [
        {**one, "organizationId": f"o{o}", "solutions": [{"id": f"S-{o}-{s}"} for s in range(solutions)]}
        for o in range(organizations)
    ]
    return {**body, "invitations": entries, **fields}


def faults(answer: Response) -> dict[str, str]:
    assert answer.status == 422
    return {fault["target"]: fault["code"] for fault in answer.body["error"]["details"]}


async def test_of_too_many_invitations_none_is_looked_up(service: Any, tables: MemoryTables) -> None:
    tables.requests = 0
    answer = await made(service, naming(MAX_INVITATIONS + 1, 30))
    assert faults(answer) == {"/invitations": "tooLong"}
    assert tables.requests <= BESIDES


async def test_of_too_many_solutions_none_is_looked_up(service: Any, tables: MemoryTables) -> None:
    tables.requests = 0
    body = naming(MAX_INVITATIONS, MAX_SOLUTIONS + 1)
    body["details"]["requirements"]["solutions"] = [{"id": f"S-{n}"} for n in range(1000)]
    found = faults(await made(service, body))
    assert found["/details/requirements/solutions"] == "tooLong"
    assert [found[f"/invitations/{index}/solutions"] for index in range(MAX_INVITATIONS)] == [
        "tooLong"
    ] * MAX_INVITATIONS
    assert tables.requests <= MAX_INVITATIONS + BESIDES


async def test_of_too_many_later_invitations_none_is_looked_up(service: Any, tables: MemoryTables) -> None:
    made_before = await made(service, deal("northwind"))
    body = {"invitations": naming(MAX_INVITATIONS + 1, 30)["invitations"]}
    tables.requests = 0
    route = {"id": made_before.body["id"]}
    answer = await ask(service, "rae", create_invitations, body, now=NOW, route=route)
    assert faults(answer) == {"/invitations": "tooLong"}
    assert tables.requests <= BESIDES
