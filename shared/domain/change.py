"""The outcome of a decision: the new record, its timeline entries, and the work that follows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Self

from shared.domain.ids import OperationId, RegistrationId
from shared.domain.referral import InvitedParty, Referral
from shared.domain.refusals import Refusal
from shared.domain.registration import Registration
from shared.domain.timeline import Actor, Entry, EntryKind
from shared.domain.work import Task, TouchParties, UpdateParties, Work, label_of, work_of

NO_OPERATION_ID = OperationId("")
_BOOKKEEPING = {
    "version",
    "sequence",
    "updated_at",
    "last_message",
    "eligible_at",
    "invited",
    "routed",
    "inquiry",
}
_NESTED_FIELDS = ("terms", "consent", "customer", "invite_context")
"""Fields whose nested fields are reported one by one, such as `terms.currency`."""
_SHOWN_TO_PARTIES = ("substatus", "status_reason", "sales_stage", "team", "invited_keys")
"""What the other parties of a deal see of a record, and what changes (V1)."""
_TICK = timedelta(milliseconds=1)
"""The precision of the order of updates."""
_STATE_CHANGES = {"accepted", "declined", "expired", "withdrawn", "won", "lost"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext:
    """Who acts, and when (domain clock): stamped on every timeline entry.

    `key_hash` is the hash of the request's idempotency key, if it has one. `operation_id` is new for each attempt to
    commit (`Commits`), so that an attempt recognizes its own entry; until then it is empty. So is `secret`, 256
    random bits as text, for a step that makes a link without a sign-in (R8).
    """

    actor: Actor
    now: datetime
    operation_id: OperationId = NO_OPERATION_ID
    key_hash: str | None = None
    secret: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One atomic change of one referral, with at least one timeline entry.

    `before` is None for a new record. `work` belongs to the last entry, and is None if the change has no effect
    elsewhere. `registrations` are stored with the change, `deleted_registrations` deleted. `refusal`, if any, is
    raised to the caller after the change is stored: a command that comes too late expires the referral and is refused
    (L4).
    """

    before: Referral | None
    after: Referral
    entries: tuple[Entry, ...]
    work: Work | None = None
    invitations: tuple[Referral, ...] = ()
    registrations: tuple[Registration, ...] = ()
    deleted_registrations: tuple[RegistrationId, ...] = ()
    refusal: Refusal | None = None

    @property
    def entry(self) -> Entry:
        """The last entry: the work belongs to it, and an attempt recognizes its own commit by it."""
        return self.entries[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDraft:
    """The content of a timeline entry, apart from actor and time; `build` adds the states to changes of state."""

    kind: EntryKind
    reason: str | None = None
    details: Mapping[str, str] = field(default_factory=dict[str, str])
    from_state: str | None = None
    to_state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeBuilder:
    """Collects what one command does to one referral; `build` returns the change."""

    before: Referral
    after: Referral
    entries: tuple[EntryDraft, ...] = ()
    tasks: tuple[Task, ...] = ()
    invitations: tuple[Referral, ...] = ()
    registrations: tuple[Registration, ...] = ()
    deleted_registrations: tuple[RegistrationId, ...] = ()

    @classmethod
    def of(cls, referral: Referral) -> Self:
        """A builder without any change yet."""
        return cls(before=referral, after=referral)

    def then(self, entry: EntryDraft, tasks: tuple[Task, ...] = (), **new: Any) -> "ChangeBuilder":
        """Add one part: new values of fields, the entry that records it, and the tasks that it causes."""
        return replace(
            self,
            after=replace(self.after, **new),
            entries=(*self.entries, entry),
            tasks=(*self.tasks, *tasks),
        )

    def build(self, context: CommandContext) -> Change:
        """The change: a new version (and so a new ETag), its entries, and the work of its tasks."""
        before, sequence = self.before, self.before.sequence + len(self.entries)
        after = replace(self.after, version=before.version + 1, sequence=sequence, updated_at=context.now)
        entries = tuple(
            replace(
                _entry(entry, context, before.sequence + number),
                from_state=entry.from_state or (before.state if entry.kind in _STATE_CHANGES else None),
                to_state=entry.to_state or (after.state if entry.kind in _STATE_CHANGES else None),
                key_hash=context.key_hash,
                version=after.version,
                changed=changed_fields(before, after),
            )
            for number, entry in enumerate(self.entries, start=1)
        )
        work = _work(after, context, (*self.tasks, *_touches(before, after, self.tasks)))
        return Change(
            before=before,
            after=after,
            entries=entries,
            work=work,
            invitations=self.invitations,
            registrations=self.registrations,
            deleted_registrations=self.deleted_registrations,
        )


def append_entry(before: Referral, context: CommandContext, draft: EntryDraft, **new: Any) -> Change:
    """Append an entry about something outside this record (another party, a mail): same ETag, no work.

    `new` are fields that copy another record (a party's state) and are not part of what clients read here.
    """
    sequence = before.sequence + 1
    after = replace(before, sequence=sequence, **new)
    entry = replace(
        _entry(draft, context, sequence),
        from_state=draft.from_state,
        to_state=draft.to_state,
        version=before.version,
    )
    return Change(before=before, after=after, entries=(entry,))


def touched(referral: Referral, now: datetime, last_message: int = 0) -> Referral:
    """A record that moves in the order of updates, with the same ETag, since its reader sees something new (N7).

    It always moves forward: whoever knows the earlier time finds it among what changed after that. `last_message` is
    the sequence of the message that is new, 0 if none is.
    """
    return replace(
        referral,
        updated_at=max(now, referral.updated_at + _TICK),
        last_message=max(referral.last_message, last_message),
    )


def _touches(before: Referral, after: Referral, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
    """The task that moves the other parties' records, if they see something else now (V1, N7).

    Those whose timelines are changed by another task move with that.
    """
    updated = any(isinstance(task, UpdateParties) for task in tasks)
    is_creators = before.belongs_to_creator
    is_seen = any(i.substatus not in {"Declined", "Expired"} for i in before.invited) or not is_creators
    changed = any(getattr(before, name) != getattr(after, name) for name in _SHOWN_TO_PARTIES)
    if not is_seen or not changed or (is_creators and updated):
        return ()
    return (TouchParties(creator=not updated),)


def created(
    after: Referral,
    drafts: tuple[EntryDraft, ...],
    context: CommandContext,
    tasks: tuple[Task, ...],
    invitations: tuple[Referral, ...] = (),
) -> Change:
    """The change that creates a record; its first entry shows the state."""
    after = replace(after, sequence=len(drafts))
    first, *more = (
        replace(_entry(each, context, number), key_hash=context.key_hash, version=after.version)
        for number, each in enumerate(drafts, start=1)
    )
    work = _work(after, context, tasks)
    return Change(
        before=None,
        after=after,
        entries=(replace(first, to_state=after.state), *more),
        work=work,
        invitations=invitations,
    )


def with_task(change: Change, task: Task) -> Change:
    """A change with one more task in its work."""
    before = change.work.tasks if change.work else ()
    tasks = (*(state.task for state in before), task)
    work = work_of(change.after.id, label_of(change.after.sequence), change.entry.operation_id, tasks)
    return replace(change, work=work)


def names_of(invited: tuple[InvitedParty, ...]) -> dict[str, str]:
    """The details of an entry about invitations: the names of the invited organizations."""
    names = ", ".join(invitation.organization_name for invitation in invited)
    return {"invited": names} if names else {}


def changed_fields(before: Referral, after: Referral) -> tuple[str, ...]:
    """The sorted names of the fields that differ, without bookkeeping; nested ones like `terms.currency`."""
    own = [name for name in _names(before) if getattr(before, name) != getattr(after, name)]
    changed = set(own) - _BOOKKEEPING
    for whole in changed & set(_NESTED_FIELDS):
        changed.remove(whole)
        changed |= _changed_parts(whole, getattr(before, whole), getattr(after, whole))
    return tuple(sorted(changed))


def _changed_parts(whole: str, before: object, after: object) -> set[str]:
    names = _names(before)
    return {f"{whole}.{name}" for name in names if getattr(before, name) != getattr(after, name)}


def _work(after: Referral, context: CommandContext, tasks: tuple[Task, ...]) -> Work | None:
    if not tasks:
        return None
    return work_of(after.id, label_of(after.sequence), context.operation_id, tasks)


def _entry(draft: EntryDraft, context: CommandContext, sequence: int) -> Entry:
    return Entry(
        sequence=sequence,
        at=context.now,
        actor=context.actor,
        kind=draft.kind,
        operation_id=context.operation_id,
        reason=draft.reason,
        details=draft.details,
    )


def _names(record: Any) -> list[str]:
    return [each.name for each in fields(record)]
