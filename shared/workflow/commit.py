"""One atomic step of one referral: decide on what was read, announce it, commit it, and know how it ended.

This is the only place where accept, decline, withdrawal and expiry compete (L4): the transaction needs the
document unchanged, so exactly one of them is stored.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.domain.change import Change, CommandContext
from shared.domain.ids import OperationId
from shared.domain.lifecycle import BY_THE_CLOCK
from shared.domain.referral import Referral, ReferralKey
from shared.errors import Contended, StoreConflict, StoreUnavailable
from shared.storage.referrals import IdempotencyRecord, Referrals, Stored
from shared.workflow.announce import Announcements

logger = logging.getLogger(__name__)

ATTEMPTS = 5
"""How often a step is decided anew when the record changes under it."""

Decide = Callable[[Referral, CommandContext], Awaitable[Change | None]]
"""Given the record as read, the step to store; None for nothing to do; raises a `Refusal` for no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyDone:
    """A creation that was carried out before under the same idempotency key."""

    record: IdempotencyRecord


@dataclass(slots=True)
class _Attempts:
    """The attempts at one step: those that storage `refused`, and of them those that are `lost` for certain.

    What is refused may be stored all the same: the storage client repeats what was not answered, and is then refused
    for its own first time.
    """

    all: list[Change] = field(default_factory=list[Change])
    refused: list[Change] = field(default_factory=list[Change])
    lost: list[Change] = field(default_factory=list[Change])


class Commits:
    """Commits steps. `new_operation_id` draws one id per attempt."""

    def __init__(
        self,
        referrals: Referrals,
        announcements: Announcements,
        new_operation_id: Callable[[], OperationId],
    ) -> None:
        self._referrals = referrals
        self._announcements = announcements
        self._new_operation_id = new_operation_id

    async def step(
        self,
        party: ReferralKey,
        context: CommandContext,
        decide: Decide,
        *,
        idempotency: Callable[[Change], IdempotencyRecord] | None = None,
        replaced: Stored[IdempotencyRecord] | None = None,
    ) -> Change | None:
        """Take one step of an existing referral; None if it does not exist or `decide` finds nothing to do.

        `idempotency` gives the record to keep under the request's key, `replaced` one there that has expired.
        Raises the decision's `Refusal`, `Contended` after five tries, `StoreUnavailable`, `RecordTooLarge`.
        """
        attempts = _Attempts()
        try:
            return await self._step(party, context, decide, attempts, idempotency=idempotency, replaced=replaced)
        finally:
            await self._withdraw(attempts)

    async def _step(
        self,
        party: ReferralKey,
        context: CommandContext,
        decide: Decide,
        attempts: _Attempts,
        *,
        idempotency: Callable[[Change], IdempotencyRecord] | None,
        replaced: Stored[IdempotencyRecord] | None,
    ) -> Change | None:
        for _ in range(ATTEMPTS):
            read = await self._referrals.get(party)
            if read is None:
                return None
            try:
                change = await decide(read.value, self._attempt(context))
            except Exception:  # by a rule or for a version that moved: what refuses us may be our own attempt
                if landed := await self._landed(attempts):
                    return landed
                raise
            if change is None:
                return await self._landed(attempts)
            change = await self._announcements.announce(change, context.now)
            record = idempotency(change) if idempotency and not change.refusal else None
            if await self._commit(change, read, record, replaced, attempts):
                return change
            if landed := await self._landed(attempts):
                return landed
        raise Contended(f"Referral {party.referral_id} kept changing; repeat the request in a second.")

    async def create(
        self,
        build: Callable[[CommandContext], Change],
        context: CommandContext,
        idempotency: IdempotencyRecord | None,
        replaced: Stored[IdempotencyRecord] | None,
    ) -> Change | AlreadyDone:
        """Bring a record into being; `build` must give it the same id each time.

        With an idempotency key, whoever stores it first has created; the other learns of it. Raises as `step` does.
        """
        attempts = _Attempts()
        try:
            return await self._create(build, context, attempts, idempotency, replaced)
        finally:
            await self._withdraw(attempts)

    async def _create(
        self,
        build: Callable[[CommandContext], Change],
        context: CommandContext,
        attempts: _Attempts,
        idempotency: IdempotencyRecord | None,
        replaced: Stored[IdempotencyRecord] | None,
    ) -> Change | AlreadyDone:
        for _ in range(ATTEMPTS):
            change = await self._announcements.announce(build(self._attempt(context)), context.now)
            if await self._commit(change, None, idempotency, replaced, attempts):
                return change
            if landed := await self._landed(attempts):
                return landed
            if idempotency and (done := await self._done_under(idempotency, replaced)):
                return done
        raise Contended("The deal could not be stored; repeat the request in a second.")

    async def bring_in(self, change: Change, now: datetime) -> None:
        """Bring in a record that was decided elsewhere, once: that it is there already is success.

        Raises `StoreUnavailable` if it is not known to be in.
        """
        if await self._referrals.get(change.after.party):
            return
        announced = await self._announcements.announce(change, now)
        try:
            await self._referrals.commit(announced, None)
        except StoreConflict:
            logger.debug("record_already_in referral=%s", change.after.id)

    async def append_entry_once(
        self,
        party: ReferralKey,
        operation_id: OperationId,
        remark: Callable[[Referral, CommandContext], Change | None],
        now: datetime,
    ) -> None:
        """Append an entry to a timeline unless it is there: its operation id is made of what it tells.

        Whether it is there is asked after the record was read, so that one which lands in between is a conflict.
        Raises as `step` does.
        """

        async def decide(referral: Referral, context: CommandContext) -> Change | None:
            if any(entry.operation_id == operation_id for entry in await self._referrals.entries(party)):
                return None
            return remark(referral, replace(context, operation_id=operation_id))

        await self.step(party, CommandContext(actor=BY_THE_CLOCK, now=now), decide)

    async def replayed(self, party: ReferralKey, key_hash: str) -> bool:
        """Whether a step of this referral was taken under this idempotency key."""
        return any(entry.key_hash == key_hash for entry in await self._referrals.entries(party))

    async def _commit(
        self,
        change: Change,
        read: Stored[Referral] | None,
        idempotency: IdempotencyRecord | None,
        replaced: Stored[IdempotencyRecord] | None,
        attempts: _Attempts,
    ) -> bool:
        attempts.all.append(change)
        try:
            await self._referrals.commit(change, read, idempotency, replaced)
        except StoreConflict as refused:
            logger.info("commit_refused referral=%s: %s", change.after.id, refused)
            attempts.refused.append(change)
            return False
        except StoreUnavailable as failed:
            logger.info("commit_uncertain referral=%s: %s", change.after.id, failed)
            return False
        return True

    async def _landed(self, attempts: _Attempts) -> Change | None:
        """The attempt of ours that is in the timeline, if one is: storage may have taken what it did not confirm."""
        for change in attempts.all:
            entry = await self._referrals.entry(change.after.party, change.entry.sequence)
            if entry and entry.operation_id == change.entry.operation_id:
                return change
            if change in attempts.refused and change not in attempts.lost:
                attempts.lost.append(change)
        return None

    async def _withdraw(self, attempts: _Attempts) -> None:
        for change in attempts.lost:
            await self._announcements.withdraw(change)

    async def _done_under(
        self, wanted: IdempotencyRecord, replaced: Stored[IdempotencyRecord] | None
    ) -> AlreadyDone | None:
        found = await self._referrals.idempotency(wanted.organization_id, wanted.key_hash)
        if found is None or (replaced and found.etag == replaced.etag):
            return None
        return AlreadyDone(record=found.value)

    def _attempt(self, context: CommandContext) -> CommandContext:
        return replace(context, operation_id=self._new_operation_id())
