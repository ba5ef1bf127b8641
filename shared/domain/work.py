"""Work: the tasks that a timeline entry, a reminder or an escalation causes, open until they are done.

A work row is written in the transaction of its entry, so an effect can be late but not lost. Tasks are deterministic
and idempotent: the target of each task detects a repetition.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.domain.ids import OperationId, ReferralId, RegistrationId
from shared.domain.messages import MailKind
from shared.domain.referral import ReferralKey

Audience = Literal[
    "answerers",
    "invitee",
    "alerted",
    "inviter",
    "party",
    "customer",
    "reviewers",
    "reviewLead",
    "registrants",
]
"""The audience of a mail:

- `answerers`: those who can answer (M3); `invitee`: the contacts of the invitee (M1); `alerted`: both (R5)
- `inviter`: the inviter's deal team (M2); `party`: the team of another party (M4)
- `customer`: the customer of a lead (R4)
- `reviewers`, `reviewLead`: Microsoft's deal reviewers, or their lead (G5, G7)
- `registrants`: the contact of a registration, and the deal's team (M4)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """Create the invitees' referrals, and the engagement (C2)."""

    parties: tuple[ReferralKey, ...]
    kind: Literal["invite"] = "invite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Withdraw the invitees' referrals that are still New (L8)."""

    parties: tuple[ReferralKey, ...]
    kind: Literal["withdraw"] = "withdraw"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateParties:
    """Record a change of this referral in the other parties' timelines (L7)."""

    parties: tuple[ReferralKey, ...]
    kind: Literal["inform"] = "inform"


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchParties:
    """Move the other parties' records in the order of updates: they see something else of this one now (N7).

    With `creator` that of the deal's creator too, unless this is it; without, its timeline was changed anyway.
    """

    creator: bool
    kind: Literal["touch"] = "touch"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateDealType:
    """Copy the deal type to the other parties' referrals (T1)."""

    parties: tuple[ReferralKey, ...]
    kind: Literal["retype"] = "retype"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """List the deal for Microsoft's sellers if it is partner-led, else remove it from their list (V3)."""

    kind: Literal["publish"] = "publish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Send one message to one audience.

    `party` is the reader's referral, None if it is this one. `registration` and `round` are set if the message is
    about a registration. `choice` is the secret of the link in a mail to a customer, until the mail is settled (R8).
    """

    message: MailKind
    audience: Audience
    party: ReferralKey | None = None
    registration: RegistrationId | None = None
    round: int | None = None
    choice: str | None = None
    kind: Literal["notify"] = "notify"


@dataclass(frozen=True, slots=True, kw_only=True)
class TellEligible:
    """Tell the teams of won deals that can be registered now (M12).

    It is this deal that was won; or Microsoft's referral, which accepted, and they are those of the other parties.
    """

    kind: Literal["tellEligible"] = "tellEligible"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexWords:
    """Write the rows by which the record is found by words, which its step had no room for (N4).

    `earlier` are the words that it was found by before.
    """

    earlier: tuple[str, ...]
    kind: Literal["indexWords"] = "indexWords"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Create the leads of a request for information (R2)."""

    kind: Literal["deliver"] = "deliver"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowReview:
    """Update a registration's index entry, queue row and orchestration, also after its deletion (G4, G5, G7)."""

    registration: RegistrationId
    kind: Literal["followReview"] = "followReview"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoOp:
    """Do nothing. Only in stored work: earlier versions opened work for each change, also without effects."""

    kind: Literal["settle"] = "settle"


Task = (
    Invite
    | Withdraw
    | UpdateParties
    | TouchParties
    | UpdateDealType
    | Publish
    | Notify
    | TellEligible
    | IndexWords
    | Deliver
    | FollowReview
    | NoOp
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """A task and its progress: `due` is when to retry after `attempts` with transient failures."""

    task: Task
    done: bool = False
    due: datetime | None = None
    attempts: int = 0

    def is_due(self, now: datetime) -> bool:
        """Whether to try it now."""
        return not self.done and (self.due is None or self.due <= now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The work of one entry, reminder or escalation.

    `label` is the last part of the row key: the entry's sequence in six digits, or the fixed label of a reminder or
    an escalation. `announced_for` is the due time (domain clock) of the intent that announced it, if any.
    """

    referral_id: ReferralId
    label: str
    operation_id: OperationId
    tasks: tuple[TaskState, ...]
    announced_for: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether any task is not done."""
        return any(not state.done for state in self.tasks)

    def is_due(self, now: datetime) -> bool:
        """Whether any task can be tried now."""
        return any(state.is_due(now) for state in self.tasks)

    @property
    def next_at(self) -> datetime | None:
        """When the first deferred task is due; None if no task is deferred."""
        return min((state.due for state in self.tasks if not state.done and state.due), default=None)


def label_of(sequence: int) -> str:
    """The label of the work of a timeline entry; sorts like the sequence."""
    return f"{sequence:06d}"


def work_of(referral_id: ReferralId, label: str, operation_id: OperationId, tasks: tuple[Task, ...]) -> Work:
    """New work of at least one task."""
    return Work(
        referral_id=referral_id,
        label=label,
        operation_id=operation_id,
        tasks=tuple(TaskState(task=task) for task in tasks),
    )
