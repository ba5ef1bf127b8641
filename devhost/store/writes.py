"""Units of work: each runs completely inside the writer's transaction, or not at all."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from devhost.episode import Outcome, Restart, events_text
from devhost.errors import ManagementError
from devhost.history import Event, event_raised, execution_started, execution_terminated, timer_fired
from devhost.status import Status
from devhost.store.reads import FILTER, filter_values, instance_by_id
from devhost.store.records import ActivityRecord, Instance, InstanceFilter, Message, MessageKind, TimerStatus
from devhost.timestamps import Micros


@dataclass(frozen=True, slots=True)
class Start:
    """A request to start an instance; `raw_input` is JSON text or None."""

    instance_id: str
    name: str
    version: str
    raw_input: str | None
    replaces_running: bool = False


@dataclass(frozen=True, slots=True)
class EpisodeCommit:
    """All that one episode changes."""

    instance: Instance
    consumed: Sequence[Message]
    outcome: Outcome
    at: Micros


def start_instance(connection: sqlite3.Connection, start: Start, now: Micros) -> int:
    """Insert an instance with its first message, replacing a finished one with that id. Returns its key.

    Raises ManagementError (409) if an unfinished instance has that id.
    """
    known = instance_by_id(connection, start.instance_id)
    if known is not None and not (known.status.is_final or start.replaces_running):
        raise ManagementError(
            409, f"An Orchestration instance with the status {known.status} already exists."
        )
    if known is not None:
        _delete(connection, known.key)
    execution_id = uuid4().hex
    cursor = connection.execute(
        "INSERT INTO instances (instance_id, name, version, execution_id, status, input, created, updated, episode)"
        " VALUES (?, ?, ?, ?, 'Pending', ?, ?, ?, 0)",
        (start.instance_id, start.name, start.version, execution_id, start.raw_input, now, now),
    )
    assert cursor.lastrowid is not None
    _send(connection, cursor.lastrowid, MessageKind.START, now, _started(start, execution_id, now))
    return cursor.lastrowid


def raise_event(connection: sqlite3.Connection, instance_id: str, name: str, data: str, now: Micros) -> int:
    """Send an external event; `data` is JSON text. Returns the instance's key. Raises ManagementError (404, 410)."""
    key = _unfinished(connection, instance_id)
    _send(connection, key, MessageKind.EXTERNAL, now, event_raised(now, name, data))
    return key


def terminate(connection: sqlite3.Connection, instance_id: str, reason: str, now: Micros) -> int:
    """Ask an instance to end. Returns its key. Raises ManagementError (404, 410)."""
    key = _unfinished(connection, instance_id)
    _send(connection, key, MessageKind.EXTERNAL, now, execution_terminated(now, reason))
    return key


def purge_instance(connection: sqlite3.Connection, instance_id: str) -> None:
    """Delete a finished instance. Raises ManagementError (404 if unknown, 412 if it is not finished)."""
    instance = instance_by_id(connection, instance_id)
    if instance is None:
        raise ManagementError(404, f"No instance with ID {instance_id} found.")
    if not instance.status.is_final:
        raise ManagementError(
            412,
            "Only orchestrations in a terminal state can be purged, but the orchestration with instance ID "
            f"{instance_id} has status {instance.status}",
        )
    _delete(connection, instance.key)


def purge_instances(connection: sqlite3.Connection, wanted: InstanceFilter) -> int:
    """Delete the finished instances that match the filter. Returns how many."""
    finished = "status NOT IN ('Pending', 'Running')"
    query = f"SELECT key FROM instances WHERE {FILTER} AND {finished}"  # noqa: S608 - constants
    keys = [key for (key,) in connection.execute(query, filter_values(wanted))]
    for key in keys:
        _delete(connection, key)
    return len(keys)


def commit_episode(connection: sqlite3.Connection, commit: EpisodeCommit) -> bool:
    """Store an episode. Returns False and changes nothing if its instance was replaced or purged meanwhile."""
    instance, outcome = commit.instance, commit.outcome
    changed = connection.execute(
        "UPDATE instances SET status = ?, output = ?, custom_status = ?, updated = ?, episode = episode + 1"
        " WHERE key = ?",
        (outcome.status, outcome.output, outcome.custom_status, commit.at, instance.key),
    )
    if changed.rowcount == 0:
        return False
    connection.executemany("DELETE FROM messages WHERE seq = ?", [(m.seq,) for m in commit.consumed])
    if outcome.restart is not None:
        _restart(connection, instance, outcome.restart, commit.at)
        return True
    connection.execute(
        "INSERT INTO history (key, episode, events) VALUES (?, ?, ?)",
        (instance.key, instance.episode, events_text(outcome.events)),
    )
    if outcome.status.is_final:
        _silence(connection, instance.key)
    else:
        _dispatch(connection, commit)
    return True


def fail_unreadable(connection: sqlite3.Connection, key: int, text: str, now: Micros) -> None:
    """Fail an instance whose rows cannot be read, without reading them; `text` says why."""
    connection.execute(
        "UPDATE instances SET status = ?, output = ?, custom_status = NULL, updated = ? WHERE key = ?",
        (Status.FAILED, json.dumps(text), now, key),
    )
    _silence(connection, key)


def _dispatch(connection: sqlite3.Connection, commit: EpisodeCommit) -> None:
    instance = commit.instance
    for activity in commit.outcome.activities:
        connection.execute(
            "INSERT INTO activities (key, task_id, execution_id, name, input) VALUES (?, ?, ?, ?, ?)",
            (instance.key, activity.task_id, instance.execution_id, activity.name, activity.input),
        )
    for timer in commit.outcome.timers:
        fired = timer_fired(timer.fire_at, timer.task_id, timer.fire_at)
        _send(connection, instance.key, MessageKind.TIMER, timer.fire_at, fired)


def _restart(connection: sqlite3.Connection, instance: Instance, restart: Restart, now: Micros) -> None:
    execution_id = uuid4().hex
    start = Start(instance.instance_id, instance.name, instance.version, restart.raw_input)
    connection.execute(
        "UPDATE instances SET execution_id = ?, input = ?, created = ? WHERE key = ?",
        (execution_id, restart.raw_input, now, instance.key),
    )
    connection.execute("DELETE FROM history WHERE key = ?", (instance.key,))
    connection.execute("DELETE FROM activities WHERE key = ?", (instance.key,))
    connection.execute("DELETE FROM messages WHERE key = ? AND kind IN ('task', 'timer')", (instance.key,))
    _send(connection, instance.key, MessageKind.START, now, _started(start, execution_id, now))
    for event in restart.carried:
        _send(connection, instance.key, MessageKind.EXTERNAL, now, event)


def complete_activity(
    connection: sqlite3.Connection, activity: ActivityRecord, event: Event, now: Micros
) -> bool:
    """Replace a pending activity with its completion. Returns False if its execution has ended."""
    deleted = connection.execute(
        "DELETE FROM activities WHERE key = ? AND task_id = ? AND execution_id = ?",
        (activity.key, activity.task_id, activity.execution_id),
    )
    if deleted.rowcount == 0:
        return False
    _send(connection, activity.key, MessageKind.TASK, now, event)
    return True


def save_clock_offset(connection: sqlite3.Connection, offset: int) -> None:
    """Store the offset of the domain clock, in microseconds."""
    connection.execute(
        "INSERT OR REPLACE INTO settings (name, value) VALUES ('clock-offset', ?)", (str(offset),)
    )


def save_timer_status(connection: sqlite3.Connection, name: str, status: TimerStatus) -> None:
    """Store when a timer function last ran and will run next."""
    connection.execute(
        "INSERT OR REPLACE INTO timers (name, schedule, last, next, updated) VALUES (?, ?, ?, ?, ?)",
        (name, status.schedule, status.last, status.next, status.updated),
    )


def _started(start: Start, execution_id: str, now: Micros) -> Event:
    return execution_started(
        now,
        name=start.name,
        version=start.version,
        raw_input=start.raw_input,
        instance_id=start.instance_id,
        execution_id=execution_id,
    )


def _unfinished(connection: sqlite3.Connection, instance_id: str) -> int:
    instance = instance_by_id(connection, instance_id)
    if instance is None:
        raise ManagementError(404, f"No instance with ID {instance_id} found.")
    if instance.status.is_final:
        raise ManagementError(410, f"Instance {instance_id} is {instance.status}.")
    return instance.key


def _send(connection: sqlite3.Connection, key: int, kind: MessageKind, due: Micros, event: Event) -> None:
    connection.execute(
        "INSERT INTO messages (key, due, kind, event) VALUES (?, ?, ?, ?)",
        (key, due, kind, events_text([event])),
    )


def _silence(connection: sqlite3.Connection, key: int) -> None:
    connection.execute("DELETE FROM messages WHERE key = ?", (key,))
    connection.execute("DELETE FROM activities WHERE key = ?", (key,))


def _delete(connection: sqlite3.Connection, key: int) -> None:
    _silence(connection, key)
    connection.execute("DELETE FROM history WHERE key = ?", (key,))
    connection.execute("DELETE FROM instances WHERE key = ?", (key,))
