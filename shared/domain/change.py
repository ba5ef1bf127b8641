"""The outcome of a decision: what the record becomes, what its timeline says, what has to be done about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Self

from shared.domain.ids import OperationId
from shared.domain.referral import InvitedParty, Referral
from shared.domain.refusals import Refusal
from shared.domain.registration import Registration
from shared.domain.timeline import Actor, Entry, EntryKind
from shared.domain.work import Task, Work, label_of, work_of

NO_OPERATION_ID = OperationId("")
_BOOKKEEPING = {"version", "sequence", "updated_at", "invited", "routed", "inquiry"}
_IN_PARTS = ("terms", "consent", "customer", "invite_context")
"""Fields whose parts are named by themselves: a part's name is `terms.currency` and the like."""
_OF_STATE = {"accepted", "declined", "expired", "withdrawn", "won", "lost"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext:
    """Who acts, and when by the domain clock: what every entry of a timeline is stamped with.

    `key_hash` is that of the request's idempotency key, if it had one. `operation_id` is drawn for each attempt to
    commit (`Commits`), so that an attempt knows its own entry; before that it is empty.
    """

    actor: Actor
    now: datetime
    operation_id: OperationId = NO_OPERATION_ID
    key_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One atomic step of one referral, with one timeline entry or several.

    `before` is None for a record that comes into being. `work` belongs to the last entry, and is None when the
    step causes nothing elsewhere. `refusal`, if any, is what the caller is told after the step is stored: a
    command that comes too late expires the referral and is refused (L4).
    """

    before: Referral | None
    after: Referral
    entries: tuple[Entry, ...]
    work: Work | None = None
    invitations: tuple[Referral, ...] = ()
    registrations: tuple[Registration, ...] = ()
    refusal: Refusal | None = None

    @property
    def entry(self) -> Entry:
        """The last entry: the one that the work belongs to, and by which an attempt knows its own commit."""
        return self.entries[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDraft:
    """What one timeline entry says beside who and when; a change of state shows the record's states by itself."""

    kind: EntryKind
    reason: str | None = None
    details: Mapping[str, str] = field(default_factory=dict[str, str])
    from_state: str | None = None
    to_state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeBuilder:
    """What one command does to one referral, put together part by part; `build` makes the change."""

    before: Referral
    after: Referral
    entries: tuple[EntryDraft, ...] = ()
    tasks: tuple[Task, ...] = ()
    invitations: tuple[Referral, ...] = ()
    registrations: tuple[Registration, ...] = ()

    @classmethod
    def of(cls, referral: Referral) -> Self:
        """A change that does nothing yet."""
        return cls(before=referral, after=referral)

    def then(self, entry: EntryDraft, tasks: tuple[Task, ...] = (), **new: Any) -> "ChangeBuilder":
        """This and one more part: fields of the referral, an entry that tells of it, work that it causes."""
        return replace(
            self,
            after=replace(self.after, **new),
            entries=(*self.entries, entry),
            tasks=(*self.tasks, *tasks),
        )

    def build(self, context: CommandContext) -> Change:
        """The change, which moves the ETag: a new version, its entries, and work for whoever must know.

        Work is opened even without tasks, so that the orchestration learns of every change of state.
        """
        before, sequence = self.before, self.before.sequence + len(self.entries)
        after = replace(self.after, version=before.version + 1, sequence=sequence, updated_at=context.now)
        entries = tuple(
            replace(
                _entry(entry, context, before.sequence + number),
                from_state=entry.from_state or (before.state if entry.kind in _OF_STATE else None),
                to_state=entry.to_state or (after.state if entry.kind in _OF_STATE else None),
                key_hash=context.key_hash,
                version=after.version,
                changed=changed_fields(before, after),
            )
            for number, entry in enumerate(self.entries, start=1)
        )
        work = work_of(before.id, label_of(sequence), context.operation_id, self.tasks)
        return Change(
            before=before,
            after=after,
            entries=entries,
            work=work,
            invitations=self.invitations,
            registrations=self.registrations,
        )


def append_entry(before: Referral, context: CommandContext, draft: EntryDraft, **new: Any) -> Change:
    """An entry about something outside this record (another party, a mail): no ETag moves, no work opens.

    `new` are fields that repeat what another record says, and that nobody reads in this one (a party's state).
    """
    sequence = before.sequence + 1
    entry = replace(
        _entry(draft, context, sequence),
        from_state=draft.from_state,
        to_state=draft.to_state,
        version=before.version,
    )
    return Change(before=before, after=replace(before, sequence=sequence, **new), entries=(entry,))


def created(
    after: Referral,
    drafts: tuple[EntryDraft, ...],
    context: CommandContext,
    tasks: tuple[Task, ...],
    invitations: tuple[Referral, ...] = (),
) -> Change:
    """The first step of a record: it is created, and its first entry says so."""
    after = replace(after, sequence=len(drafts))
    first, *more = (
        replace(_entry(each, context, number), key_hash=context.key_hash, version=after.version)
        for number, each in enumerate(drafts, start=1)
    )
    work = work_of(after.id, label_of(after.sequence), context.operation_id, tasks)
    return Change(
        before=None,
        after=after,
        entries=(replace(first, to_state=after.state), *more),
        work=work,
        invitations=invitations,
    )


def names_of(invited: tuple[InvitedParty, ...]) -> dict[str, str]:
    """The details of an entry that tells whom a deal invited."""
    names = ", ".join(invitation.organization_name for invitation in invited)
    return {"invited": names} if names else {}


def changed_fields(before: Referral, after: Referral) -> tuple[str, ...]:
    """The names of the fields that differ, bookkeeping apart; a part inside `terms` is named by itself."""
    own = [name for name in _names(before) if getattr(before, name) != getattr(after, name)]
    found = set(own) - _BOOKKEEPING
    for whole in found & set(_IN_PARTS):
        found.remove(whole)
        found |= _changed_parts(whole, getattr(before, whole), getattr(after, whole))
    return tuple(sorted(found))


def _changed_parts(whole: str, before: object, after: object) -> set[str]:
    names = _names(before)
    return {f"{whole}.{name}" for name in names if getattr(before, name) != getattr(after, name)}


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
