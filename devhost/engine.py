"""Runs an episode for each instance with messages, and commits it before acting on its outcome."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from devhost.calls import Calls, WorkerDiedError
from devhost.clock import DomainClock
from devhost.episode import Execution, Outcome, failed_outcome, run_episode
from devhost.episode_log import log_outcome
from devhost.meter import WorkMeter
from devhost.orchestrator import OrchestratorFunction
from devhost.repeated_writes import RepeatedWrites
from devhost.store import ActivityRecord, Instance, Message, Store, reads, writes
from devhost.store.failures import is_damage, may_pass
from devhost.timestamps import Micros

_log = logging.getLogger(__name__)

# More would compete for the interpreter; with fewer, one endless orchestrator would block all.
_THREADS = 4
_READ_AGAIN = 1.0
"""How many seconds later an instance that could not be read is read again."""


@dataclass(frozen=True, slots=True)
class DurableFunctions:
    """The orchestrators and the activities' names, by case-folded durable name."""

    orchestrators: Mapping[str, OrchestratorFunction]
    activities: frozenset[str]

    def without_orchestrator(self, name: str) -> str:
        """Return why an instance of this name fails."""
        known = ", ".join(f"'{one}'" for one in sorted(self.orchestrators)) or "none"
        return (
            f"The function '{name}' doesn't exist, is disabled, or is not an orchestrator function. "
            f"This app's orchestrator functions: {known}."
        )


class Engine:
    """Schedules episodes. One instance runs one episode at a time; instances do not wait for each other's commits."""

    def __init__(
        self,
        *,
        functions: DurableFunctions,
        store: Store,
        writer: RepeatedWrites,
        clock: DomainClock,
        meter: WorkMeter,
        limit: int,
        timeout: timedelta | None,
        on_exit: Callable[[], object],
    ) -> None:
        """`limit` is how many episodes may run at once, `timeout` how many seconds one may compute.

        `on_exit` is called when an orchestrator calls sys.exit.
        """
        self._functions = functions
        self._store = store
        self._writer = writer
        self._clock = clock
        self._meter = meter
        self._limit = limit
        self._timeout = None if timeout is None else timeout.total_seconds()
        self._run_activity: Callable[[ActivityRecord], None] = _not_connected
        self._notice_timer: Callable[[Micros], None] = _not_connected
        self._ready: dict[int, None] = {}
        self._running: set[int] = set()
        self._again: set[int] = set()
        self._work = asyncio.Event()
        self._progress = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._episodes: set[asyncio.Task[None]] = set()
        self._calls = Calls(_THREADS, "devhost-orchestrator", on_exit)

    def connect(
        self, run_activity: Callable[[ActivityRecord], None], notice_timer: Callable[[Micros], None]
    ) -> None:
        """Set the callbacks for new activities and for future timers; they are called once these are on disk."""
        self._run_activity = run_activity
        self._notice_timer = notice_timer

    def start(self) -> asyncio.Task[None]:
        """Resume the stored work and run episodes, in a task that ends with stop()."""
        for key in self._store.read(reads.due_keys, self._clock.now()):
            self.wake(key)
        self._pump = asyncio.create_task(self._run())
        return self._pump

    async def stop(self) -> None:
        """Start no more episodes; one that is not committed yet runs again at the next start."""
        tasks = [*self._episodes, *([self._pump] if self._pump else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._calls.close(grace=0)

    def fail_all(self) -> int:
        """Fail the instances whose orchestrators are computing, as the death of the worker does; return how many."""
        return self._calls.fail_all()

    async def progress(self, deadline: float) -> None:
        """Wait until an episode is committed, or until `deadline` (in the loop's time)."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._progress.wait()
        except TimeoutError:
            return

    def wake(self, key: int) -> None:
        """Called when an instance has a message; it is on disk by then."""
        if key in self._running:
            self._again.add(key)
        elif key not in self._ready:
            self._meter.begin()
            self._ready[key] = None
            self._work.set()

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            while self._ready and len(self._running) < self._limit:
                key = next(iter(self._ready))
                del self._ready[key]
                self._running.add(key)
                self._begin(key)
                await asyncio.sleep(0)
            self._work.clear()

    def _begin(self, key: int) -> None:
        try:
            self._load(key, self._clock.now())
        except (sqlite3.Error, ValueError) as failure:
            self._unreadable(key, failure)

    def _unreadable(self, key: int, failure: sqlite3.Error | ValueError) -> None:
        """Read the instance again soon if that may help; fail it if its rows have invalid content."""
        if isinstance(failure, sqlite3.Error) and (may_pass(failure) or is_damage(failure)):
            _log.error("episode.not_read key=%d error=%r; it is tried again", key, failure)
            asyncio.get_running_loop().call_later(_READ_AGAIN, self.wake, key)
            self._release(key)
            return
        _log.error("episode.unreadable key=%d error=%r; the instance fails", key, failure)
        self._run_episode(self._fail_unreadable(key, failure))

    async def _fail_unreadable(self, key: int, failure: Exception) -> None:
        try:
            await self._writer.write(
                writes.fail_unreadable, key, f"its state cannot be read: {failure}", self._clock.now()
            )
        finally:
            self._release(key)

    def _run_episode(self, episode: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(episode)
        self._episodes.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._episodes.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            _log.error("episode.not_finished; it runs again at the next start", exc_info=failure)

    def _load(self, key: int, now: Micros) -> None:
        instance = self._store.read(reads.instance_by_key, key)
        messages = self._store.read(reads.due_messages, key, now)
        if instance is None or not messages or instance.status.is_final:
            self._release(key)
            return
        self._meter.count_episode(instance.instance_id)
        now = Micros(max(now, *(message.due for message in messages)))
        history = self._store.read(reads.history, instance.key)
        execution = _execution(instance, history)
        self._run_episode(self._episode(instance, execution, messages, now))

    async def _episode(
        self, instance: Instance, execution: Execution, messages: list[Message], now: Micros
    ) -> None:
        function = self._functions.orchestrators.get(instance.name.casefold())
        if function is None:
            outcome = failed_outcome(execution, self._functions.without_orchestrator(instance.name), now)
        else:
            outcome = await self._outcome(execution, messages, now, function)
        try:
            await self._store_episode(writes.EpisodeCommit(instance, messages, outcome, now))
        finally:
            self._release(instance.key)

    async def _outcome(
        self, execution: Execution, messages: list[Message], now: Micros, function: OrchestratorFunction
    ) -> Outcome:
        """Run the episode in a thread, so that a long computation blocks neither HTTP nor other instances."""
        events = [message.event for message in messages]
        episode = partial(run_episode, execution, events, now, function, self._functions.activities)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._calls.in_thread(episode)
        except TimeoutError:
            text = f"it ran for {self._timeout} s without yielding; leave computing and waiting to activities"
        except WorkerDiedError as failure:
            # The text of the real extension, which waits for the worker together with other tasks that may fail.
            text = f"One or more errors occurred. ({failure})"
        except Exception as failure:  # noqa: BLE001 - a broken instance must not stop the others
            _log.exception("episode.broken instance=%s", execution.instance_id)
            text = f"devhost could not run it: {type(failure).__name__}: {failure}"
        return failed_outcome(execution, text, now)

    async def _store_episode(self, commit: writes.EpisodeCommit) -> None:
        """Commit the episode; fail the instance if the store cannot hold the episode's content."""
        try:
            stored = await self._writer.write(writes.commit_episode, commit)
        except Exception as failure:  # noqa: BLE001 - any error concerns only this instance
            _log.error("episode.not_stored instance=%s error=%r", commit.instance.instance_id, failure)
            commit = _substitute(commit, failure)
            stored = await self._writer.write(writes.commit_episode, commit)
        if stored:
            self._follow_up(commit)

    def _follow_up(self, commit: writes.EpisodeCommit) -> None:
        instance, outcome = commit.instance, commit.outcome
        log_outcome(instance, outcome)
        for activity in outcome.activities:
            self._run_activity(
                ActivityRecord(
                    instance.key, activity.task_id, instance.execution_id, activity.name, activity.input
                )
            )
        for timer in outcome.timers:
            if timer.fire_at <= self._clock.now():
                self._again.add(instance.key)
            else:
                self._notice_timer(timer.fire_at)
        if outcome.restart is not None:
            self._again.add(instance.key)

    def _release(self, key: int) -> None:
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.wake(key)
        self._meter.end()
        self._work.set()
        self._progress.set()
        self._progress = asyncio.Event()


def _not_connected(_: Any) -> None:
    raise AssertionError("the engine is used before connect()")


def _execution(instance: Instance, history: str) -> Execution:
    return Execution(instance.instance_id, instance.name, instance.input, history, instance.custom_status)


def _substitute(commit: writes.EpisodeCommit, failure: BaseException) -> writes.EpisodeCommit:
    text = f"its episode could not be stored: {type(failure).__name__}: {failure}"
    return replace(commit, outcome=failed_outcome(_execution(commit.instance, ""), text, commit.at))
