"""The store: group commit, and units of work that fail alone."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from devhost.episode import Outcome
from devhost.errors import ManagementError
from devhost.history import task_completed
from devhost.status import Status
from devhost.store import ActivityRecord, Store, reads, writes
from devhost.timestamps import Micros

NOW = Micros(1_000_000)


@pytest.fixture
async def store(tmp_path: Path):
    opened = Store.open(tmp_path)
    yield opened
    await opened.close()


def add(connection: sqlite3.Connection, name: str) -> str:
    connection.execute("INSERT INTO settings (name, value) VALUES (?, 'x')", (name,))
    return name


def add_then_fail(connection: sqlite3.Connection, name: str) -> None:
    add(connection, name)
    raise ValueError(f"{name} is poisoned")


def names(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM settings")}


async def start(store: Store, instance_id: str = "one") -> int:
    return await store.write(writes.start_instance, writes.Start(instance_id, "work", "", None), NOW)


def outcome(status: Status = Status.RUNNING) -> Outcome:
    return Outcome(status, None, None, ())


async def test_a_failing_unit_undoes_only_its_own_writes(store: Store) -> None:
    units = [store.write(add_then_fail if number % 3 == 0 else add, f"n{number}") for number in range(30)]
    results = await asyncio.gather(*units, return_exceptions=True)
    assert store.read(names) == {f"n{number}" for number in range(30) if number % 3}
    assert [str(result) for result in results[:2]] == ["n0 is poisoned", "n1"]


async def test_every_commit_is_on_the_disk_before_it_is_reported(store: Store) -> None:
    def settings(connection: sqlite3.Connection) -> tuple[str, int]:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        (level,) = connection.execute("PRAGMA synchronous").fetchone()
        return mode, level

    full = 2
    assert await store.write(settings) == ("wal", full)


async def test_units_that_wait_share_a_transaction(store: Store) -> None:
    begun, all_queued, committed_before = threading.Event(), threading.Event(), []

    def hold_up(_: sqlite3.Connection) -> None:
        begun.set()
        assert all_queued.wait(10)

    def look_from_outside(_: sqlite3.Connection) -> None:
        committed_before.append("shared" in store.read(names))

    units = [store.write(hold_up)]
    assert await asyncio.to_thread(begun.wait, 10)
    units += [store.write(add, "shared"), store.write(look_from_outside)]
    all_queued.set()
    await asyncio.gather(*units)
    assert committed_before == [False]
    assert store.read(names) == {"shared"}


async def test_closing_commits_what_is_queued(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    queued = [store.write(add, f"n{number}") for number in range(100)]
    await store.close()
    assert len(await asyncio.gather(*queued)) == 100


async def test_an_episode_of_an_instance_that_was_replaced_changes_nothing(store: Store) -> None:
    await start(store)
    before = store.read(reads.instance_by_id, "one")
    assert before is not None
    await store.write(writes.commit_episode, writes.EpisodeCommit(before, [], outcome(Status.COMPLETED), NOW))
    await start(store)
    late = writes.EpisodeCommit(before, [], outcome(Status.FAILED), NOW)
    assert await store.write(writes.commit_episode, late) is False
    after = store.read(reads.instance_by_id, "one")
    assert after is not None
    assert after.status is Status.PENDING


async def test_a_result_of_an_ended_execution_is_dropped(store: Store) -> None:
    key = await start(store)
    gone = ActivityRecord(key, 0, "an execution that ended", "work", "null")
    assert await store.write(writes.complete_activity, gone, task_completed(NOW, 0, "1"), NOW) is False
    assert len(store.read(reads.due_messages, key, NOW)) == 1


async def test_the_messages_of_a_finished_instance_are_dropped(store: Store) -> None:
    key = await start(store)
    await store.write(writes.raise_event, "one", "go", "1", NOW)
    instance = store.read(reads.instance_by_id, "one")
    assert instance is not None
    await store.write(
        writes.commit_episode, writes.EpisodeCommit(instance, [], outcome(Status.COMPLETED), NOW)
    )
    assert store.read(reads.due_messages, key, NOW) == []
    with pytest.raises(ManagementError) as refusal:
        await store.write(writes.raise_event, "one", "go", "1", NOW)
    assert refusal.value.status == 410
