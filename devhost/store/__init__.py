"""The durable state: one SQLite file, one writer thread with group commit, reads from the caller's thread."""

from devhost.store.database import Store
from devhost.store.records import (
    ActivityRecord,
    Instance,
    InstanceFilter,
    Message,
    MessageKind,
    TimerStatus,
)

__all__ = ["ActivityRecord", "Instance", "InstanceFilter", "Message", "MessageKind", "Store", "TimerStatus"]
