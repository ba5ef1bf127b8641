"""Perform the open tasks of a work row, each once and in order; tasks that fail temporarily are deferred.

Every task may run twice (activities run at least once), so each is idempotent. A row's intent is removed when its
last task is done. A run is limited to far less than functionTimeout, which would end everything that the worker does;
the next run, which starts at once, continues where it stops.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from shared.domain.change import Change, CommandContext
from shared.domain.ids import RegistrationId, derived_operation
from shared.domain.lifecycle import (
    SYSTEM_ACTOR,
    apply_deal_type,
    apply_party_change,
    never_notified_operation,
    record_failed_mail,
    record_never_notified,
)
from shared.domain.messages import EXPIRY_MAILS
from shared.domain.referral import Referral, ReferralKey
from shared.domain.work import (
    Deliver,
    FollowReview,
    Invite,
    NoOp,
    Notify,
    Publish,
    TaskState,
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
from shared.mail.notices import Notices, Undeliverable
from shared.storage.intents import Intents
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations
from shared.workflow.commit import Commits
from shared.workflow.intake import Intake
from shared.workflow.invitations import Invitations
from shared.workflow.visibility import Visibility
from shared.workflow.wake import Orchestrations, begin, wake

logger = logging.getLogger(__name__)

LONGEST_DELAY = timedelta(minutes=60)
PATIENCE = timedelta(seconds=3)
"""How long the response to a command waits for its work; mails take a fraction of it."""
_RUNNING: set[asyncio.Task[bool]] = set()
"""Keeps references to the tasks, so that they are not garbage-collected."""
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
class WorkRunner:
    """Performs work rows with the services that their tasks need. `wall_clock` limits a run."""

    referrals: Referrals
    intents: Intents
    commits: Commits
    invitations: Invitations
    intake: Intake
    registrations: Registrations
    visibility: Visibility
    notices: Notices
    wall_clock: Callable[[], datetime]
    longest_task: timedelta = LONGEST_TASK

    async def after_commit(
        self, engine: Orchestrations, record: ReferralKey, label: str, now: datetime
    ) -> bool:
        """Perform the work of a command right after its commit; whether all of it is done within `PATIENCE`.

        So mails and other effects do not wait for the durable engine's queues. Unfinished work continues in the
        background, and the orchestration performs it in any case. Raises nothing: the command is committed.
        """
        task = asyncio.create_task(self._try(engine, record, label, now))
        _RUNNING.add(task)
        task.add_done_callback(_RUNNING.discard)
        done, _ = await asyncio.wait({task}, timeout=PATIENCE.total_seconds())
        return task in done and task.result()

    async def _try(self, engine: Orchestrations, record: ReferralKey, label: str, now: datetime) -> bool:
        try:
            return await self.perform(engine, record, label, now)
        except TRANSIENT as failed:
            logger.warning("work_left referral=%s work=%s: %s", record.referral_id, label, failed)
        except Exception:
            logger.exception("work_failed referral=%s work=%s", record.referral_id, label)
        return False

    async def perform(self, engine: Orchestrations, record: ReferralKey, label: str, now: datetime) -> bool:
        """Try each due task of a work row once, within the time limit, and store the progress.

        Returns whether no task is left. If two runs perform a row at once, the one that stores its progress later
        discards it, and its tasks may run again: each is idempotent.
        """
        row = await self.referrals.get_work(record, label)
        if row is None:
            return True
        if row.value.open:
            run = WorkRun(self, engine, record, row.value, now, self.wall_clock())
            tasks = tuple([await run.attempt(state) for state in row.value.tasks])
            work = replace(row.value, tasks=tasks)
            try:
                await self.referrals.save_work(record, work, row.etag)
            except StoreConflict:
                logger.info("performed_by_another_run referral=%s work=%s", record.referral_id, label)
                return False
            if work.open:
                return False
        if row.value.announced_for:
            await self.intents.remove_commit(row.value.operation_id, row.value.announced_for)
        return True


@dataclass(frozen=True, slots=True)
class WorkRun:
    """One run over a work row, started at `now` by the orchestration's clock and `started` by the wall clock."""

    runner: WorkRunner
    engine: Orchestrations
    record: ReferralKey
    work: Work
    now: datetime
    started: datetime

    async def attempt(self, state: TaskState) -> TaskState:
        """Try a task if it is due and there is time; a temporary failure defers it."""
        if not state.is_due(self.now) or not self.has_time():
            return state
        try:
            async with asyncio.timeout(self.runner.longest_task.total_seconds()):
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
        return replace(state, done=True, due=None)

    def has_time(self) -> bool:
        """Whether something more may be started."""
        return self._passed() < LONGEST_RUN

    def _passed(self) -> timedelta:
        return self.runner.wall_clock() - self.started

    async def _do(self, state: TaskState) -> None:
        match task := state.task:
            case Invite(parties=parties):
                await self._invite(parties)
            case Withdraw(parties=parties):
                await self._withdraw(parties)
            case UpdateParties(parties=parties):
                await self._update_parties(parties)
            case UpdateDealType(parties=parties):
                await self._update_deal_type(parties)
            case Publish():
                await self.runner.visibility.follow(await self._own())
            case Notify():
                await self._notify(task, deferred=state.due is not None)
            case Deliver():
                await self._deliver()
            case FollowReview(registration=registration):
                await self._follow_review(registration)
            case NoOp():
                return
            case _:
                assert_never(task)

    async def _invite(self, parties: Sequence[ReferralKey]) -> None:
        """Create the invitees' referrals, and start their orchestrations.

        Raises `StoreUnavailable` if an invitation is lost that was not delivered before.
        """
        ids = {record.referral_id for record in parties}
        deal = await self._own()
        sent = [i for i in await self.runner.referrals.invitations(self.record) if i.id in ids]
        await self.runner.invitations.deliver(deal, sent, self.now)

        async def start(invitee: ReferralKey) -> None:
            await begin(self.engine, invitee)

        await self._for_each(parties, start)

    async def _deliver(self) -> None:
        """Create the leads of a request, and start their orchestrations."""
        leads = await self.runner.intake.deliver(self.record, self.now)
        await asyncio.gather(*(begin(self.engine, lead.key) for lead in leads))

    async def _follow_review(self, registration_id: RegistrationId) -> None:
        """Index a registration as it is now; if it is reviewed, start or wake the orchestration of its review."""
        registration = await self.runner.registrations.get(self.record, registration_id)
        if registration is None:
            raise StoreUnavailable(f"Registration {registration_id} has work but no record.")
        await self.runner.registrations.index(registration)
        if registration.kind == "IpCoSell" and registration.latest:
            await begin(self.engine, self.record, registration_id)

    async def _withdraw(self, parties: Sequence[ReferralKey]) -> None:
        """Withdraw the invitations that have not been answered, and wake the invitees' orchestrations."""
        deal = await self._own()

        async def withdraw(invitee: ReferralKey) -> None:
            await self.runner.invitations.withdraw(invitee, deal, self.now)
            await wake(self.engine, invitee)

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
            await self.runner.commits.append_entry_once(other, operation_id, party_change, self.now)

        await self._for_each(parties, update)

    async def _update_deal_type(self, parties: Sequence[ReferralKey]) -> None:
        """Copy the deal's current type to the other parties' referrals, unless they have it or are closed."""
        own = await self._own()

        async def decide(referral: Referral, context: CommandContext) -> Change | None:
            if referral.is_closed or referral.deal_type == own.deal_type:
                return None
            return apply_deal_type(referral, own, context)

        context = CommandContext(actor=SYSTEM_ACTOR, now=self.now)

        async def update(other: ReferralKey) -> None:
            await self.runner.commits.step(other, context, decide)

        await self._for_each(parties, update)

    async def _notify(self, task: Notify, *, deferred: bool) -> None:
        """Send the mails of a message; permanent refusals are recorded in the readers' timelines (M6)."""

        async def send(reader: ReferralKey) -> None:
            now = self.now + self._passed()
            if task.message in EXPIRY_MAILS:
                await self._record_if_nobody_was_notified(reader, task)
            refused = await self.runner.notices.send(
                self.record, self.work.label, task, now, self.has_time, planned_before=deferred
            )
            for mail in refused:
                await self._record_refusal(mail)

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
            if await self.runner.referrals.get(record):
                await action(record)
            else:
                missing.append(record.referral_id)
        if missing:
            raise StoreUnavailable(f"Invitation {', '.join(missing)} is not delivered yet.")

    async def _record_refusal(self, mail: Undeliverable) -> None:
        def failed(referral: Referral, context: CommandContext) -> Change:
            return record_failed_mail(referral, mail.message, mail.address, mail.reason, context)

        operation_id = derived_operation("mailRefused", mail.operation_id)
        await self.runner.commits.append_entry_once(mail.reader, operation_id, failed, self.now)

    async def _record_if_nobody_was_notified(self, reader: ReferralKey, task: Notify) -> None:
        """Record it in the timeline before the mail is composed, since the mail repeats the timeline (M8)."""
        if not await self.runner.notices.was_never_notified(self.record, self.work.label, task, self.now):
            return
        own = await self._own()

        def never_notified(referral: Referral, context: CommandContext) -> Change:
            return record_never_notified(referral, own, context)

        operation_id = never_notified_operation(own.id)
        await self.runner.commits.append_entry_once(reader, operation_id, never_notified, self.now)

    async def _own(self) -> Referral:
        stored = await self.runner.referrals.get(self.record)
        if stored is None:
            raise StoreUnavailable(f"Referral {self.record.referral_id} has work but no document.")
        return stored.value

    async def _state(self) -> str | None:
        """The state after the work's timeline entry; None if the entry changed no state, or is lost."""
        entry = await self.runner.referrals.entry(self.record, int(self.work.label))
        if entry is None:
            logger.warning("entry_missing referral=%s work=%s", self.record.referral_id, self.work.label)
        return entry.to_state if entry else None


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
