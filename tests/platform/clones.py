"""Many deals out of one: copies of a deal that waits, written straight into the tables and into the task hub.

Hundreds of deals are there within half a minute that way. Each copy is a deal with ids of its own in every row, and
app and engine take it for one that they made. The deal may have been made by another version: a template can be
written to a file, and read from it later.
"""

import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from localcloud.clocks import Clock
from tests.platform.hub_storage import HubStorage, Row, at_once, insert
from tests.platform.waiting_deals import WaitingDeal

TABLES = ("referrals", "engagements", "intents", "mail")
"""The app's tables that have rows of a deal."""
_COMPLEMENT = str.maketrans("0123456789abcdef", "fedcba9876543210")
_OPERATION = re.compile(r'"operation_id":"([0-9a-f-]{36})"')


@dataclass(frozen=True)
class Template:
    """A deal that waits, with all its rows by table, and the messages of the timers that its orchestrations wait for.

    `ids` are all that it shares with no other deal: UUIDs, and the executions of its orchestrations.
    """

    deal: WaitingDeal
    ids: tuple[str, ...]
    rows: Mapping[str, list[Row]]
    hub_rows: Mapping[str, list[Row]]
    timers: tuple[tuple[Row, datetime], ...]

    def write(self, file: Path) -> None:
        """Write it to a file."""
        file.write_text(json.dumps(asdict(self), default=_written, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, file: Path) -> "Template":
        """Read it from a file."""
        found = json.loads(file.read_text(), object_hook=_read)
        return cls(
            WaitingDeal(**found["deal"]),
            tuple(found["ids"]),
            found["rows"],
            found["hub_rows"],
            tuple((message, due) for message, due in found["timers"]),
        )


def _written(value: Any) -> dict[str, Any]:
    """A value of a row that JSON has no type for."""
    if isinstance(value, datetime):
        return {"datetime": value.isoformat()}
    raise TypeError(f"{value!r} has no form in a template's file")


def _read(value: dict[str, Any]) -> Any:
    return datetime.fromisoformat(value["datetime"]) if value.keys() == {"datetime"} else value


@dataclass(frozen=True)
class Clone:
    """A copy: its name, and the id of the invitation that waits."""

    name: str
    instance_id: str


def template_of(deal: WaitingDeal, hub: HubStorage) -> Template:
    """Read all that storage holds of a deal. Its orchestrations must wait."""
    instances = (deal.deal, deal.instance_id)
    hub_rows = {
        "Instances": [row for each in instances if (row := hub.instance(each))],
        "History": [row for each in instances for row in hub.history(each)],
    }
    ids = [*instances, deal.own["engagementId"], *(row["ExecutionId"] for row in hub_rows["Instances"])]
    tables = {
        name: [dict(row) for row in hub.account.get_table_client(name).list_entities()] for name in TABLES
    }
    rows = {name: [row for row in found if _names(row, ids)] for name, found in tables.items()}
    named = [row for name in ("referrals", "mail") for row in rows[name]]
    ids += sorted({each for row in named for each in _OPERATION.findall(row.get("json0", ""))})
    timers = tuple(timer for each in instances for timer in _open_timers(hub.history(each)))
    return Template(deal, tuple(ids), rows, hub_rows, timers)


def clone(template: Template, count: int, hub: HubStorage, now: Clock, seed: int = 1) -> list[Clone]:
    """Write so many copies. `now` tells the engine's time: messages of timers are hidden until they are due."""
    draw = random.Random(seed)
    new = [_renaming(template, number, draw) for number in range(count)]
    for table, rows in template.rows.items():
        insert(hub.account.get_table_client(table), (_renamed(row, names) for names in new for row in rows))
    for kind, rows in template.hub_rows.items():
        insert(hub.table(kind), (_renamed(row, names) for names in new for row in rows))
    messages = [(_renamed(message, names), due) for names in new for message, due in template.timers]
    at_once(lambda timer: _send(hub, timer[0], (timer[1] - now()).total_seconds()), messages)
    own, name = template.deal.instance_id, template.deal.name
    return [Clone(names[name], names[own]) for names in new]


def _names(row: Row, ids: Iterable[str]) -> bool:
    """Whether a row's key has one of these ids, or its complement."""
    key = f"{row['PartitionKey']}/{row['RowKey']}"
    return any(each in key or _inverted(each) in key for each in ids)


def _renaming(template: Template, number: int, draw: random.Random) -> dict[str, str]:
    """What each id of the template becomes, its complement too, and its name."""
    new = {each: _another(each, draw) for each in template.ids}
    inverted = {_inverted(each): _inverted(other) for each, other in new.items()}
    return {**new, **inverted, template.deal.name: f"{template.deal.name} {number:04}"}


def _another(identifier: str, draw: random.Random) -> str:
    """An id of the same kind and, of a UUIDv7, of the same moment; of an operation within it, with the same start."""
    if "-" not in identifier:
        return UUID(int=draw.getrandbits(128), version=4).hex
    tail = f"{draw.getrandbits(60):015x}"
    return f"{identifier[:20]}{tail[:3]}-{tail[3:]}"


def _inverted(identifier: str) -> str:
    return identifier.replace("-", "").translate(_COMPLEMENT)


def _renamed(row: Row, names: Mapping[str, str]) -> Row:
    return {key: _replaced(value, names) for key, value in row.items()}


def _replaced(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return _renamed(value, names)
    if isinstance(value, str):
        for old, new in names.items():
            value = value.replace(old, new)
    return value


def _open_timers(history: Iterable[Row]) -> Iterator[tuple[Row, datetime]]:
    """The messages of timers that have not fired, each with the time when it becomes visible."""
    rows = list(history)
    fired = {row["TimerId"] for row in rows if row.get("EventType") == "TimerFired"}
    for row in rows:
        if row.get("EventType") == "TimerCreated" and row["EventId"] not in fired:
            yield _timer_message(row), row["FireAt"]


def _timer_message(row: Row) -> Row:
    """As the engine sends it to itself when an orchestration begins to wait for a timer."""
    instance = {"InstanceId": row["PartitionKey"], "ExecutionId": row["ExecutionId"]}
    core, storage = "DurableTask.Core", "DurableTask.AzureStorage"
    fired = {
        "$type": f"{core}.History.TimerFiredEvent",
        "EventType": 11,
        "TimerId": row["EventId"],
        "FireAt": _text(row["FireAt"]),
        "EventId": -1,
        "IsPlayed": False,
        "Timestamp": _text(row["_Timestamp"]),
    }
    return {
        "$type": f"{storage}.MessageData",
        "ActivityId": "00000000-0000-4000-8000-000000000000",
        "TaskMessage": {
            "$type": f"{core}.TaskMessage",
            "Event": fired,
            "SequenceNumber": 0,
            "OrchestrationInstance": {"$type": f"{core}.OrchestrationInstance", **instance},
            "OrchestrationExecutionContext": None,
        },
        "CompressedBlobName": None,
        "SequenceNumber": 1,
        "Episode": 2,
        "Sender": instance,
        "SerializableTraceContext": None,
    }


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _send(hub: HubStorage, message: Row, hidden_for: float) -> None:
    instance_id = message["TaskMessage"]["OrchestrationInstance"]["InstanceId"]
    hub.send(instance_id, message, max(0.0, hidden_for))
