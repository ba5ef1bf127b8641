"""The outcome of a decision: what the record becomes, what its timeline says, what has to be done about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from shared.domain.ids import OperationId
from shared.domain.referral import Referral
from shared.domain.refusals import Refusal
from shared.domain.timeline import Actor, Entry, EntryKind
from shared.domain.work import Task, Work, label_of, work_of

_BOOKKEEPING = {"version", "sequence", "updated_at"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who acts when, and under which operation id: what every step is stamped with.

    `key_hash` is that of the request's idempotency key, if it had one.
    """

    actor: Actor
    now: datetime
    operation_id: OperationId
    key_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One atomic step of one referral.

    `before` is None for a record that comes into being. `work` is None when the step causes nothing elsewhere.
    `refusal`, if any, is what the caller is told after the step is stored: a command that comes too late
    expires the referral and is refused (L4).
    """

    before: Referral | None
    after: Referral
    entry: Entry
    work: Work | None = None
    invitations: tuple[Referral, ...] = ()
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a step's timeline entry says beside who, when, from and to."""

    reason: str | None = None
    details: Mapping[str, str] = field(default_factory=dict[str, str])


def change(
    before: Referral, kind: EntryKind, act: Act, tasks: tuple[Task, ...], told: Told | None = None, **new: Any
) -> Change:
    """A step that people's ETags notice: a new version, one entry, and work for whoever must know.

    `new` are fields of the referral. Work is opened even without tasks, so that the orchestration learns of
    every change of state.
    """
    sequence = before.sequence + 1
    after = replace(before, version=before.version + 1, sequence=sequence, updated_at=act.now, **new)
    entry = replace(
        _entry(kind, act, sequence, told or Told()),
        from_state=before.state,
        to_state=after.state,
        key_hash=act.key_hash,
        version=after.version,
        changed=changed_fields(before, after),
    )
    work = work_of(before.id, label_of(sequence), act.operation_id, tasks)
    return Change(before=before, after=after, entry=entry, work=work)


def remark(before: Referral, kind: EntryKind, act: Act, told: Told, to_state: str | None = None) -> Change:
    """An entry about something outside this record (another party, a mail): no ETag moves, no work opens."""
    sequence = before.sequence + 1
    entry = replace(_entry(kind, act, sequence, told), to_state=to_state, version=before.version)
    return Change(before=before, after=replace(before, sequence=sequence), entry=entry)


def beginning(
    after: Referral,
    kind: EntryKind,
    act: Act,
    tasks: tuple[Task, ...],
    invitations: tuple[Referral, ...] = (),
) -> Change:
    """The first step of a record: it comes into being."""
    entry = replace(
        _entry(kind, act, after.sequence, Told(details=_invited(invitations))),
        to_state=after.state,
        key_hash=act.key_hash,
        version=after.version,
    )
    work = work_of(after.id, label_of(after.sequence), act.operation_id, tasks)
    return Change(before=None, after=after, entry=entry, work=work, invitations=invitations)


def changed_fields(before: Referral, after: Referral) -> tuple[str, ...]:
    """The names of the fields that differ, bookkeeping apart; a part inside `terms` is named by itself."""
    own = [name for name in _names(before) if getattr(before, name) != getattr(after, name)]
    if "terms" in own:
        own.remove("terms")
        own += [n for n in _names(before.terms) if getattr(before.terms, n) != getattr(after.terms, n)]
    return tuple(sorted(set(own) - _BOOKKEEPING))


def _entry(kind: EntryKind, act: Act, sequence: int, told: Told) -> Entry:
    return Entry(
        sequence=sequence,
        at=act.now,
        actor=act.actor,
        kind=kind,
        operation_id=act.operation_id,
        reason=told.reason,
        details=told.details,
    )


def _invited(invitations: tuple[Referral, ...]) -> dict[str, str]:
    names = ", ".join(invitation.organization_name for invitation in invitations)
    return {"invited": names} if names else {}


def _names(record: Any) -> list[str]:
    return [each.name for each in fields(record)]
