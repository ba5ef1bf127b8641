"""The rows of the store, as the rest of devhost sees them."""

from dataclasses import dataclass
from enum import StrEnum

from devhost.history import Event
from devhost.status import Status
from devhost.timestamps import Micros


class MessageKind(StrEnum):
    """The kind of a message. Those of tasks and timers are deleted with the execution that scheduled them."""

    START = "start"
    EXTERNAL = "external"
    TASK = "task"
    TIMER = "timer"


@dataclass(frozen=True, slots=True)
class Instance:
    """An orchestration instance; `input`, `output` and `custom_status` are JSON texts or None."""

    key: int
    instance_id: str
    name: str
    version: str
    execution_id: str
    status: Status
    input: str | None
    output: str | None
    custom_status: str | None
    created: Micros
    updated: Micros
    episode: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message that an instance has to process."""

    seq: int
    kind: MessageKind
    due: Micros
    event: Event


@dataclass(frozen=True, slots=True)
class ActivityRecord:
    """An activity that has to run at least once; `input` is JSON text."""

    key: int
    task_id: int
    execution_id: str
    name: str
    input: str


@dataclass(frozen=True, slots=True)
class TimerStatus:
    """When a timer function last ran and will run next."""

    schedule: str
    last: Micros | None
    next: Micros
    updated: Micros


@dataclass(frozen=True, slots=True)
class InstanceFilter:
    """Which instances to list or purge; None means any."""

    created_from: Micros | None = None
    created_to: Micros | None = None
    statuses: tuple[str, ...] = ()
    id_prefix: str | None = None
    after_key: int = 0
    newest_first: bool = False
    limit: int = 100
