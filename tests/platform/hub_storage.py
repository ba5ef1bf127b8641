"""What the real engine keeps of a task hub in Azure Storage, to be looked at and to be damaged.

Control queues hold messages to orchestrations (a timer is one that stays hidden until it is due), the work-item queue
those to activities. The table Instances has one row for each instance, History the rows of each execution.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any, Self

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableClient, TableServiceClient, UpdateMode
from azure.storage.queue import QueueClient, QueueServiceClient

from localcloud.platform.engine_clock import HUB

Row = dict[str, Any]
LARGEST_BATCH = 100
"""Rows of one partition that are written together, at most."""
_WRITERS = 4


class HubStorage:
    """The queues and tables of the hub of this name."""

    def __init__(self, connection_string: str, name: str = HUB) -> None:
        self.name = name
        self.account = TableServiceClient.from_connection_string(connection_string)
        self._queues = QueueServiceClient.from_connection_string(connection_string)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.account.close()
        self._queues.close()

    # Queues

    def clear_control_queues(self) -> None:
        """Lose all messages to orchestrations, timers among them."""
        for queue in self._all_queues("control-"):
            queue.clear_messages()

    def clear_work_items(self) -> None:
        """Lose all messages to activities, those that are being worked on among them."""
        self._queue("workitems").clear_messages()

    def work_items(self) -> int:
        """How many messages to activities there are, those that are being worked on among them."""
        return self._queue("workitems").get_queue_properties().approximate_message_count or 0

    def called_for(self) -> set[str]:
        """The instances for which there are calls of activities that nobody is working on, of the first 32."""
        messages = self._queue("workitems").peek_messages(max_messages=32)
        return {_addressee(json.loads(message.content)) for message in messages}

    def visible(self) -> int:
        """How many messages the engine could take now, at most 32 of each queue."""
        return sum(len(queue.peek_messages(max_messages=32)) for queue in self._all_queues(""))

    def send(self, instance_id: str, message: Row, hidden_for: float = 0) -> None:
        """Put a message to an instance into its control queue, hidden for so many seconds (7 days at most)."""
        queue = self._queue(f"control-{self.partition_of(instance_id):02}")
        queue.send_message(json.dumps(message), visibility_timeout=round(hidden_for), time_to_live=-1)

    def partition_of(self, instance_id: str) -> int:
        """Which control queue an instance has: FNV-1a of its id, modulo the number of queues."""
        fnv = 2166136261
        for byte in instance_id.encode():
            fnv = (fnv ^ byte) * 16777619 & 0xFFFFFFFF
        return fnv % len(self._all_queues("control-"))

    # Tables

    def instance(self, instance_id: str) -> Row | None:
        """The row of an instance."""
        try:
            return dict(self.table("Instances").get_entity(instance_id, ""))
        except ResourceNotFoundError:
            return None

    def status(self, instance_id: str) -> str | None:
        """How an instance is by its row, if there is one."""
        row = self.instance(instance_id)
        return row["RuntimeStatus"] if row else None

    def change_instance(self, instance_id: str, **changes: Any) -> None:
        """Change fields of an instance's row."""
        row = {"PartitionKey": instance_id, "RowKey": "", **changes}
        self.table("Instances").update_entity(row, UpdateMode.MERGE)

    def history(self, instance_id: str) -> list[Row]:
        """The rows of an instance's history in order, the one that closes it (`sentinel`) last."""
        found = self.table("History").query_entities(f"PartitionKey eq '{instance_id}'")
        return [dict(row) for row in found]

    def open_calls(self, instance_id: str) -> int:
        """How many activities an instance has asked for that nobody answered."""
        rows = self.history(instance_id)
        asked = {row["EventId"] for row in rows if row.get("EventType") == "TaskScheduled"}
        return len(asked - {row.get("TaskScheduledId") for row in rows})

    def rests(self, instance_id: str) -> bool:
        """Whether an instance runs, has a timer and all answers that it asked for: it waits."""
        rows = self.history(instance_id)
        ran = any(row.get("EventType") == "TimerCreated" for row in rows)
        return ran and self.status(instance_id) == "Running" and not self.open_calls(instance_id)

    def change_history(self, row: Row, **changes: Any) -> None:
        """Change fields of a row of a history."""
        key = {"PartitionKey": row["PartitionKey"], "RowKey": row["RowKey"]}
        self.table("History").update_entity({**key, **changes}, UpdateMode.MERGE)

    def forget_history(self, rows: Iterable[Row]) -> None:
        """Lose rows of a history."""
        for row in rows:
            self.table("History").delete_entity(row["PartitionKey"], row["RowKey"])

    def forget_instance(self, instance_id: str) -> None:
        """Lose all of an instance, its row and its history, without asking the engine."""
        self.forget_history(self.history(instance_id))
        self.table("Instances").delete_entity(instance_id, "")

    def table(self, kind: str) -> TableClient:
        """`Instances` or `History`."""
        return self.account.get_table_client(f"{self.name}{kind}")

    def drop(self) -> None:
        """Lose the hub: all of its queues and tables."""
        for queue in self._all_queues(""):
            queue.delete_queue()
        for table in [each.name for each in self.account.list_tables() if each.name.startswith(self.name)]:
            self.account.delete_table(table)

    def _queue(self, name: str) -> QueueClient:
        return self._queues.get_queue_client(f"{self.name.lower()}-{name}")

    def _all_queues(self, prefix: str) -> list[QueueClient]:
        found = self._queues.list_queues(name_starts_with=f"{self.name.lower()}-{prefix}")
        return [self._queues.get_queue_client(each.name) for each in found]


def _addressee(message: Row) -> str:
    return str(message["TaskMessage"]["OrchestrationInstance"]["InstanceId"])


def insert(table: TableClient, rows: Iterable[Row]) -> None:
    """Write rows, those of one partition in transactions, several at once."""
    ordered = sorted(rows, key=lambda row: row["PartitionKey"])
    partitions = [list(group) for _, group in groupby(ordered, key=lambda row: row["PartitionKey"])]
    batches = [
        rows[start : start + LARGEST_BATCH]
        for rows in partitions
        for start in range(0, len(rows), LARGEST_BATCH)
    ]
    at_once(lambda batch: table.submit_transaction([("upsert", row) for row in batch]), batches)


def at_once(act: Callable[[Any], object], items: Sequence[Any]) -> None:
    """Act on each item, a few at a time. Raises what the first that fails raises."""
    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(act, items))
