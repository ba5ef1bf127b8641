"""Claims: the slot that starts first on storage has it, on the twin and on Azurite."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import azurite
from shared.errors import ClaimedByAnotherSlot, ConfigurationError
from shared.settings import HUB_SETTING
from shared.storage.azure_tables import AzureTables
from shared.storage.claims import claim, hub_claim
from shared.storage.keys import TABLES
from shared.storage.tables import Tables
from shared.wiring import Wiring

SETTING = "AzureWebJobsStorage"
MANDATORY = {
    "MAIL_ENDPOINT": "http://127.0.0.1",
    "MAIL_ACCESS_KEY": "a2V5",
    "MAIL_SENDER": "no-reply@referrals.example",
    "AUTH_AUDIENCE": "api://test",
    "PORTAL_URL": "http://portal.example",
    "PUBLIC_URL": "http://api.example",
}


async def test_a_slot_that_has_claimed_storage_may_start_again(tables: Tables, partition: str) -> None:
    wanted = hub_claim(partition, SETTING)
    for slot in ("staging", "staging", "Staging"):
        await claim(tables, wanted, slot)


async def test_another_slot_is_refused_with_both_names_and_what_to_do(tables: Tables, partition: str) -> None:
    wanted = hub_claim(partition, SETTING)
    await claim(tables, wanted, "Production")
    with pytest.raises(ClaimedByAnotherSlot) as refused:
        await claim(tables, wanted, "staging")
    assert (refused.value.slot, refused.value.owner) == ("staging", "Production")
    told = str(refused.value)
    assert "slot staging" in told
    assert "belongs to the slot Production" in told
    assert f"the task hub {partition} (in the account of {SETTING})" in told
    assert f"the row claims/slots/{wanted.key}" in told


async def test_production_does_not_take_over_what_another_slot_claimed(
    tables: Tables, partition: str
) -> None:
    """The slot may be running: only an operator knows."""
    wanted = hub_claim(partition, SETTING)
    await claim(tables, wanted, "staging")
    with pytest.raises(ClaimedByAnotherSlot):
        await claim(tables, wanted, "Production")
    await tables.discard("claims", "slots", wanted.key)  # as the error says
    await claim(tables, wanted, "Production")


async def test_of_two_slots_that_start_at_once_one_has_the_storage(tables: Tables, partition: str) -> None:
    wanted = hub_claim(partition, SETTING)
    slots = [f"slot-{number}" for number in range(5)]
    outcomes = await asyncio.gather(*(claim(tables, wanted, s) for s in slots), return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, ClaimedByAnotherSlot)]
    assert len(refused) == 4
    assert len({each.owner for each in refused}) == 1


async def test_hubs_are_told_apart_by_name_whatever_its_case(tables: Tables, partition: str) -> None:
    await claim(tables, hub_claim(partition, SETTING), "Production")
    await claim(tables, hub_claim(f"{partition}2", SETTING), "staging")
    with pytest.raises(ClaimedByAnotherSlot):
        await claim(tables, hub_claim(partition.upper(), SETTING), "staging")


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of storage that only the apps of this module use: it was new for the first of them."""
    with azurite.running(tmp_path_factory.mktemp("account")) as running:
        yield running.connection_string


@pytest.fixture
def environment(account: str, partition: str, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The settings of an app on Azurite, with a task hub of its own."""
    for name, value in {**MANDATORY, SETTING: account, HUB_SETTING: partition}.items():
        monkeypatch.setenv(name, value)
    for name in ("WEBSITE_SLOT_NAME", "TABLES_ENDPOINT", "TABLES_CONNECTION_STRING"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


async def started() -> int:
    """Start the app; says how many requests its tables took."""
    service = await Wiring().service()
    assert isinstance(service.tables, AzureTables)
    await service.tables.close()
    return service.tables.requests


async def test_an_app_that_was_started_before_asks_for_each_claim_once(
    environment: pytest.MonkeyPatch,
) -> None:
    await started()
    assert (
        await started() == 2 + len(TABLES) + 1
    )  # the claims of tables and hub; each table is created; the version


async def test_an_app_in_another_slot_is_not_ready_on_productions_tables_or_hub(
    environment: pytest.MonkeyPatch,
) -> None:
    await started()
    environment.setenv("WEBSITE_SLOT_NAME", "staging")
    with pytest.raises(ClaimedByAnotherSlot, match="the table storage of the service"):
        await started()


async def test_the_hub_is_claimed_in_its_own_account(
    environment: pytest.MonkeyPatch, account: str, tmp_path: Path
) -> None:
    """Tables of its own do not help a slot whose task hub is production's."""
    with azurite.running(tmp_path) as hubs:
        environment.setenv("TABLES_CONNECTION_STRING", account)
        environment.setenv(SETTING, hubs.connection_string)
        await started()
        assert await started() == 1 + len(TABLES) + 1  # the hub's claim is asked for elsewhere
        environment.setenv("WEBSITE_SLOT_NAME", "staging")
        environment.setenv("TABLES_CONNECTION_STRING", hubs.connection_string)
        with pytest.raises(ClaimedByAnotherSlot, match="the task hub"):
            await started()


async def test_an_app_that_is_not_told_its_hubs_account_says_what_to_set(
    environment: pytest.MonkeyPatch, account: str
) -> None:
    environment.setenv("TABLES_CONNECTION_STRING", account)
    environment.delenv(SETTING)
    with pytest.raises(ConfigurationError, match="AzureWebJobsStorage__accountName"):
        await started()
