"""The same suite on the twin in memory and on real Azurite."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from azure.data.tables.aio import TableServiceClient

from localcloud import azurite
from shared.storage import keys
from shared.storage.azure_tables import AzureTables
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Tables


@pytest.fixture(scope="session")
def connection_string(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("azurite")
    with azurite.running(folder) as running:
        yield running.connection_string


@pytest.fixture(params=["memory", "azurite"])
async def tables(request: pytest.FixtureRequest) -> AsyncIterator[Tables]:
    if request.param == "memory":
        yield MemoryTables()
        return
    text = request.getfixturevalue("connection_string")
    stored = AzureTables(TableServiceClient.from_connection_string(text))
    await stored.create_tables(keys.TABLES)
    try:
        yield stored
    finally:
        await stored.close()


@pytest.fixture
def partition(request: pytest.FixtureRequest) -> str:
    """A partition that only this test uses."""
    return keys.safe(request.node.name)[:200]
