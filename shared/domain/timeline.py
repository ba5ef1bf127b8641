"""Timeline entries: an append-only, complete record of every change of state (L9)."""

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
    "contacted",
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
    """Who acted. `name` is the name of the person or application, None if the system or another party acted."""

    organization_id: OrganizationId | None
    name: str | None = None
    is_application: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a referral's timeline.

    - `sequence` counts from 1 without gaps.
    - `operation_id` identifies the attempt that wrote it: after a commit of unknown outcome it shows whether that
      attempt succeeded.
    - `key_hash`: the hash of the request's idempotency key, if it has one.
    - `from_state` and `to_state`: states, or the stages or types for a change of stage or type.
    - `version`: the version of the record after the change; `changed`: the names of the changed fields.
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
