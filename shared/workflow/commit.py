"""Commit one atomic step of a referral: decide on the record as read, announce, commit, and determine the outcome.

Only here do accept, decline, withdrawal and expiry compete (L4): the transaction requires the document unchanged, so
exactly one of them is stored.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from shared.domain.change import Change, CommandContext, with_task
from shared.domain.ids import OperationId
from shared.domain.lifecycle import SYSTEM_ACTOR
from shared.domain.referral import Referral, ReferralKey
from shared.domain.search_words import words_of
from shared.domain.work import IndexWords, Work
from shared.errors import Contended, StoreConflict, StoreUnavailable
from shared.storage.codec import Stored
from shared.storage.engagements import Engagements
from shared.storage.idempotency import IdempotencyKeys, RequestKey
from shared.storage.known_referrals import KnownReferrals
from shared.storage.referrals import Referrals, Written, words_fit
from shared.workflow.announce import Announcements

logger = logging.getLogger(__name__)

T = TypeVar("T")
SECRET_BYTES = 32
ATTEMPTS = 5
"""How often a step is decided again when the record has changed meanwhile."""

Decide = Callable[[Referral, CommandContext], Awaitable[Change | None]]
"""Given the record as read, returns the step to store, or None if there is nothing to do; raises a `Refusal`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A step that is stored, with the new ETag of the record, and its work row.

    `etag` is None if it is not known, `work` also without work.
    """

    change: Change
    etag: str | None = None
    work: Stored[Work] | None = None

    @property
    def after(self) -> Referral:
        """The record after the step."""
        return self.change.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Commits:
    """Commits steps. `new_operation_id` generates an id for each attempt."""

    referrals: Referrals
    engagements: Engagements
    idempotency_keys: IdempotencyKeys
    announcements: Announcements
    new_operation_id: Callable[[], OperationId]

    async def step(
        self,
        referral: ReferralKey,
        context: CommandContext,
        decide: Decide,
        key: RequestKey | None = None,
        *,
        known: KnownReferrals | None = None,
        announced: bool = False,
    ) -> Committed | None:
        """Commit a step of an existing referral; None if there is no such referral or nothing to do.

        `key` is stored with the invitations and registrations that the step adds, unless the step is a refusal. The
        first attempt is based on the record as `known`. A step is `announced` already if its caller holds an intent
        of the record until the step's work is done.
        Raises the decision's `Refusal`, `Contended` after five tries, `StoreUnavailable`, `RecordTooLarge`.
        """
        known = known or KnownReferrals(self.referrals)
        return await _Step(self, context, key, known, announced=announced).take(referral, decide)

    async def create(
        self,
        build: Callable[[CommandContext], Change],
        context: CommandContext,
        key: RequestKey | None,
        known: KnownReferrals | None = None,
    ) -> Committed | None:
        """Create a deal; `build` must use the same id each time.

        None if another request with the same idempotency key was stored first. Raises as `step` does.
        """
        known = known or KnownReferrals(self.referrals)
        return await _Step(self, context, key, known, announced=False).create(build)

    async def insert_once(self, arrivals: Sequence[Change]) -> list[Committed]:
        """Insert announced records that another record's step decided on; returns those that did not exist.

        Raises `StoreUnavailable` if one may not be stored; the others are inserted nevertheless.
        """
        inserted = await complete_all(self._insert_once(arrival) for arrival in arrivals)
        return [each for each in inserted if each]

    async def _insert_once(self, arrival: Change) -> Committed | None:
        try:
            written = await self.referrals.commit(arrival, None)
        except StoreConflict:
            logger.debug("record_exists referral=%s", arrival.after.id)
            return None
        return _committed(arrival, written)

    async def append_entry_once(
        self,
        record: ReferralKey,
        operation_id: OperationId,
        append_entry: Callable[[Referral, CommandContext], Change | None],
        now: datetime,
        *,
        known: KnownReferrals | None = None,
        since: int | None = None,
    ) -> None:
        """Append an entry to a timeline unless it has one with this operation id, which is derived from its content.

        The entries are read after the record, so that an entry stored meanwhile is a conflict. They are not read if
        the record as `known` was read before the step was committed that causes the entry, at the moment `since`.
        Raises as `step` does.
        """
        known = known or KnownReferrals(self.referrals)

        async def decide(referral: Referral, context: CommandContext) -> Change | None:
            if not known.was_read_by(record, since) and await self._has_entry(record, operation_id):
                return None
            return append_entry(referral, replace(context, operation_id=operation_id))

        await self.step(record, CommandContext(actor=SYSTEM_ACTOR, now=now), decide, known=known)

    async def touch(
        self, record: ReferralKey, touch: Callable[[Referral], Referral | None], known: KnownReferrals
    ) -> None:
        """Store what `touch` makes of a record, without an entry and with the same ETag for clients (N7).

        Nothing if there is no such record, or `touch` gives None. Repeating it does no harm. Raises `Contended`,
        `StoreUnavailable`.
        """
        for attempt in range(ATTEMPTS):
            read = await (known.read(record) if attempt else known.get(record))
            after = touch(read.value) if read else None
            if read is None or after is None:
                return
            try:
                etag = await self.referrals.touch(read, after)
            except StoreConflict:
                continue
            known.wrote(after, etag, ())
            return
        raise Contended(f"Referral {record.referral_id} kept changing; it is moved later.")

    async def has_step_with_key(self, record: ReferralKey, key_hash: str) -> bool:
        """Whether a step of this referral was committed under this idempotency key."""
        return any(entry.key_hash == key_hash for entry in await self.referrals.entries(record))

    async def _has_entry(self, record: ReferralKey, operation_id: OperationId) -> bool:
        return any(entry.operation_id == operation_id for entry in await self.referrals.entries(record))


@dataclass(slots=True)
class _Step:
    """One step, and the attempts at it: all, those that storage `refused`, and those that are not stored (`lost`).

    A refused attempt may be stored nevertheless: the storage client retries a request that got no response, and the
    retry conflicts with the request itself.
    """

    commits: Commits
    context: CommandContext
    key: RequestKey | None
    known: KnownReferrals
    announced: bool
    all: list[Change] = field(default_factory=list[Change])
    refused: list[Change] = field(default_factory=list[Change])
    lost: list[Change] = field(default_factory=list[Change])

    async def take(self, referral: ReferralKey, decide: Decide) -> Committed | None:
        """See `Commits.step`."""
        try:
            for attempt in range(ATTEMPTS):
                read = await (self.known.read(referral) if attempt else self.known.get(referral))
                if read is None:
                    return None
                try:
                    change = await decide(read.value, self._attempt())
                except Exception:  # a refusal may be caused by an attempt of ours that is stored
                    if stored := await self._stored():
                        return stored
                    raise
                if change is None:
                    return await self._stored()
                change = await self._announce(_with_words(change))
                key = None if change.refusal else self.key
                if committed := await self._commit(change, read, key) or await self._stored():
                    return committed
            raise Contended(f"Referral {referral.referral_id} kept changing; repeat the request in a second.")
        finally:
            await self._withdraw()

    async def create(self, build: Callable[[CommandContext], Change]) -> Committed | None:
        """See `Commits.create`."""

        async def attempt() -> Committed | None:
            change = await self._announce(_with_words(build(self._attempt())))
            return await self._commit(change, None, self.key) or await self._stored()

        try:
            return await create_once(attempt, self.commits.idempotency_keys, self.key)
        finally:
            await self._withdraw()

    async def _announce(self, change: Change) -> Change:
        """Write the intents, and the engagement's membership: those who see a referral also see its engagement."""
        if self.announced:
            return change
        announced, _ = await asyncio.gather(
            self.commits.announcements.announce(change, self.context.now), self._join(change)
        )
        return announced

    async def _join(self, change: Change) -> None:
        if change.before is None or change.invitations:
            await self.commits.engagements.join(change.after, change.invitations)

    async def _commit(
        self, change: Change, read: Stored[Referral] | None, key: RequestKey | None
    ) -> Committed | None:
        self.all.append(change)
        key = key and key.with_result(change.after.id, _added(change))
        try:
            written = await self.commits.referrals.commit(change, read, key)
        except StoreConflict as refused:
            logger.info("commit_refused referral=%s: %s", change.after.id, refused)
            self.refused.append(change)
            return None
        except StoreUnavailable as failed:
            logger.info("commit_uncertain referral=%s: %s", change.after.id, failed)
            return None
        self.known.wrote(change.after, written.record, change.entries)
        return _committed(change, written)

    async def _stored(self) -> Committed | None:
        """The attempt that is in the timeline, if there is one: storage may have stored what it did not confirm."""
        for change in self.all:
            entry = await self.commits.referrals.entry(change.after.key, change.entry.sequence)
            if entry and entry.operation_id == change.entry.operation_id:
                self.known.wrote(change.after, None, change.entries)
                return Committed(change=change)
            if change in self.refused and change not in self.lost:
                self.lost.append(change)
        return None

    async def _withdraw(self) -> None:
        for change in self.lost:
            await self.commits.announcements.withdraw(change)

    def _attempt(self) -> CommandContext:
        """The context of an attempt, with an id and a secret of its own."""
        operation_id, secret = self.commits.new_operation_id(), secrets.token_urlsafe(SECRET_BYTES)
        return replace(self.context, operation_id=operation_id, secret=secret)


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


async def complete_all(calls: Iterable[Awaitable[T]]) -> list[T]:
    """Await all calls, even if some fail; then raise the first failure, if there is one."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]


def _with_words(change: Change) -> Change:
    """A step whose search rows do not fit into its transaction, with the task that writes them (N4)."""
    if words_fit(change):
        return change
    earlier = words_of(change.before) if change.before else frozenset[str]()
    return with_task(change, IndexWords(earlier=tuple(sorted(earlier))))


def _added(change: Change) -> tuple[str, ...]:
    """The ids of the invitations and registrations that a step adds to an existing deal."""
    if change.before is None:
        return ()
    return (*(each.id for each in change.invitations), *(each.id for each in change.registrations))


def _committed(change: Change, written: Written) -> Committed:
    work = Stored(change.work, written.work) if change.work and written.work else None
    return Committed(change=change, etag=written.record, work=work)
