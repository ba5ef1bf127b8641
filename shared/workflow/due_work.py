"""Do what is due on a record: expiry, reminders and open work, until nothing is due any more.

The sweep does it for the records whose intents are due, and orchestrations when they are woken or their time comes.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.change import Change, CommandContext
from shared.domain.due import reminder_work
from shared.domain.ids import RegistrationId
from shared.domain.lifecycle import SYSTEM_ACTOR, expire, is_overdue
from shared.domain.referral import Referral, ReferralKey
from shared.errors import Contended, RecordUnreadable, StoreConflict
from shared.storage.codec import Stored
from shared.storage.intents import Intents
from shared.storage.known_referrals import KnownReferrals
from shared.storage.tables import in_transactions
from shared.workflow.announce import place_of_done
from shared.workflow.commit import Commits
from shared.workflow.observe import Observed, PlannedStep, observe, work_of_record
from shared.workflow.perform import LONGEST_RUN, Performer
from shared.workflow.wake import Orchestrations
from shared.workflow.work_runs import WorkRuns

MOST_LOOKS = 5
"""How often a record is read again at most because another process changed it at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueWork:
    """Does what is due on records. `wall_clock` limits how long it takes."""

    commits: Commits
    performer: Performer
    intents: Intents
    wall_clock: Callable[[], datetime]

    async def do(
        self,
        engine: Orchestrations,
        key: ReferralKey,
        registration: RegistrationId | None,
        now: datetime,
        *,
        holds_intent: bool = False,
    ) -> Observed:
        """Do what is due at `now`; returns the record afterwards. What is due still was left for lack of time.

        A caller that holds an intent of the record until nothing is left to do needs no others for that, and removes
        those of work that is done itself. Raises `StoreUnavailable`, `Contended`, `RecordUnreadable`.
        """
        started = self.wall_clock()
        for _ in range(MOST_LOOKS):
            known = KnownReferrals(self.performer.referrals)
            observed = await observe(
                self.performer.referrals, self.performer.registrations, key, registration, known
            )
            runs = WorkRuns(performer=self.performer, engine=engine, known=known, now=now, started=started)
            turn = _Turn(self.commits, runs, key, observed, holds_intent=holds_intent)
            is_current = await turn.do_all(lambda: self.wall_clock() - started < LONGEST_RUN)
            for group in in_transactions(runs.places):
                await self.intents.remove(*group)
            if is_current and (
                turn.expired or not await self._has_newer_work(key, registration, observed, now)
            ):
                return observed
        raise Contended(f"Referral {key.referral_id} kept changing; look at it again in a minute.")

    async def _has_newer_work(
        self, key: ReferralKey, registration: RegistrationId | None, observed: Observed, now: datetime
    ) -> bool:
        """Whether a record that seems finished has work after all.

        Its work is read before the record, so a step in between would show a closed record without its work.
        """
        if not observed.plan(now).finished:
            return False
        rows = await work_of_record(self.performer.referrals, key, registration)
        return any(row.value.open for row in rows.values())


@dataclass(slots=True)
class _Turn:
    """Does the steps of a record as it was read, and keeps `observed` up to date with them.

    `since` has the moments right after the commits of the rows that it added, by label.
    """

    commits: Commits
    runs: WorkRuns
    key: ReferralKey
    observed: Observed
    holds_intent: bool
    expired: bool = False
    since: dict[str, int] = field(default_factory=dict[str, int])

    async def do_all(self, has_time: Callable[[], bool]) -> bool:
        """Do steps until none is due, or one is left for lack of time; False if the record must be read again."""
        before = None
        while has_time() and (steps := self.observed.plan(self.runs.now).steps) and steps != before:
            before = steps
            if not await self._do(steps[0]):
                return False
        return True

    async def _do(self, step: PlannedStep) -> bool:
        """Do one step; False if the record must be read again. Each can be done twice without harm."""
        match step.kind:
            case "expire":
                return await self._expire()
            case "remind":
                return await self._remind(step.label)
            case "perform":
                return await self._perform(step.label)

    async def _expire(self) -> bool:
        """Expire a referral whose deadline has passed (L4)."""
        referral = self.observed.record
        if isinstance(referral, Referral):
            with suppress(RecordUnreadable):  # a damaged record of another party defers mails, not the expiry
                await self.runs.known.get(referral.creator)  # before the commit, see `KnownReferrals`

        async def decide(read: Referral, context: CommandContext) -> Change | None:
            return expire(read, context) if is_overdue(read, context.now) else None

        committed = await self.commits.step(
            self.key,
            CommandContext(actor=SYSTEM_ACTOR, now=self.runs.now),
            decide,
            known=self.runs.known,
            announced=self.holds_intent,
        )
        if committed is None or committed.work is None:
            return False
        self.since[committed.work.value.label] = self.runs.known.moment
        self.expired, self.observed.record = True, committed.after
        self.observed.rows[committed.work.value.label] = committed.work
        return True

    async def _remind(self, label: str) -> bool:
        """Create the work of a reminder or an escalation, once (M3, G7)."""
        work = reminder_work(self.key.referral_id, label)
        try:
            etag = await self.commits.referrals.insert_work(self.key, work)
        except StoreConflict:
            return False
        if etag is None:
            return False
        self.observed.rows[label] = Stored(work, etag)
        return True

    async def _perform(self, label: str) -> bool:
        row = await self.runs.perform(self.key, self.observed.rows[label], since=self.since.get(label))
        if row is None:
            return False
        self.observed.rows[label] = row
        if not self.holds_intent and (place := place_of_done(row.value)):
            self.runs.places.append(place)
        return True
