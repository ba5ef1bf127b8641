"""Timeline entries: every change of state, append-only and complete (L9)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from shared.domain.ids import OperationId, OrganizationId

EntryKind = Literal[
    "created",
    "invited",
    "received",
    "routed",
    "accepted",
    "declined",
    "expired",
    "withdrawn",
    "edited",
    "stageChanged",
    "typeChanged",
    "won",
    "lost",
    "partyChanged",
    "converted",
    "registrationChanged",
    "mailFailed",
    "neverNotified",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it. `name` is the person's, None where a clock or another party acted."""

    organization_id: OrganizationId | None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a referral's timeline.

    `sequence` counts from 1 without gaps. `operation_id` is that of the attempt that wrote it: after a commit
    of unknown outcome it tells whether we won. `key_hash` is that of the request's idempotency key, if any.
    `from_state` and `to_state` are states, or for a change of stage or type, stages or types. `version` is the
    record's after the step; `changed` names the record's fields that the step changed.
    """

    sequence: int
    at: datetime
    actor: Actor
    kind: EntryKind
    operation_id: OperationId
    from_state: str | None = None
    to_state: str | None = None
    reason: str | None = None
    details: Mapping[str, str] = field(default_factory=dict[str, str])
    key_hash: str | None = None
    version: int = 1
    changed: tuple[str, ...] = ()
