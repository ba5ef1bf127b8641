"""Requests are noted as what they are, and pass the proxies unharmed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from localcloud import azurite
from localcloud.platform.engine_clock import HUB
from tests.platform.storage_requests import Recorder

INSTANCES, CONTROL = f"{HUB}Instances", f"{HUB}-control-00"


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Recorder, str]]:
    """A recorder, and the connection string that leads through it."""
    folder: Path = tmp_path_factory.mktemp("azurite")
    with azurite.running(folder) as running, Recorder() as recorder:
        ports = recorder.watch(running.ports)
        text = azurite.connection_string(folder, ports)
        with TableServiceClient.from_connection_string(text) as tables:
            for name in ("referrals", INSTANCES, f"{HUB}Partitions"):
                tables.create_table(name)
        with QueueServiceClient.from_connection_string(text) as queues:
            queues.create_queue(CONTROL)
        yield recorder, text


@pytest.fixture
def recorder(storage: tuple[Recorder, str]) -> Recorder:
    storage[0].seen.clear()
    return storage[0]


def seen(recorder: Recorder) -> list[tuple[str, str, bool, bool]]:
    return [(each.kind, each.name, each.by_engine, each.idle) for each in recorder.seen]


def test_requests_of_tables_are_told_apart(recorder: Recorder, storage: tuple[Recorder, str]) -> None:
    row = {"PartitionKey": "a", "RowKey": "b'ü"}
    with TableServiceClient.from_connection_string(storage[1]) as account:
        table = account.get_table_client("referrals")
        table.create_entity(row)
        assert table.get_entity("a", "b'ü")["RowKey"] == "b'ü"
        table.submit_transaction([("upsert", row)])
        table.upsert_entity(row)
        assert len(list(table.query_entities("PartitionKey eq 'a'"))) == 1
        table.delete_entity(row)
        list(account.get_table_client(INSTANCES).list_entities())
        list(account.get_table_client(f"{HUB}Partitions").list_entities())
    kinds = ("insert", "get", "batch", "update", "query", "delete")
    assert seen(recorder) == [
        *((kind, "referrals", False, False) for kind in kinds),
        ("query", INSTANCES, True, False),
        ("query", f"{HUB}Partitions", True, True),
    ]
    assert all(each.status < 300 for each in recorder.seen)


def test_a_read_of_a_queue_counts_when_it_brings_messages(
    recorder: Recorder, storage: tuple[Recorder, str]
) -> None:
    with QueueServiceClient.from_connection_string(storage[1]) as account:
        queue = account.get_queue_client(CONTROL)
        assert queue.receive_message() is None
        queue.get_queue_properties()
        queue.send_message("one")
        queue.peek_messages()
        message = queue.receive_message()
        assert message is not None
        queue.delete_message(queue.update_message(message, visibility_timeout=0))
    kinds = [(kind, idle) for kind, _, _, idle in seen(recorder)]
    assert kinds == [
        ("receive", True),
        ("length", True),
        ("send", False),
        ("look", True),
        ("receive", False),
        ("update", False),
        ("delete", False),
    ]
    assert {(name, by_engine) for _, name, by_engine, _ in seen(recorder)} == {(CONTROL, True)}
