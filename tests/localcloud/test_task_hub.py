"""Observing a task hub of the real engine; the hub is made by hand in the storage emulator."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

from localcloud import azurite
from localcloud.azurite import Azurite
from localcloud.platform.task_hub import Look, TaskHub, until_quiet

SOON = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite.running(tmp_path_factory.mktemp("azurite")) as running:
        yield running


class HandMadeHub:
    """A hub with two control queues and one running instance."""

    def __init__(self, connection: str, name: str) -> None:
        self.name = name
        self._queues = QueueServiceClient.from_connection_string(connection)
        self._tables = TableServiceClient.from_connection_string(connection)
        self.hub = TaskHub(connection, name)
        self._rows = 0

    async def make(self) -> None:
        for queue in ("control-00", "control-01", "workitems"):
            await self._queues.create_queue(f"{self.name.lower()}-{queue}")
        for table in ("Instances", "History"):
            await self._tables.create_table(self.name + table)
        await self.instance("Running")

    async def close(self) -> None:
        for client in (self._queues, self._tables, self.hub):
            await client.close()

    async def message(self, queue: str, visible_after: int = 0) -> None:
        client = self._queues.get_queue_client(f"{self.name.lower()}-{queue}")
        await client.send_message("{}", visibility_timeout=visible_after)

    async def takes_message(self, queue: str) -> None:
        client = self._queues.get_queue_client(f"{self.name.lower()}-{queue}")
        assert await client.receive_message(visibility_timeout=60)

    async def instance(self, status: str, execution: str = "second") -> None:
        row = {"PartitionKey": "one", "RowKey": "", "ExecutionId": execution, "RuntimeStatus": status}
        await self._tables.get_table_client(self.name + "Instances").upsert_entity(row)

    async def event(self, kind: str, execution: str = "second", **fields: Any) -> None:
        self._rows += 1
        row = {"PartitionKey": "one", "RowKey": f"{self._rows:016}", "ExecutionId": execution}
        await self._tables.get_table_client(self.name + "History").create_entity(
            {**row, "EventType": kind, **fields}
        )


@pytest.fixture
async def made(storage: Azurite) -> AsyncIterator[HandMadeHub]:
    async with AsyncExitStack() as stack:
        hub = HandMadeHub(storage.connection_string, f"Hub{uuid4().hex[:8]}")
        stack.push_async_callback(hub.close)
        await hub.make()
        yield hub


async def test_an_instance_that_waits_for_an_event_leaves_the_hub_quiet(made: HandMadeHub) -> None:
    found = await made.hub.look()
    assert (found.busy, found.timers) == ("", ())


async def test_a_message_for_an_instance_is_pending_work(made: HandMadeHub) -> None:
    await made.message("control-01")
    assert (await made.hub.look()).busy == f"{made.name.lower()}-control-01: 1 messages"


async def test_a_timers_message_is_not_pending_work_until_it_is_due(made: HandMadeHub) -> None:
    await made.message("control-00", visible_after=60)
    assert not (await made.hub.look()).busy


async def test_a_call_in_progress_is_pending_work(made: HandMadeHub) -> None:
    await made.message("workitems")
    await made.takes_message("workitems")
    assert (await made.hub.look()).busy == f"{made.name.lower()}-workitems: 1 calls"


@pytest.mark.parametrize("answer", ["TaskCompleted", "TaskFailed"])
async def test_a_call_without_a_result_is_pending_work(made: HandMadeHub, answer: str) -> None:
    await made.event("TaskScheduled", EventId=0)
    assert (await made.hub.look()).busy == "1 calls without a result"
    await made.event(answer, TaskScheduledId=0)
    assert not (await made.hub.look()).busy


async def test_an_instance_that_has_not_started_is_pending_work(made: HandMadeHub) -> None:
    await made.instance("Pending")
    assert (await made.hub.look()).busy == "1 instances that have not started"


async def test_timers_that_have_not_fired_are_listed_soonest_first(made: HandMadeHub) -> None:
    later = SOON + timedelta(days=1)
    for number, due in enumerate((later, SOON, SOON - timedelta(days=1))):
        await made.event("TimerCreated", EventId=number, FireAt=due)
    await made.event("TimerFired", TimerId=2)
    assert (await made.hub.look()).timers == (SOON, later)


async def test_timers_of_an_earlier_execution_or_of_a_finished_instance_do_not_count(
    made: HandMadeHub,
) -> None:
    await made.event("TimerCreated", execution="first", EventId=0, FireAt=SOON)
    assert (await made.hub.look()).timers == ()
    await made.event("TimerCreated", EventId=0, FireAt=SOON)
    assert (await made.hub.look()).timers == (SOON,)
    await made.instance("Completed")
    assert (await made.hub.look()).timers == ()


async def test_the_marks_of_two_looks_differ_if_anything_happened_in_between(made: HandMadeHub) -> None:
    before = await made.hub.look()
    assert before.mark == (await made.hub.look()).mark
    await made.event("TimerFired", TimerId=9)
    after = await made.hub.look()
    await made.message("control-00", visible_after=60)
    assert len({before.mark, after.mark, (await made.hub.look()).mark}) == 3


class Looks:
    """A hub that returns these looks in order, then repeats the last one."""

    def __init__(self, *looks: Look) -> None:
        self.left = list(looks)

    async def look(self) -> Look:
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]


def quiet(mark: int) -> Look:
    return Look("", (), mark)


async def test_a_hub_is_quiet_after_several_equal_looks() -> None:
    """A turn in progress shows in no queue, but its results change the mark."""
    hub = Looks(
        quiet(1), quiet(1), quiet(2), Look("1 calls", (), None), quiet(3), quiet(3), quiet(3), quiet(4)
    )
    assert (await until_quiet(hub, 10, every=0)).mark == 3


async def test_the_wait_for_a_hub_that_is_never_quiet_times_out() -> None:
    with pytest.raises(TimeoutError, match="5 calls"):
        await until_quiet(Looks(Look("5 calls", (), None)), 0.05, every=0.01)
