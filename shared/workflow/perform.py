"""Perform the open tasks of a work row, each once and in order; tasks that fail temporarily are deferred.

Every task may run twice (a handler, the sweep and an orchestration may do it), so each is idempotent. A run is
limited to far less than functionTimeout, which would end everything that the worker does; the next one continues
where it stops.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from shared.domain.change import Change, CommandContext, touched
from shared.domain.eligibility import ACCEPTED_ONCE
from shared.domain.ids import OperationId, RegistrationId, derived_operation
from shared.domain.lifecycle import (
    SYSTEM_ACTOR,
    apply_deal_type,
    apply_party_change,
    never_notified_operation,
    record_never_notified,
)
from shared.domain.messages import EXPIRY_MAILS
from shared.domain.referral import Referral, ReferralKey
from shared.domain.registration import Registration
from shared.domain.vocabulary import DealType
from shared.domain.work import (
    Deliver,
    FollowReview,
    IndexWords,
    Invite,
    NoOp,
    Notify,
    Publish,
    Task,
    TaskState,
    TellEligible,
    TouchParties,
    UpdateDealType,
    UpdateParties,
    Withdraw,
    Work,
)
from shared.errors import (
    Contended,
    EngineUnavailable,
    MailPaused,
    MailUnavailable,
    OutOfTime,
    RecordUnreadable,
    StoreConflict,
    StoreUnavailable,
)
from shared.mail.notices import Notices
from shared.storage.choices import Choices
from shared.storage.codec import Stored
from shared.storage.known_referrals import KnownReferrals
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations
from shared.workflow.commit import Commits, Committed
from shared.workflow.index_words import index_words
from shared.workflow.intake import Intake
from shared.workflow.invitations import Invitations
from shared.workflow.mail_refusals import record_refusal
from shared.workflow.reminders_to_register import RemindersToRegister
from shared.workflow.visibility import Visibility
from shared.workflow.wake import Orchestrations, begin_review, end, start_waiting

logger = logging.getLogger(__name__)

LONGEST_DELAY = timedelta(minutes=60)
LONGEST_RUN = timedelta(seconds=60)
"""By the wall clock: after this time a run starts no further task, nor a task its part for a further reader."""
LONGEST_TASK = timedelta(seconds=90)
"""By the wall clock: after this time a task is cancelled, as by a crash. That happens only if storage is slow."""
TRANSIENT = (
    *(Contended, EngineUnavailable, MailUnavailable, RecordUnreadable, StoreConflict, StoreUnavailable),
    TimeoutError,
)
"""Temporary failures, cancelled tasks, and damaged rows, which an operator can repair: they only defer their task.
Any other failure is a defect and fails the activity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performer:
    """What the tasks of work rows need. `wall_clock` limits a run, `longest_task` each of its tasks."""

    referrals: Referrals
    commits: Commits
    invitations: Invitations
    intake: Intake
    registrations: Registrations
    visibility: Visibility
    notices: Notices
    choices: Choices
    wall_clock: Callable[[], datetime]
    longest_task: timedelta = LONGEST_TASK


@dataclass(slots=True, kw_only=True)
class Prepared:
    """What a handler has done of a step's work before it answered, because its caller can read it.

    `arrivals` are the invitees' referrals that it created, None if that failed. `published` is the type that the deal
    was published with.
    """

    arrivals: Sequence[Committed] | None = None
    published: DealType | None = None
    indexed: dict[RegistrationId, Registration] = field(default_factory=dict[RegistrationId, Registration])


@dataclass(slots=True, kw_only=True)
class WorkRun:
    """One run over a work row, begun at `now` by the domain clock and `started` by the wall clock.

    `row` is the row as stored, with the progress. `caused` are the steps of other records that the run committed:
    their work is still to be done. `since` is the moment of `known` right after the row was committed, None if
    another process may have committed it.
    """

    performer: Performer
    engine: Orchestrations
    record: ReferralKey
    row: Stored[Work]
    known: KnownReferrals
    since: int | None
    now: datetime
    started: datetime
    prepared: Prepared = field(default_factory=Prepared)
    caused: list[Committed] = field(default_factory=list[Committed])

    @property
    def work(self) -> Work:
        """The work with the progress of this run."""
        return self.row.value

    async def perform(self) -> bool:
        """Try each due task once, within the time limit, and store the progress; whether it could be stored.

        If two runs perform a row at once, the one that stores its progress later discards it: its tasks may run
        again, which each of them allows. Raises `StoreUnavailable`.
        """
        if not self.work.open:
            return True
        tasks = tuple([await self._attempt(state) for state in self.work.tasks])
        work = replace(self.work, tasks=tasks)
        try:
            etag = await self.performer.referrals.save_work(self.record, work, self.row.etag)
        except StoreConflict:
            logger.info("performed_by_another_run referral=%s work=%s", self.record.referral_id, work.label)
            return False
        self.row = Stored(work, etag or "")
        return etag is not None or not work.open

    async def _attempt(self, state: TaskState) -> TaskState:
        """Try a task if it is due and there is time; a temporary failure defers it."""
        if not state.is_due(self.now) or not self.has_time():
            return state
        try:
            async with asyncio.timeout(self.performer.longest_task.total_seconds()):
                await self._do(state)
        except OutOfTime as rest:
            logger.info(
                "task_continues referral=%s work=%s: %s", self.record.referral_id, self.work.label, rest
            )
            return state
        except TRANSIENT as failed:
            due = self.now + self._passed() + delay_after(state.attempts, failed)
            logger.warning(
                "task_deferred referral=%s work=%s task=%s until=%s: %s",
                *(self.record.referral_id, self.work.label, state.task.kind, due.isoformat(), failed),
            )
            tried = not isinstance(failed, MailPaused)
            return replace(state, due=due, attempts=state.attempts + tried)
        return replace(state, task=_settled(state.task), done=True, due=None)

    def has_time(self) -> bool:
        """Whether something more may be started."""
        return self._passed() < LONGEST_RUN

    def _passed(self) -> timedelta:
        return self.performer.wall_clock() - self.started

    async def _do(self, state: TaskState) -> None:
        match task := state.task:
            case Invite() | Deliver():
                await self._create(task)
            case Withdraw(parties=parties):
                await self._withdraw(parties)
            case UpdateParties() | UpdateDealType() | TouchParties():
                await self._tell_parties(task)
            case Publish():
                await self._publish()
            case Notify():
                await self._notify(task, deferred=state.due is not None)
            case TellEligible():
                await self._tell_eligible()
            case IndexWords(earlier=earlier):
                await index_words(self.performer.referrals, self.known, self.record, earlier)
            case FollowReview(registration=registration):
                await self._follow_review(registration)
            case NoOp():
                return
            case _:
                assert_never(task)

    async def _create(self, task: Invite | Deliver) -> None:
        if isinstance(task, Invite):
            await self._invite(task.parties)
        else:
            await self._deliver()

    async def _tell_parties(self, task: UpdateParties | UpdateDealType | TouchParties) -> None:
        match task:
            case UpdateParties(parties=parties):
                await self._update_parties(parties)
            case UpdateDealType(parties=parties):
                await self._update_deal_type(parties)
            case TouchParties(creator=creator):
                await self._touch_parties(creator=creator)

    async def _invite(self, parties: Sequence[ReferralKey]) -> None:
        """Create the invitees' referrals, unless it has been done, and start their orchestrations.

        Raises `StoreUnavailable` if an invitation is lost that was not delivered before.
        """
        arrivals, lost = self.prepared.arrivals, list[str]()
        if arrivals is None:
            stored = {each.key: each for each in await self.performer.referrals.invitations(self.record)}
            sent = [stored[party] for party in parties if party in stored]
            arrivals = await self.performer.invitations.deliver(await self._own(), sent, self.now)
            lost = [p.referral_id for p in parties if p not in stored and not await self.known.get(p)]
        await self._start_waiting(arrivals, parties)
        _require_all(lost)

    async def _deliver(self) -> None:
        """Create the leads of a request, unless it has been done, and start their orchestrations."""
        arrivals, leads = self.prepared.arrivals, list[Referral]()
        if arrivals is None:
            leads = await self.performer.referrals.invitations(self.record)
            arrivals = await self.performer.intake.deliver(self.record, leads, self.now)
        await self._start_waiting(arrivals, [lead.key for lead in leads])

    async def _start_waiting(self, arrivals: Sequence[Committed], parties: Sequence[ReferralKey]) -> None:
        """Start the orchestrations of new referrals, and of those parties that an earlier run created."""
        self.caused.extend(arrivals)
        new = {arrival.after.key: arrival.after for arrival in arrivals}
        if self.prepared.arrivals is None:
            known = [stored.value for p in parties if p not in new and (stored := await self.known.get(p))]
            new |= {referral.key: referral for referral in known}
        await asyncio.gather(*(start_waiting(self.engine, referral) for referral in new.values()))

    async def _publish(self) -> None:
        """Show the deal to Microsoft's sellers, or not any more.

        Another step may change the type at the same time; so the last write must be of the type as read after it.
        """
        published, deal = self.prepared.published, await self.known.read(self.record)
        while deal and deal.value.deal_type != published:
            published = deal.value.deal_type
            await self.performer.visibility.follow(deal.value)
            deal = await self.known.read(self.record)

    async def _tell_eligible(self) -> None:
        """Begin the mails to the teams of won deals that can be registered now."""
        begun = RemindersToRegister(self.performer.commits, self.performer.invitations, self.known, self.now)
        self.caused.extend(await begun.begin(await self._own()))

    async def _follow_review(self, registration_id: RegistrationId) -> None:
        """Index a registration as it is now; if it is reviewed, start or wake the orchestration of its review.

        That of a recalled or deleted one is only woken: it finds nothing to wait for, and ends.
        """
        registration = self.prepared.indexed.get(registration_id)
        if registration is None:
            registration = await self.performer.registrations.get(self.record, registration_id)
            if registration is None:
                await self._forget_review(registration_id)
                return
            await self.performer.registrations.index(registration)
        if registration.kind != "IpCoSell" or registration.latest is None:
            return
        if registration.status == "Draft":
            await self.engine.raise_event(registration_id, "changed")
        else:
            await begin_review(self.engine, self.record, registration_id)

    async def _forget_review(self, registration_id: RegistrationId) -> None:
        """Remove what is left of a deleted registration. Raises `StoreUnavailable` if the deal still has it."""
        deal = await self.known.read(self.record)
        if deal is None or any(each.id == registration_id for each in deal.value.registrations):
            raise StoreUnavailable(f"Registration {registration_id} has work but no record.")
        await self.performer.registrations.remove(self.record, registration_id)
        await self.engine.raise_event(registration_id, "changed")

    async def _withdraw(self, parties: Sequence[ReferralKey]) -> None:
        """Withdraw the invitations that have not been answered, and end the invitees' orchestrations."""
        deal = await self._own()

        async def withdraw(invitee: ReferralKey) -> None:
            withdrawn = await self.performer.invitations.withdraw(invitee, deal, self.now, self.known)
            if withdrawn:
                self.caused.append(withdrawn)
                await end(self.engine, withdrawn.after)

        await self._for_each(parties, withdraw)

    async def _update_parties(self, parties: Sequence[ReferralKey]) -> None:
        """Record the change in the other parties' timelines, except those that declined or expired (V1)."""
        own = await self._own()
        state = await self._state() or own.state

        def party_change(referral: Referral, context: CommandContext) -> Change | None:
            if referral.substatus in {"Declined", "Expired"}:
                return None
            return apply_party_change(referral, own, state, context)

        async def update(other: ReferralKey) -> None:
            operation_id = derived_operation("inform", self.work.operation_id, other.referral_id)
            await self._append_once(other, operation_id, party_change)

        await self._for_each(parties, update)

    async def _touch_parties(self, *, creator: bool) -> None:
        """Move the records of the parties that see this one: those that accepted, and the creator's (V1, N7)."""
        own = await self._own()
        deal = await self.known.get(own.creator)
        if deal is None:
            return
        pending = (i.party.organization_id for i in deal.value.invited if i.substatus == "Pending")
        current = await self.performer.invitations.with_current_invitations(deal.value, pending)
        parties = [i.party for i in current.invited if i.substatus in ACCEPTED_ONCE]
        parties += [own.creator] if creator else []
        await self._for_each([each for each in parties if each != own.key], self._touch)

    async def _touch(self, record: ReferralKey) -> None:
        await self.performer.commits.touch(record, lambda each: touched(each, self.now), self.known)

    async def _update_deal_type(self, parties: Sequence[ReferralKey]) -> None:
        """Copy the deal's current type to the other parties' referrals, unless they have it or are closed."""
        own = await self._own()

        async def decide(referral: Referral, context: CommandContext) -> Change | None:
            if referral.is_closed or referral.deal_type == own.deal_type:
                return None
            return apply_deal_type(referral, own, context)

        context = CommandContext(actor=SYSTEM_ACTOR, now=self.now)

        async def update(other: ReferralKey) -> None:
            await self.performer.commits.step(other, context, decide, known=self.known)

        await self._for_each(parties, update)

    async def _notify(self, task: Notify, *, deferred: bool) -> None:
        """Send the mails of a message; permanent refusals are recorded in the readers' timelines (M6)."""

        async def send(reader: ReferralKey) -> None:
            now = self.now + self._passed()
            if task.choice:
                await self.performer.choices.offer(task.choice, await self._own())
            if task.message in EXPIRY_MAILS:
                await self._record_if_nobody_was_notified(reader, task)
            refused = await self.performer.notices.send(
                self.record,
                self.work.label,
                task,
                now,
                has_time=self.has_time,
                known=self.known,
                planned_before=deferred,
            )
            for mail in refused:
                await record_refusal(self.performer.commits, mail, self.now, self.known, self.since)

        await self._for_each((task.party or self.record,), send)

    async def _for_each(
        self, parties: Sequence[ReferralKey], action: Callable[[ReferralKey], Awaitable[None]]
    ) -> None:
        """Run an action for each referral; one that is not delivered yet defers the task, but not the others.

        Raises `StoreUnavailable` if one is not delivered. Its `Invite` stays open until it is; counting the task as
        done instead would leave the referral without this change. Raises `OutOfTime` if there was no time for all.
        """
        missing: list[str] = []
        for number, record in enumerate(parties):
            if number and not self.has_time():
                raise OutOfTime("Some of the parties are left for the next run.")
            if await self.known.get(record):
                await action(record)
            else:
                missing.append(record.referral_id)
        _require_all(missing)

    async def _record_if_nobody_was_notified(self, reader: ReferralKey, task: Notify) -> None:
        """Record it in the timeline before the mail is composed, since the mail repeats the timeline (M8)."""
        if not await self.performer.notices.was_never_notified(
            self.record, self.work.label, task, self.now, self.known
        ):
            return
        own = await self._own()

        def never_notified(referral: Referral, context: CommandContext) -> Change:
            return record_never_notified(referral, own, context)

        operation_id = never_notified_operation(own.id)
        await self._append_once(reader, operation_id, never_notified)

    async def _append_once(
        self,
        record: ReferralKey,
        operation_id: OperationId,
        append_entry: Callable[[Referral, CommandContext], Change | None],
    ) -> None:
        await self.performer.commits.append_entry_once(
            record, operation_id, append_entry, self.now, known=self.known, since=self.since
        )

    async def _own(self) -> Referral:
        stored = await self.known.get(self.record)
        if stored is None:
            raise StoreUnavailable(f"Referral {self.record.referral_id} has work but no document.")
        return stored.value

    async def _state(self) -> str | None:
        """The state after the work's timeline entry; None if the entry changed no state, or is lost."""
        entry = await self.known.entry(self.record, int(self.work.label))
        if entry is None:
            logger.warning("entry_missing referral=%s work=%s", self.record.referral_id, self.work.label)
        return entry.to_state if entry else None


def _settled(task: Task) -> Task:
    """A task that is done, without the secret that its mail had (R8)."""
    return replace(task, choice=None) if isinstance(task, Notify) and task.choice else task


def _require_all(missing: Sequence[str]) -> None:
    """Raise `StoreUnavailable` if referrals are missing that were invited."""
    if missing:
        raise StoreUnavailable(f"Invitation {', '.join(missing)} is not delivered yet.")


def delay_after(attempts: int, failure: Exception) -> timedelta:
    """How long to wait after a failed attempt: 1, 2, 4 … 60 minutes with jitter, or longer if the failure says so.

    While mail is paused, nothing was tried: then wait until the gate opens.
    """
    if isinstance(failure, MailPaused):
        return failure.retry_after
    minutes = min(timedelta(minutes=2 ** min(attempts, 6)), LONGEST_DELAY)
    jittered = minutes * (0.75 + secrets.randbelow(251) / 1000)
    requested = failure.retry_after if isinstance(failure, MailUnavailable) else None
    return max(jittered, requested or jittered)
