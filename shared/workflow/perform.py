"""Doing the open work of one row: each task once, in order; what fails for a passing reason is put off.

Every task may run twice (an activity is at least once), so each is guarded where it lands. A row's intent is
forgotten when its last task is done. A run has little time, far less than functionTimeout, which ends the worker with
all that it does: what it does not come to is left to the next run, which begins at once.
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
    BY_THE_CLOCK,
    apply_deal_type,
    apply_party_change,
    never_notified_operation,
    record_failed_mail,
    record_never_notified,
)
from shared.domain.messages import OF_EXPIRY
from shared.domain.referral import Referral, ReferralKey
from shared.domain.work import (
    Deliver,
    FollowReview,
    Invite,
    NoOp,
    Notify,
    Publish,
    Task,
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
"""How long an answer waits for the work of its command: mails take a fraction of it."""
_UNDER_WAY: set[asyncio.Task[bool]] = set()
LONGEST_RUN = timedelta(seconds=60)
"""By the wall clock: after it a run begins nothing more, neither a task nor what a task does for one reader."""
LONGEST_TASK = timedelta(seconds=90)
"""By the wall clock: after it a task is broken off, as by a crash. It comes to that only where storage is slow."""
TRANSIENT = (
    *(Contended, EngineUnavailable, MailUnavailable, RecordUnreadable, StoreConflict, StoreUnavailable),
    TimeoutError,
)
"""Failures that time heals, or of a row that cannot be read an operator, and a task that was broken off: they put
their task off and nothing else. Any other is a defect and fails the activity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRunner:
    """Carries out work rows, with everything that their tasks touch. `wall_clock` bounds a run."""

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
        """Carry out the work of a command right after its commit, for at most `PATIENCE`; whether all of it is done.

        So nobody who is told of it waits for the durable engine's queues. What is not done in time goes on for as
        long as this process lives, and is the orchestration's in any case. Raises nothing: the command is committed.
        """
        task = asyncio.create_task(self._try(engine, record, label, now))
        _UNDER_WAY.add(task)
        task.add_done_callback(_UNDER_WAY.discard)
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
        """Try each due task of a work row once, as far as there is time, and keep how far it came.

        Gives whether nothing of it is left. Of two runs at once over one row, the one that is later to keep it leaves
        it to the other. What it did itself is done again: each task is guarded.
        """
        row = await self.referrals.work_row(record, label)
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
            await self.intents.forget_commit(row.value.operation_id, row.value.announced_for)
        return True


@dataclass(frozen=True, slots=True)
class WorkRun:
    """One run over one work row, which began at `now` of the orchestration and `started` of the wall clock."""

    runner: WorkRunner
    engine: Orchestrations
    record: ReferralKey
    work: Work
    now: datetime
    started: datetime

    async def attempt(self, state: TaskState) -> TaskState:
        """Try a task if it is due; a passing failure gives it a later due time, no time left changes nothing."""
        if not state.is_due(self.now) or not self.has_time():
            return state
        try:
            async with asyncio.timeout(self.runner.longest_task.total_seconds()):
                await self._do(state.task)
        except OutOfTime as rest:
            logger.info(
                "task_goes_on referral=%s work=%s: %s", self.record.referral_id, self.work.label, rest
            )
            return state
        except TRANSIENT as failed:
            due = self.now + self._passed() + delay_after(state.attempts, failed)
            logger.warning(
                "task_put_off referral=%s work=%s task=%s until=%s: %s",
                *(self.record.referral_id, self.work.label, state.task.kind, due.isoformat(), failed),
            )
            tried = not isinstance(failed, MailPaused)
            return replace(state, due=due, attempts=state.attempts + tried)
        return replace(state, done=True, due=None)

    def has_time(self) -> bool:
        """Whether something more may be begun."""
        return self._passed() < LONGEST_RUN

    def _passed(self) -> timedelta:
        return self.runner.wall_clock() - self.started

    async def _do(self, task: Task) -> None:
        match task:
            case Invite(parties=parties):
                await self._invite(parties)
            case Withdraw(parties=parties):
                await self._withdraw(parties)
            case UpdateParties(parties=parties):
                await self._inform(parties)
            case UpdateDealType(parties=parties):
                await self._retype(parties)
            case Publish():
                await self.runner.visibility.follow(await self._own())
            case Notify():
                await self._notify(task)
            case Deliver():
                await self._deliver()
            case FollowReview(registration=registration):
                await self._follow_review(registration)
            case NoOp():
                return
            case _:
                assert_never(task)

    async def _invite(self, parties: Sequence[ReferralKey]) -> None:
        """Bring the invitees' referrals into being, and start their orchestrations.

        Raises `StoreUnavailable` if an invitation is lost that was not sent before.
        """
        wanted = {record.referral_id for record in parties}
        deal = await self._own()
        sent = [i for i in await self.runner.referrals.invitations(self.record) if i.id in wanted]
        await self.runner.invitations.roll_forward(deal, sent, self.now)

        async def start(invitee: ReferralKey) -> None:
            await begin(self.engine, invitee)

        await self._at_each(parties, start)

    async def _deliver(self) -> None:
        """Bring the leads of a request into being, and start their orchestrations."""
        leads = await self.runner.intake.deliver(self.record, self.now)
        await asyncio.gather(*(begin(self.engine, lead.key) for lead in leads))

    async def _follow_review(self, registration_id: RegistrationId) -> None:
        """File a registration as it is now; what is reviewed has an orchestration, which looks at it again."""
        registration = await self.runner.registrations.get(self.record, registration_id)
        if registration is None:
            raise StoreUnavailable(f"Registration {registration_id} has work but no record.")
        await self.runner.registrations.index(registration)
        if registration.kind == "IpCoSell" and registration.latest:
            await begin(self.engine, self.record, registration_id)

    async def _withdraw(self, parties: Sequence[ReferralKey]) -> None:
        """End the invitations nobody has answered, and wake those who now have news to tell."""
        deal = await self._own()

        async def withdraw(invitee: ReferralKey) -> None:
            await self.runner.invitations.withdraw(invitee, deal, self.now)
            await wake(self.engine, invitee)

        await self._at_each(parties, withdraw)

    async def _inform(self, parties: Sequence[ReferralKey]) -> None:
        """Tell the others' timelines; one that declined or let its time pass sees nothing of the deal (V1)."""
        own = await self._own()
        state = await self._state() or own.state

        def heard(referral: Referral, context: CommandContext) -> Change | None:
            if referral.substatus in {"Declined", "Expired"}:
                return None
            return apply_party_change(referral, own, state, context)

        async def inform(other: ReferralKey) -> None:
            operation_id = derived_operation("inform", self.work.operation_id, other.referral_id)
            await self.runner.commits.append_entry_once(other, operation_id, heard, self.now)

        await self._at_each(parties, inform)

    async def _retype(self, parties: Sequence[ReferralKey]) -> None:
        """Repeat the deal's present type on the others' records; what has it already is left alone."""
        own = await self._own()

        async def decide(referral: Referral, context: CommandContext) -> Change | None:
            if referral.is_closed or referral.deal_type == own.deal_type:
                return None
            return apply_deal_type(referral, own, context)

        context = CommandContext(actor=BY_THE_CLOCK, now=self.now)

        async def retype(other: ReferralKey) -> None:
            await self.runner.commits.step(other, context, decide)

        await self._at_each(parties, retype)

    async def _notify(self, task: Notify) -> None:
        """Send the mails of one message; those refused for good are told in their readers' timeline (M6)."""

        async def send(reader: ReferralKey) -> None:
            now = self.now + self._passed()
            if task.message in OF_EXPIRY:
                await self._tell_if_nobody_was_notified(reader, task)
            refused = await self.runner.notices.send(self.record, self.work.label, task, now, self.has_time)
            for mail in refused:
                await self._tell_of_refusal(mail)

        await self._at_each((task.party or self.record,), send)

    async def _at_each(
        self, parties: Sequence[ReferralKey], context: Callable[[ReferralKey], Awaitable[None]]
    ) -> None:
        """Act on each of these referrals; one that is not in yet keeps no other waiting, only the task.

        Raises `StoreUnavailable` if one is not in. It will be: the `Invite` that brings it in stays open until then.
        To take it for done instead would leave it as it was sent, since what was decided meanwhile could come later.
        Raises `OutOfTime` when there was no time for all.
        """
        missing: list[str] = []
        for number, record in enumerate(parties):
            if number and not self.has_time():
                raise OutOfTime("Some of the parties are left for the next run.")
            if await self.runner.referrals.get(record):
                await context(record)
            else:
                missing.append(record.referral_id)
        if missing:
            raise StoreUnavailable(f"Referral {', '.join(missing)} is invited and not in yet.")

    async def _tell_of_refusal(self, mail: Undeliverable) -> None:
        def failed(referral: Referral, context: CommandContext) -> Change:
            return record_failed_mail(referral, mail.message, mail.address, mail.reason, context)

        operation_id = derived_operation("mailRefused", mail.operation_id)
        await self.runner.commits.append_entry_once(mail.reader, operation_id, failed, self.now)

    async def _tell_if_nobody_was_notified(self, reader: ReferralKey, task: Notify) -> None:
        """Tell it in the timeline before the mail is planned, which says what the timeline says (M8)."""
        if not await self.runner.notices.nobody_was_notified(self.record, self.work.label, task, self.now):
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
        """The state that the work's entry led to; None if it led to none, or if the entry is lost."""
        entry = await self.runner.referrals.entry(self.record, int(self.work.label))
        if entry is None:
            logger.warning("entry_missing referral=%s work=%s", self.record.referral_id, self.work.label)
        return entry.to_state if entry else None


def delay_after(attempts: int, failure: Exception) -> timedelta:
    """How long to wait after a failed attempt: 1, 2, 4 … 60 minutes with jitter, or longer if the failure says so.

    Where nothing was tried, because no mail is sent for now: until the gate opens.
    """
    if isinstance(failure, MailPaused):
        return failure.retry_after
    minutes = min(timedelta(minutes=2 ** min(attempts, 6)), LONGEST_DELAY)
    jittered = minutes * (0.75 + secrets.randbelow(251) / 1000)
    asked = failure.retry_after if isinstance(failure, MailUnavailable) else None
    return max(jittered, asked or jittered)
