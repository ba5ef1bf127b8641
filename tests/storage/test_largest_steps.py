"""The largest steps that people can take fit into one transaction of storage, on which storage itself agrees."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from api.http.operation import Handler
from api.leads.submit import submit_leads
from api.referrals.convert import convert_lead
from api.referrals.create import create_referral
from api.referrals.edit import patch_referral
from api.referrals.transitions import accept_referral
from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.domain.conversion import MAX_REMOVED_AND_INVITED
from shared.domain.editing import MAX_REMOVED
from shared.domain.field_rules import MAX_TEAM
from shared.domain.invitation_rules import MAX_INVITATIONS
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import MAX_TRANSACTION_OPERATIONS, Operation
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.played_deal import replacing
from tests.doubles.service import NOTHING, ask, service_on
from tests.doubles.small_world import deal, import_small_world, inquiry, organization, person
from tests.examples.referrals import NOW

KEPT_FREE = 5
"""Rows that later features find room for in every step."""
COMPANIES = [f"company{number:02}" for number in range(MAX_INVITATIONS)]


class Counting(MemoryTables):
    """Remembers the largest transaction."""

    largest = 0

    async def write(
        self, table: str, partition: str, operations: Sequence[Operation]
    ) -> tuple[str | None, ...]:
        self.largest = max(self.largest, len(operations))
        return await super().write(table, partition, operations)


class World:
    def __init__(self) -> None:
        self.tables = Counting()
        self.service = service_on(self.tables, MemoryMailService(), lambda: NOW)

    async def done(
        self,
        handler: Handler,
        body: Any,
        route: Mapping[str, str] = NOTHING,
        who: str = "rae",
        **headers: str,
    ) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.tables.largest = 0
        answer = await ask(self.service, who, handler, body, now=NOW, route=route, headers=named)
        assert answer.status < 300, answer.body
        return answer.body


@pytest.fixture
async def world() -> World:
    world = World()
    await import_small_world(world.tables)
    companies = [
        {**organization(each, each, f"{each}-place", "US"), "people": [person(each, f"ann@{each}.example")]}
        for each in COMPANIES
    ]
    await import_directory(world.tables, DirectoryDocument.model_validate({"organizations": companies}))
    return world


def team(first: int) -> list[dict[str, str]]:
    """Rae and 49 others, numbered from here."""
    rae = deal()["team"][0]
    others = range(first, first + MAX_TEAM - 1)
    return [rae, *({**rae, "email": f"person{number}@contoso.com"} for number in others)]


async def test_a_creation_with_all_invitations_and_people(world: World) -> None:
    body = {**deal(*COMPANIES), "team": team(0), "location": "contoso-seattle"}
    await world.done(create_referral, body, Idempotency_Key="once")
    lists, people, invitations = 5, MAX_TEAM, MAX_INVITATIONS + 1
    words = 2
    assert world.tables.largest == lists + people + invitations + words + len(
        ["document", "work", "entry", "count", "key"]
    )


async def test_an_edit_that_changes_everything_and_wins(world: World) -> None:
    made = await world.done(
        create_referral, {**deal(*COMPANIES, microsoft=False), "team": team(0), "location": "contoso-seattle"}
    )
    patch = [
        replacing("/name", "Another"),
        replacing("/team", team(MAX_REMOVED)),
        replacing("/consent/consentToShareReferralWithMicrosoftSellers", True),
        replacing("/inviteContext/assistanceRequestCode", "GeneralOrOther"),
        replacing("/salesStage", "Developed"),
        replacing("/status", "Closed"),
        replacing("/substatus", "Won"),
    ]
    await world.done(patch_referral, patch, {"id": made["id"]}, If_Match=made["eTag"])
    assert world.tables.largest <= MAX_TRANSACTION_OPERATIONS - KEPT_FREE


async def test_a_conversion_with_all_invitations_and_another_team(world: World) -> None:
    await world.done(submit_leads, inquiry("contoso"), who="web")
    rows = await world.tables.between("referrals", "contoso", "d:", "d;")
    lead = {"id": rows[-1].key.removeprefix("d:")}
    terms = {"dealValue": 1000, "currency": "USD", "closingDateTime": "2027-12-31T00:00:00Z"}
    await world.done(accept_referral, {**terms, "team": team(0)}, lead)
    whole = {**deal(*COMPANIES), "team": team(MAX_REMOVED_AND_INVITED - len(COMPANIES) - 1)}
    body = {name: whole[name] for name in ("consent", "details", "inviteContext", "invitations", "team")}
    body["customerProfile"] = {"team": whole["customerProfile"]["team"]}
    one_more = {**body, "team": team(MAX_REMOVED_AND_INVITED - len(COMPANIES))}
    refused = await ask(world.service, "rae", convert_lead, one_more, now=NOW, route=lead)
    assert [each["target"] for each in refused.body["error"]["details"]] == ["/team"]
    await world.done(convert_lead, body, lead)
    assert world.tables.largest <= MAX_TRANSACTION_OPERATIONS - KEPT_FREE
