"""Commit one atomic step of a referral: decide on the record as read, announce, commit, and determine the outcome.

Only here do accept, decline, withdrawal and expiry compete (L4): the transaction requires the document unchanged, so
exactly one of them is stored.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from shared.domain.change import Change, CommandContext
from shared.domain.ids import OperationId
from shared.domain.lifecycle import SYSTEM_ACTOR
from shared.domain.referral import Referral, ReferralKey
from shared.errors import Contended, StoreConflict, StoreUnavailable
from shared.storage.codec import Stored
from shared.storage.idempotency import IdempotencyKeys, RequestKey
from shared.storage.referrals import Referrals
from shared.workflow.announce import Announcements

logger = logging.getLogger(__name__)

T = TypeVar("T")
ATTEMPTS = 5
"""How often a step is decided again when the record has changed meanwhile."""

Decide = Callable[[Referral, CommandContext], Awaitable[Change | None]]
"""Given the record as read, returns the step to store, or None if there is nothing to do; raises a `Refusal`."""


@dataclass(slots=True)
class _Attempts:
    """All attempts at a step; those that storage `refused`; those of them that are certainly not stored (`lost`).

    A refused attempt may be stored nevertheless: the storage client retries a request that got no response, and the
    retry conflicts with the request itself.
    """

    all: list[Change] = field(default_factory=list[Change])
    refused: list[Change] = field(default_factory=list[Change])
    lost: list[Change] = field(default_factory=list[Change])


class Commits:
    """Commits steps. `new_operation_id` generates an id for each attempt."""

    def __init__(
        self,
        referrals: Referrals,
        idempotency_keys: IdempotencyKeys,
        announcements: Announcements,
        new_operation_id: Callable[[], OperationId],
    ) -> None:
        self._referrals = referrals
        self._idempotency_keys = idempotency_keys
        self._announcements = announcements
        self._new_operation_id = new_operation_id

    async def step(
        self, referral: ReferralKey, context: CommandContext, decide: Decide, key: RequestKey | None = None
    ) -> Change | None:
        """Commit a step of an existing referral; None if there is no such referral or nothing to do.

        `key` is stored with the invitations and registrations that the step adds, unless the step is a refusal.
        Raises the decision's `Refusal`, `Contended` after five tries, `StoreUnavailable`, `RecordTooLarge`.
        """
        attempts = _Attempts()
        try:
            return await self._step(referral, context, decide, key, attempts)
        finally:
            await self._withdraw(attempts)

    async def _step(
        self,
        referral: ReferralKey,
        context: CommandContext,
        decide: Decide,
        key: RequestKey | None,
        attempts: _Attempts,
    ) -> Change | None:
        for _ in range(ATTEMPTS):
            read = await self._referrals.get(referral)
            if read is None:
                return None
            try:
                change = await decide(read.value, self._attempt(context))
            except Exception:  # a refusal may be caused by an attempt of ours that is stored
                if stored := await self._stored(attempts):
                    return stored
                raise
            if change is None:
                return await self._stored(attempts)
            change = await self._announcements.announce(change, context.now)
            if await self._commit(change, read, None if change.refusal else key, attempts):
                return change
            if stored := await self._stored(attempts):
                return stored
        raise Contended(f"Referral {referral.referral_id} kept changing; repeat the request in a second.")

    async def create(
        self, build: Callable[[CommandContext], Change], context: CommandContext, key: RequestKey | None
    ) -> Change | None:
        """Create a record; `build` must use the same id each time.

        None if another request with the same idempotency key was stored first. Raises as `step` does.
        """
        attempts = _Attempts()

        async def attempt() -> Change | None:
            change = await self._announcements.announce(build(self._attempt(context)), context.now)
            if await self._commit(change, None, key, attempts):
                return change
            return await self._stored(attempts)

        try:
            return await create_once(attempt, self._idempotency_keys, key)
        finally:
            await self._withdraw(attempts)

    async def insert_record_once(self, change: Change, now: datetime) -> None:
        """Insert a record that another record's step decided on, unless it exists.

        Raises `StoreUnavailable` if it may not be stored.
        """
        if await self._referrals.get(change.after.key):
            return
        announced = await self._announcements.announce(change, now)
        try:
            await self._referrals.commit(announced, None)
        except StoreConflict:
            logger.debug("record_exists referral=%s", change.after.id)

    async def append_entry_once(
        self,
        record: ReferralKey,
        operation_id: OperationId,
        append_entry: Callable[[Referral, CommandContext], Change | None],
        now: datetime,
    ) -> None:
        """Append an entry to a timeline unless it has one with this operation id, which is derived from its content.

        The entries are read after the record, so that an entry stored meanwhile is a conflict. Raises as `step` does.
        """

        async def decide(referral: Referral, context: CommandContext) -> Change | None:
            if any(entry.operation_id == operation_id for entry in await self._referrals.entries(record)):
                return None
            return append_entry(referral, replace(context, operation_id=operation_id))

        await self.step(record, CommandContext(actor=SYSTEM_ACTOR, now=now), decide)

    async def has_step_with_key(self, record: ReferralKey, key_hash: str) -> bool:
        """Whether a step of this referral was committed under this idempotency key."""
        return any(entry.key_hash == key_hash for entry in await self._referrals.entries(record))

    async def _commit(
        self, change: Change, read: Stored[Referral] | None, key: RequestKey | None, attempts: _Attempts
    ) -> bool:
        attempts.all.append(change)
        try:
            await self._referrals.commit(
                change, read, key and key.with_result(change.after.id, _added(change))
            )
        except StoreConflict as refused:
            logger.info("commit_refused referral=%s: %s", change.after.id, refused)
            attempts.refused.append(change)
            return False
        except StoreUnavailable as failed:
            logger.info("commit_uncertain referral=%s: %s", change.after.id, failed)
            return False
        return True

    async def _stored(self, attempts: _Attempts) -> Change | None:
        """The attempt that is in the timeline, if there is one: storage may have stored what it did not confirm."""
        for change in attempts.all:
            entry = await self._referrals.entry(change.after.key, change.entry.sequence)
            if entry and entry.operation_id == change.entry.operation_id:
                return change
            if change in attempts.refused and change not in attempts.lost:
                attempts.lost.append(change)
        return None

    async def _withdraw(self, attempts: _Attempts) -> None:
        for change in attempts.lost:
            await self._announcements.withdraw(change)

    def _attempt(self, context: CommandContext) -> CommandContext:
        return replace(context, operation_id=self._new_operation_id())


async def create_once(
    attempt: Callable[[], Awaitable[T | None]], idempotency_keys: IdempotencyKeys, key: RequestKey | None
) -> T | None:
    """Try to create something until it is known to be stored, at most five times.

    `attempt` returns what it stored, or None if that is unknown. Returns None if another request with the same key
    was stored first. Raises `Contended`.
    """
    for _ in range(ATTEMPTS):
        if stored := await attempt():
            return stored
        if key and await idempotency_keys.is_used(key):
            return None
    raise Contended("The request could not be stored; repeat it in a second.")


def _added(change: Change) -> tuple[str, ...]:
    """The ids of the invitations and registrations that a step adds to an existing deal."""
    if change.before is None:
        return ()
    return (*(each.id for each in change.invitations), *(each.id for each in change.registrations))
