"""Work: what a timeline entry (or a due time) causes elsewhere, kept open until it is done.

A work row stands in the transaction that wrote its entry, so an effect can be late but not lost. Every task is
deterministic and repeatable; each is guarded where it lands.
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
"""Who reads a mail: those who can answer (M3), the invitee's recipients (M1), both of them (R5), the inviter's deal
team (M2), one other party's team (M4), the customer of a lead (R4), Microsoft's deal reviewers and their lead (G5,
G7), the contact of a registration with its deal's team (M4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """Bring the invitees' referrals into being."""

    parties: tuple[ReferralKey, ...]
    kind: Literal["invite"] = "invite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Close the invitees' referrals that are still New (L8)."""

    parties: tuple[ReferralKey, ...]
    kind: Literal["withdraw"] = "withdraw"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateParties:
    """Tell the other parties' timelines what happened here (L7)."""

    parties: tuple[ReferralKey, ...]
    kind: Literal["inform"] = "inform"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateDealType:
    """Repeat the deal's type on the other parties' records (T1)."""

    parties: tuple[ReferralKey, ...]
    kind: Literal["retype"] = "retype"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """Show the deal to Microsoft's sellers while it is partner-led, and no longer when it is not (V3)."""

    kind: Literal["publish"] = "publish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Send one message to one audience.

    `party` names the reader's part where it is not this referral's own. `registration` is what the message is about,
    and `round` which of its rounds.
    """

    message: MailKind
    audience: Audience
    party: ReferralKey | None = None
    registration: RegistrationId | None = None
    round: int | None = None
    kind: Literal["notify"] = "notify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Bring the leads of a request for information into being (R2)."""

    kind: Literal["deliver"] = "deliver"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowReview:
    """Let queue, look-up and orchestration of a registration follow what it is now (G5, G7)."""

    registration: RegistrationId
    kind: Literal["followReview"] = "followReview"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoOp:
    """Nothing but to be seen by the orchestration, so that it learns of a change that concerns nobody else."""

    kind: Literal["settle"] = "settle"


Task = Invite | Withdraw | UpdateParties | UpdateDealType | Publish | Notify | Deliver | FollowReview | NoOp


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """A task and how far it is: `due` is when to try again after `attempts` that failed for a passing reason."""

    task: Task
    done: bool = False
    due: datetime | None = None
    attempts: int = 0

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be tried now."""
        return not self.done and (self.due is None or self.due <= now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The open work of one entry or reminder.

    `label` is the last part of its row key: the entry's sequence in six digits, or a reminder's fixed name.
    `announced_for` is when the intent is due that announced it, if one did (domain clock).
    """

    referral_id: ReferralId
    label: str
    operation_id: OperationId
    tasks: tuple[TaskState, ...]
    announced_for: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether something is left to do."""
        return any(not state.done for state in self.tasks)

    def is_due(self, now: datetime) -> bool:
        """Whether something can be done now."""
        return any(state.is_due(now) for state in self.tasks)

    @property
    def next_at(self) -> datetime | None:
        """When something that was put off is due again."""
        return min((state.due for state in self.tasks if not state.done and state.due), default=None)


def label_of(sequence: int) -> str:
    """The label of the work that a timeline entry causes; sorts as the sequence does."""
    return f"{sequence:06d}"


def work_of(referral_id: ReferralId, label: str, operation_id: OperationId, tasks: tuple[Task, ...]) -> Work:
    """New work, nothing of it done; a step without tasks still wants to be seen."""
    return Work(
        referral_id=referral_id,
        label=label,
        operation_id=operation_id,
        tasks=tuple(TaskState(task=task) for task in tasks or (NoOp(),)),
    )
