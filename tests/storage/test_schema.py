"""The version of the stored data: new storage gets it, and the service refuses data of any other version."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from azure.data.tables.aio import TableServiceClient

from localcloud import azurite
from shared.errors import DataOfAnotherVersion, RecordUnreadable
from shared.storage.azure_tables import AzureTables
from shared.storage.memory_tables import MemoryTables
from shared.storage.migrations import MIGRATIONS
from shared.storage.schema import (
    CURRENT_VERSION,
    FIRST_VERSION,
    create_all_tables,
    prepare_storage,
    require_current_version,
    version_of_data,
    write_version,
)
from shared.storage.tables import Row, Tables, Upsert
from tests.doubles.small_world import import_small_world
from tests.doubles.yielding_tables import YieldingTables


@pytest.fixture(params=["memory", "azurite"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Tables]:
    """Tables of a storage account that nobody has used."""
    if request.param == "memory":
        yield MemoryTables()
        return
    with azurite.running(tmp_path) as running:
        stored = AzureTables(TableServiceClient.from_connection_string(running.connection_string))
        try:
            yield stored
        finally:
            await stored.close()


async def test_new_storage_gets_the_current_version_and_is_accepted_again(empty: Tables) -> None:
    await create_all_tables(empty)
    assert await version_of_data(empty) is None
    for _ in range(2):
        await prepare_storage(empty)
        assert await version_of_data(empty) == CURRENT_VERSION
    await import_small_world(empty)
    await prepare_storage(empty)


async def test_data_without_a_version_is_of_the_first_one_and_is_refused() -> None:
    tables = MemoryTables()
    await import_small_world(tables)
    assert await version_of_data(tables) == FIRST_VERSION
    for refuses in (prepare_storage, require_current_version):
        with pytest.raises(DataOfAnotherVersion, match=r"version 1.*Stop the app.*dev\.py migrate"):
            await refuses(tables)
    assert await version_of_data(tables) == FIRST_VERSION, "a start does not pass it off as current"


async def test_data_of_a_newer_version_is_refused_with_what_to_deploy() -> None:
    tables = MemoryTables()
    await write_version(tables, CURRENT_VERSION + 1)
    with pytest.raises(DataOfAnotherVersion, match=f"version {CURRENT_VERSION + 1}.*Deploy the version"):
        await prepare_storage(tables)


async def test_a_version_that_cannot_be_read_is_named() -> None:
    tables = MemoryTables()
    await tables.write("status", "schema", [Upsert(Row("version", {"version": "two"}))])
    with pytest.raises(RecordUnreadable, match="status/schema/version"):
        await prepare_storage(tables)


async def test_processes_that_start_at_once_on_new_storage_all_accept_it() -> None:
    tables = YieldingTables()
    await asyncio.gather(*(prepare_storage(tables) for _ in range(5)))
    assert await version_of_data(tables) == CURRENT_VERSION


async def test_of_two_versions_that_start_at_once_on_new_storage_one_is_refused() -> None:
    class Overtaken(MemoryTables):
        async def write(self, table: str, partition: str, operations: object) -> tuple[str | None, ...]:
            newer = Upsert(Row("version", {"version": CURRENT_VERSION + 1}))
            await super().write(table, partition, [newer])
            return await super().write(table, partition, operations)  # type: ignore[arg-type]

    with pytest.raises(DataOfAnotherVersion):
        await prepare_storage(Overtaken())


async def test_to_check_data_that_has_its_version_is_one_request() -> None:
    tables = MemoryTables()
    await prepare_storage(tables)
    tables.requests = 0
    await require_current_version(tables)
    assert tables.requests == 1


def test_each_earlier_version_has_a_migration() -> None:
    assert sorted(MIGRATIONS) == list(range(FIRST_VERSION, CURRENT_VERSION))
