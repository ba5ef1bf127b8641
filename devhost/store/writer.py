"""Group commit: one thread drains the queued units of work into one transaction, so that they share one fsync."""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

_log = logging.getLogger(__name__)
_LARGEST_GROUP = 256

T = TypeVar("T")
Unit = Callable[[sqlite3.Connection], T]


@dataclass(slots=True)
class _Queued:
    unit: Unit[Any]
    future: asyncio.Future[Any]
    result: Any = None
    failure: Exception | None = None


class Writer:
    """Runs units of work on the only connection that writes."""

    def __init__(self, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._loop = loop
        self._queue: queue.SimpleQueue[_Queued | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="devhost-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    async def stop(self) -> None:
        """Commit what is queued and end the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def submit(self, unit: Unit[T]) -> asyncio.Future[T]:
        """Queue a unit. The future settles after its commit is on the disk, or with the unit's own error.

        A unit runs under a savepoint: its failure undoes only its own writes.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Queued(unit, future))
        return future

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group, more = self._drain(first)
            self._commit(group)
            self._loop.call_soon_threadsafe(_settle, group)
            if not more:
                return

    def _drain(self, first: _Queued) -> tuple[list[_Queued], bool]:
        group = [first]
        while len(group) < _LARGEST_GROUP:
            try:
                queued = self._queue.get_nowait()
            except queue.Empty:
                break
            if queued is None:
                return group, False
            group.append(queued)
        return group, True

    def _commit(self, group: list[_Queued]) -> None:
        try:
            if self._connection.in_transaction:  # the group before could not even be rolled back
                self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN IMMEDIATE")
            for queued in group:
                self._perform(queued)
            self._connection.execute("COMMIT")
        except Exception as failure:  # noqa: BLE001 - the futures of the units get the error; the thread must go on
            _log.error("store.commit_failed units=%d error=%r", len(group), failure)
            for queued in group:
                queued.failure = failure
            self._roll_back()

    def _roll_back(self) -> None:
        """Undo the transaction; after some errors, such as a full disk, SQLite has already done so."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            _log.exception("store.rollback_failed; it is tried again before the next commit")

    def _perform(self, queued: _Queued) -> None:
        self._connection.execute("SAVEPOINT unit")
        try:
            queued.result = queued.unit(self._connection)
        except Exception as failure:
            if not self._connection.in_transaction:  # the disk is full: SQLite has undone the whole group
                raise
            queued.failure = failure
            self._connection.execute("ROLLBACK TO unit")
        self._connection.execute("RELEASE unit")


def _settle(group: list[_Queued]) -> None:
    for queued in group:
        if queued.future.done():
            continue
        if queued.failure is not None:
            queued.future.set_exception(queued.failure)
        else:
            queued.future.set_result(queued.result)
