"""Data of before: parties that declined lose the inviter's people, in their records and in all that repeats them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from azure.data.tables.aio import TableServiceClient

from localcloud import azurite
from shared.admin.migrate import migrate_data
from shared.domain.ids import OrganizationId, ReferralId
from shared.domain.referral import ReferralKey
from shared.storage.azure_tables import AzureTables
from shared.storage.codec import text_of
from shared.storage.memory_tables import MemoryTables
from shared.storage.referrals import Referrals
from shared.storage.tables import Insert, Row, Tables
from tests.examples.stored_data import data_of_version_1

RAE = "rae@contoso.com"


@pytest.fixture(params=["memory", "azurite"])
async def stored(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Tables]:
    """Fabrikam accepted Contoso's deal, Microsoft declined it; besides, there is a row that nobody can read."""
    sample = data_of_version_1()
    if request.param == "memory":
        tables: Tables = MemoryTables()
        await sample.load(tables)
        yield tables
        return
    with azurite.running(tmp_path) as running:
        real = AzureTables(TableServiceClient.from_connection_string(running.connection_string))
        await sample.load(real)
        try:
            yield real
        finally:
            await real.close()


async def documents(tables: Tables) -> dict[tuple[str, str], Any]:
    """Everything in the table of referrals that is a referral, by its place."""
    rows = [row async for row in tables.scan_table("referrals")]
    parsed = {(row.partition, row.key): json.loads(text_of(row.values) or "null") for row in rows}
    return {
        place: each for place, each in parsed.items() if isinstance(each, dict) and "invite_context" in each
    }


def keeps_rae(referral: Any) -> bool:
    return RAE in {member["email"] for member in referral["invite_context"]["team"]}


async def test_only_parties_that_take_no_part_lose_the_inviters_people(stored: Tables) -> None:
    now = data_of_version_1().now
    before = await documents(stored)
    declined = {
        place for place, each in before.items() if each["substatus"] == "Declined" and keeps_rae(each)
    }
    others = {place for place, each in before.items() if place not in declined and keeps_rae(each)}
    assert len({place for place in declined if place[1].startswith("d:")}) == 1
    assert len(declined) > 3, "its list rows repeat it"
    assert others
    await stored.write(
        "referrals", "contoso", [Insert(Row("d:damaged", {"json0": '{"substatus": "Declined"'}))]
    )
    said: list[str] = []
    await migrate_data(stored, now, said.append, stopped=True)
    assert "1 referrals of parties that take no part are without the inviter's people." in said[1]
    rows = [row async for row in stored.scan_table("referrals")]
    (damaged,) = [row for row in rows if row.key == "d:damaged"]
    assert damaged.values["json0"] == '{"substatus": "Declined"'
    after = {
        (row.partition, row.key): json.loads(text_of(row.values))
        for row in rows
        if (row.partition, row.key) in before
    }
    assert {place for place, each in after.items() if keeps_rae(each)} == others
    for place in declined:
        forgotten = {**before[place], "invite_context": {**before[place]["invite_context"], "team": []}}
        assert after[place] == forgotten, "nothing else changes"
    (place,) = [each for each in declined if each[1].startswith("d:")]
    key = ReferralKey(
        organization_id=OrganizationId(place[0]), referral_id=ReferralId(place[1].removeprefix("d:"))
    )
    read = await Referrals(stored).get(key)
    assert read
    assert read.value.invite_context.team == ()
