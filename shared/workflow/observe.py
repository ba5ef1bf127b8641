"""What a referral's orchestration has to do now, and when to look again: read from the tables each time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.domain.due import Due, what_is_due
from shared.domain.referral import ReferralKey
from shared.domain.work import Work
from shared.storage.codec import Stored
from shared.storage.referrals import Referrals

StepKind = Literal["expire", "remind", "nudge", "perform"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One activity to run: the transition that is due, or the work row of this label, as it is with this `etag`."""

    kind: StepKind
    label: str = ""
    etag: str = ""

    @property
    def mark(self) -> str:
        """What tells this step from every other, and from itself after a try."""
        return f"{self.kind}:{self.label}:{self.etag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps to take now, in order. Without any: `finished`, or wait until `next_at` (None: only for events).

    `missing` if there is no such record at all.
    """

    steps: tuple[Step, ...] = ()
    next_at: datetime | None = None
    finished: bool = False
    missing: bool = False


async def observe(referrals: Referrals, party: ReferralKey, now: datetime) -> Plan:
    """Look at record, open work and clock: transitions first, then open work in order of sequence.

    What is no referral has no life in time, only work: a request for information. An orchestration that was started
    for a creation that was refused finds neither, and ends.
    """
    stored = await referrals.get(party)
    rows = await referrals.work(party)
    work = [row.value for row in rows]
    due = what_is_due(stored.value, {row.label for row in work}, now) if stored else Due()
    steps: list[Step] = [Step(kind="expire")] if due.expiry else []
    if due.reminder:
        steps.append(Step(kind="remind", label=due.reminder.label))
    steps += steps_of(rows, now)
    to_come = [at for at in (due.next_at, *(row.next_at for row in work if row.open)) if at]
    finished = (stored is None or stored.value.is_closed) and not any(row.open for row in work)
    return Plan(
        steps=tuple(steps),
        next_at=min(to_come, default=None),
        finished=finished and not steps,
        missing=stored is None and not rows,
    )


def steps_of(rows: Iterable[Stored[Work]], now: datetime) -> list[Step]:
    """The steps that work rows ask for now."""
    return [
        Step(kind="perform", label=row.value.label, etag=row.etag)
        for row in rows
        if row.value.open and row.value.is_due(now)
    ]
