"""Runs the activities that orchestrations scheduled, each at least once, until its result is stored."""

import asyncio
import json
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping

from devhost.calls import WorkerDiedError
from devhost.clock import DomainClock
from devhost.functions import Function
from devhost.history import Event, task_completed, task_failed
from devhost.invocation import Invoker
from devhost.meter import WorkMeter
from devhost.repeated_writes import RepeatedWrites
from devhost.store import ActivityRecord
from devhost.store.writes import complete_activity

_log = logging.getLogger(__name__)


class ActivityRunner:
    """Runs activities in order of arrival, as many at once as host.json allows."""

    def __init__(
        self,
        *,
        functions: Mapping[str, Function],
        invoker: Invoker,
        writer: RepeatedWrites,
        clock: DomainClock,
        meter: WorkMeter,
        limit: int,
        notify: Callable[[int], None],
    ) -> None:
        """`functions` by case-folded durable name; `notify` is called with an instance's key."""
        self._functions = functions
        self._invoker = invoker
        self._writer = writer
        self._clock = clock
        self._meter = meter
        self._limit = limit
        self._notify = notify
        self._waiting: deque[ActivityRecord] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False

    def enqueue(self, activity: ActivityRecord) -> None:
        """Queue an activity that is stored on disk."""
        self._meter.begin()
        self._waiting.append(activity)
        self._start_some()

    def stop(self) -> None:
        """Start no more activities; those that wait stay on disk."""
        self._stopping = True

    async def close(self) -> None:
        """Cancel running activities; they run again at the next start."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _start_some(self) -> None:
        while self._waiting and len(self._running) < self._limit and not self._stopping:
            task = asyncio.create_task(self._run(self._waiting.popleft()))
            self._running.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            _log.error("activity.not_finished; it runs again at the next start", exc_info=failure)
        self._meter.end()
        self._start_some()

    async def _run(self, activity: ActivityRecord) -> None:
        completion = await self._completion(activity)
        try:
            awaited = await self._writer.write(complete_activity, activity, completion, self._clock.now())
        except sqlite3.Error as failure:
            _log.exception("activity.result_not_stored name=%s", activity.name)
            refused = self._failure(
                activity, f"its result cannot be stored: {type(failure).__name__}: {failure}"
            )
            awaited = await self._writer.write(complete_activity, activity, refused, self._clock.now())
        if awaited:
            self._notify(activity.key)

    async def _completion(self, activity: ActivityRecord) -> Event:
        function = self._functions.get(activity.name.casefold())
        if function is None:
            return self._failure(activity, f"this app has no activity '{activity.name}' any more")
        try:
            result = await self._invoker.call_activity(function, activity.input)
        except WorkerDiedError as failure:
            _log.warning("activity.died name=%s task=%d", activity.name, activity.task_id)
            return self._failure(activity, str(failure))
        except Exception as failure:  # noqa: BLE001 - any error of the app becomes the task's failure
            _log.warning("activity.failed name=%s task=%d", activity.name, activity.task_id, exc_info=True)
            return self._failure(activity, f"{type(failure).__name__}: {failure}")
        return task_completed(self._clock.now(), activity.task_id, result)

    def _failure(self, activity: ActivityRecord, text: str) -> Event:
        """Report a failure in the extension's format, which the SDK passes to the orchestrator."""
        details = {
            "$type": "System.Exception, System.Private.CoreLib",
            "ClassName": "System.Exception",
            "Message": text,
            "Data": None,
            "InnerException": None,
        }
        reason = f"Activity function '{activity.name}' failed: {text}"
        return task_failed(
            self._clock.now(),
            activity.task_id,
            reason,
            json.dumps(details, separators=(",", ":")),
        )
