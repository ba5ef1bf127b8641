"""Observes a task hub of the real durable engine: whether work is pending, and what is due next.

The engine (Azure Storage backend) keeps messages in queues and each instance's history in a table. A timer is a
message that becomes visible when it is due.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

_FINISHED = frozenset({"Completed", "Failed", "Terminated", "Canceled"})
_OPENING = {"TaskScheduled": "EventId", "TimerCreated": "EventId"}
_CLOSING = {"TaskCompleted": "TaskScheduledId", "TaskFailed": "TaskScheduledId", "TimerFired": "TimerId"}
_HISTORY = ["PartitionKey", "ExecutionId", "EventType", "EventId", "TaskScheduledId", "TimerId", "FireAt"]


@dataclass(frozen=True)
class Look:
    """The state of the hub at one moment.

    `busy` describes the pending work, empty if there is none; `timers` are the sorted due times of running
    instances; `mark` differs between two looks if anything happened in between.
    """

    busy: str
    timers: tuple[datetime, ...]
    mark: object


class Observable(Protocol):
    """A task hub, or a double of one."""

    async def look(self) -> Look:
        """See `TaskHub.look`."""


class TaskHub:
    """The task hub `name` in a storage account."""

    def __init__(self, connection_string: str, name: str) -> None:
        self._name = name
        self._queues = QueueServiceClient.from_connection_string(connection_string)
        self._tables = TableServiceClient.from_connection_string(connection_string)

    async def close(self) -> None:
        await self._queues.close()
        await self._tables.close()

    async def look(self) -> Look:
        """Read queues and histories. Raises AzureError."""
        messages = [await self._messages(name) for name in await self._queue_names()]
        waiting = [f"{name}: {busy}" for name, busy, _ in messages if busy]
        if waiting:
            return Look(", ".join(waiting), (), None)
        busy, timers, last = await self._instances()
        return Look(busy, timers, (last, tuple(count for _, _, count in messages)))

    async def _queue_names(self) -> list[str]:
        prefix = f"{self._name.lower()}-"
        return [queue.name async for queue in self._queues.list_queues(name_starts_with=prefix)]

    async def _messages(self, name: str) -> tuple[str, str, int]:
        """Return a queue's name, its pending work in words, and its number of messages, timers included.

        The work-item queue has no timers: each message is an activity call, waiting or in progress.
        """
        queue = self._queues.get_queue_client(name)
        count = (await queue.get_queue_properties()).approximate_message_count or 0
        if name.endswith("-workitems"):
            return name, f"{count} calls" if count else "", count
        visible = len(await queue.peek_messages(max_messages=32))
        return name, f"{visible} messages" if visible else "", count

    async def _instances(self) -> tuple[str, tuple[datetime, ...], object]:
        running = {
            row["PartitionKey"]: row
            async for row in self._rows("Instances", "", ["PartitionKey", "ExecutionId", "RuntimeStatus"])
            if row["RuntimeStatus"] not in _FINISHED
        }
        pending = [key for key, row in running.items() if row["RuntimeStatus"] == "Pending"]
        if pending:
            return f"{len(pending)} instances that have not started", (), None
        kinds = " or ".join(f"EventType eq '{kind}'" for kind in (*_OPENING, *_CLOSING))
        history = [row async for row in self._rows("History", kinds, _HISTORY)]
        calls, timers = _open(row for row in history if _is_current(row, running))
        return f"{calls} calls without a result" if calls else "", timers, len(history)

    def _rows(self, table: str, query: str, select: list[str]) -> Any:
        return self._tables.get_table_client(f"{self._name}{table}").query_entities(query, select=select)


def _is_current(row: Mapping[str, Any], running: Mapping[str, Mapping[str, Any]]) -> bool:
    """The table may still hold histories of earlier executions of an instance."""
    instance = running.get(row["PartitionKey"])
    return instance is not None and row.get("ExecutionId") == instance.get("ExecutionId")


def _open(history: Iterable[Mapping[str, Any]]) -> tuple[int, tuple[datetime, ...]]:
    """Return how many calls have no result, and when the timers that have not fired are due."""
    opened: dict[str, dict[Any, Mapping[str, Any]]] = defaultdict(dict)
    closed: dict[str, set[Any]] = defaultdict(set)
    for row in history:
        kind, instance = row["EventType"], row["PartitionKey"]
        if kind in _OPENING:
            opened[instance][row[_OPENING[kind]]] = row
        else:
            closed[instance].add(row.get(_CLOSING[kind]))
    waiting = [
        row for instance, rows in opened.items() for key, row in rows.items() if key not in closed[instance]
    ]
    timers = tuple(sorted(row["FireAt"] for row in waiting if row["EventType"] == "TimerCreated"))
    return sum(row["EventType"] == "TaskScheduled" for row in waiting), timers


async def until_quiet(hub: Observable, seconds: float, looks: int = 3, every: float = 0.1) -> Look:
    """Look until several looks in a row find no pending work and no change in between; return the last.

    An orchestrator turn in progress shows in no queue, so one look is not enough. Raises TimeoutError that
    names the pending work.
    """
    end = asyncio.get_running_loop().time() + seconds
    seen: list[Look] = []
    while len(seen) < looks:
        found = await hub.look()
        seen = [] if found.busy else [*(each for each in seen if each.mark == found.mark), found]
        if len(seen) < looks and asyncio.get_running_loop().time() > end:
            raise TimeoutError(found.busy or "turns that do not end")
        await asyncio.sleep(every)
    return seen[-1]
