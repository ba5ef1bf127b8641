"""Queries. They see committed data only, and never wait for the writer."""

import json
import sqlite3
from dataclasses import asdict, fields
from typing import Any

from devhost.status import Status
from devhost.store.records import ActivityRecord, Instance, InstanceFilter, Message, MessageKind, TimerStatus
from devhost.timestamps import Micros

_COLUMNS = tuple(member.name for member in fields(Instance))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM instances"  # noqa: S608 - constants


def _instance_of(row: tuple[Any, ...]) -> Instance:
    members = dict(zip(_COLUMNS, row, strict=True))
    return Instance(**{**members, "status": Status(members["status"])})


def instance_by_id(connection: sqlite3.Connection, instance_id: str) -> Instance | None:
    """Find an instance by its instance id."""
    row = connection.execute(f"{_SELECT} WHERE instance_id = ?", (instance_id,)).fetchone()
    return None if row is None else _instance_of(row)


def instance_by_key(connection: sqlite3.Connection, key: int) -> Instance | None:
    """Find an instance by its key."""
    row = connection.execute(f"{_SELECT} WHERE key = ?", (key,)).fetchone()
    return None if row is None else _instance_of(row)


FILTER = """
    key > :after_key
    AND (:created_from IS NULL OR created >= :created_from)
    AND (:created_to IS NULL OR created <= :created_to)
    AND (:id_prefix IS NULL OR substr(instance_id, 1, length(:id_prefix)) = :id_prefix)
    AND (:statuses IS NULL OR status IN (SELECT value FROM json_each(:statuses)))
"""


def filter_values(wanted: InstanceFilter) -> dict[str, Any]:
    """Return the parameters of FILTER."""
    return {**asdict(wanted), "statuses": json.dumps(wanted.statuses) if wanted.statuses else None}


def instances(connection: sqlite3.Connection, wanted: InstanceFilter) -> list[Instance]:
    """List instances in order of creation."""
    order = "DESC" if wanted.newest_first else "ASC"
    query = f"{_SELECT} WHERE {FILTER} ORDER BY key {order} LIMIT :limit"
    return [_instance_of(row) for row in connection.execute(query, filter_values(wanted))]


def history(connection: sqlite3.Connection, key: int) -> str:
    """Return the recorded events of the current execution, as the inside of a JSON array."""
    rows = connection.execute("SELECT events FROM history WHERE key = ? ORDER BY episode", (key,))
    return ",".join(events for (events,) in rows)


def due_messages(connection: sqlite3.Connection, key: int, now: Micros) -> list[Message]:
    """Return the messages that are due for an instance: the start first, then in order of arrival."""
    rows = connection.execute(
        "SELECT seq, kind, due, event FROM messages WHERE key = ? AND (due <= ? OR kind <> 'timer')"
        " ORDER BY kind <> 'start', due, seq",
        (key, now),
    )
    return [Message(seq, MessageKind(kind), due, json.loads(event)) for seq, kind, due, event in rows]


def due_keys(connection: sqlite3.Connection, now: Micros) -> list[int]:
    """Return the instances with messages that are due."""
    rows = connection.execute("SELECT DISTINCT key FROM messages WHERE due <= ? OR kind <> 'timer'", (now,))
    return [key for (key,) in rows]


def keys_due_between(connection: sqlite3.Connection, after: Micros, until: Micros) -> list[int]:
    """Return the instances with a message due in (after, until]."""
    rows = connection.execute("SELECT DISTINCT key FROM messages WHERE due > ? AND due <= ?", (after, until))
    return [key for (key,) in rows]


def next_due(connection: sqlite3.Connection, after: Micros) -> Micros | None:
    """Return when the next message is due."""
    (due,) = connection.execute("SELECT min(due) FROM messages WHERE due > ?", (after,)).fetchone()
    return None if due is None else Micros(due)


def pending_activities(connection: sqlite3.Connection) -> list[ActivityRecord]:
    """Return the scheduled activities without a recorded result."""
    rows = connection.execute(
        "SELECT key, task_id, execution_id, name, input FROM activities ORDER BY key, task_id"
    )
    return [ActivityRecord(*row) for row in rows]


def timer_status(connection: sqlite3.Connection, name: str) -> TimerStatus | None:
    """Return the record of a timer function."""
    query = "SELECT schedule, last, next, updated FROM timers WHERE name = ?"
    row = connection.execute(query, (name,)).fetchone()
    return None if row is None else TimerStatus(*row)


def clock_offset(connection: sqlite3.Connection) -> int | None:
    """Return the offset of the domain clock, in microseconds; None if it was never moved."""
    row = connection.execute("SELECT value FROM settings WHERE name = 'clock-offset'").fetchone()
    return None if row is None else int(row[0])
