"""Whether the task hub's tables and queues are there, on Azurite."""

from collections.abc import AsyncIterator

import pytest
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

from shared.storage.task_hub import AzureTaskHub

TABLES = {"SomeHubHistory", "SomeHubInstances"}
QUEUES = {"somehub-workitems", "somehub-control-00", "somehub-control-01"}


class Account:
    """A storage account with a task hub in it."""

    def __init__(self, connection_string: str) -> None:
        self.tables = TableServiceClient.from_connection_string(connection_string)
        self.queues = QueueServiceClient.from_connection_string(connection_string)
        self.hub = AzureTaskHub(self.tables, self.queues, "SomeHub", 2)

    async def make(self) -> None:
        for name in TABLES:
            await self.tables.create_table_if_not_exists(name)
        for name in QUEUES - {queue.name async for queue in self.queues.list_queues()}:
            await self.queues.create_queue(name)


@pytest.fixture
async def account(connection_string: str) -> AsyncIterator[Account]:
    made = Account(connection_string)
    await made.make()
    yield made
    await made.hub.close()


async def test_of_a_hub_that_is_whole_nothing_is_missing(account: Account) -> None:
    assert await account.hub.missing() == []
    await account.queues.create_queue("somehub-control-02")
    assert await account.hub.missing() == []
    await account.queues.delete_queue("somehub-control-02")


@pytest.mark.parametrize("name", sorted(QUEUES))
async def test_a_queue_that_was_deleted_is_missing(account: Account, name: str) -> None:
    await account.queues.delete_queue(name)
    assert await account.hub.missing() == [f"queue {name}"]


@pytest.mark.parametrize("name", sorted(TABLES))
async def test_a_table_that_was_deleted_is_missing(account: Account, name: str) -> None:
    await account.tables.delete_table(name)
    assert await account.hub.missing() == [f"table {name}"]


async def test_another_hub_is_no_substitute(account: Account) -> None:
    other = AzureTaskHub(account.tables, account.queues, "SomeHubs", 1)
    assert await other.missing() == [
        "queue somehubs-control-00",
        "queue somehubs-workitems",
        "table SomeHubsHistory",
        "table SomeHubsInstances",
    ]
