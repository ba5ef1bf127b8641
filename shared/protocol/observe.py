"""What a referral's orchestration has to do now, and when to look again: read from the tables each time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.domain.due import Due, what_is_due
from shared.domain.referral import Party
from shared.storage.referrals import Referrals

StepKind = Literal["expire", "remind", "nudge", "perform"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One activity to run: the transition that is due, or the work row of this label."""

    kind: StepKind
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps to take now, in order. Without any: `finished`, or wait until `next_at` (None: only for events)."""

    steps: tuple[Step, ...] = ()
    next_at: datetime | None = None
    finished: bool = False


async def observe(referrals: Referrals, party: Party, now: datetime) -> Plan:
    """Look at record, open work and clock: transitions first, then open work in order of sequence.

    What is no referral has no life in time, only work: a request for information. An orchestration that was started
    for a creation that was refused finds neither, and ends.
    """
    stored = await referrals.get(party)
    work = [row.value for row in await referrals.work(party)]
    due = what_is_due(stored.value, {row.label for row in work}, now) if stored else Due()
    steps: list[Step] = [Step(kind="expire")] if due.expiry else []
    if due.reminder:
        steps.append(Step(kind="remind", label=due.reminder.label))
    steps += [Step(kind="perform", label=row.label) for row in work if row.open and row.is_due(now)]
    to_come = [at for at in (due.next_at, *(row.next_at for row in work if row.open)) if at]
    finished = (stored is None or stored.value.is_closed) and not any(row.open for row in work)
    return Plan(steps=tuple(steps), next_at=min(to_come, default=None), finished=finished and not steps)
