"""Commit a step of the referral that a request names, and start what follows from it (E2, L4, C5)."""

import logging
from collections.abc import Awaitable, Callable

from api.common.access import referral_not_found, visible_referral
from api.http.etags import etag_of, if_match_version, matches_if_match
from api.http.problems import PreconditionFailed
from api.http.request import Request
from api.http.wire_names import wire_names
from shared.domain.change import Change, CommandContext
from shared.domain.referral import Referral, ReferralKey
from shared.domain.refusals import Fault, Invalid, Refusal
from shared.domain.work import Publish
from shared.errors import EngineUnavailable
from shared.workflow.wake import Event, begin, wake_or_leave_to_sweep

logger = logging.getLogger(__name__)

Decision = Callable[[Referral, CommandContext], Awaitable[Change | None]]
"""Decides the change of a referral as it was read; None if there is nothing to change. Raises a `Refusal`."""


async def take_step(request: Request, decide: Decision, event: Event) -> Referral:
    """Commit the decided change, wake the orchestration, and return the referral afterwards.

    A request repeated by the same person with the same Idempotency-Key changes nothing and gets the same response;
    for a POST that holds even if If-Match names the version before. Raises `NotFound`, `PreconditionFailed`, the
    decision's `Refusal`.
    """
    seen = await visible_referral(request)
    context = request.repeatable_context(f"{seen.id}/{_command(request)}")
    try:
        change = await request.service.commits.step(
            seen.key, context, if_visible(request, decide, check_version=True)
        )
    except (Refusal, PreconditionFailed) as refused:
        if isinstance(refused, PreconditionFailed) and request.method != "POST":
            raise
        if await is_repetition(request, seen.key, context):
            return await visible_referral(request)
        raise
    if change is None:
        return await visible_referral(request)
    await follow_up(request, change, event)
    return change.after


async def is_repetition(request: Request, deal: ReferralKey, context: CommandContext) -> bool:
    """Whether a refused request was carried out before, under the same Idempotency-Key."""
    return context.key_hash is not None and await request.service.commits.has_step_with_key(
        deal, context.key_hash
    )


def if_visible(request: Request, decide: Decision, *, check_version: bool) -> Decision:
    """A decision that first checks that the caller may still see the referral, and its version (V5, E2)."""

    async def check(referral: Referral, context: CommandContext) -> Change | None:
        if not request.sees(referral):
            raise referral_not_found()
        if check_version:
            await _refuse_other_version(request, referral)
        return await decide(referral, context)

    return check


async def follow_up(request: Request, change: Change, event: Event) -> None:
    """After a commit: apply the effects that the caller can read, then do the other work; wake the orchestration.

    Raises the refusal of a command that came after the deadline, whose step was the expiry (L4).
    """
    await _apply_readable_effects(request, change)
    await do_work(request, change)
    await wake_or_leave_to_sweep(request.engine, change.after.key, event)
    if change.refusal:
        raise change.refusal


async def do_work(request: Request, change: Change) -> bool:
    """Do the work of a step right after its commit, within a time limit; whether all of it is done."""
    if change.work is None:
        return True
    runner, key = request.service.work_runner, change.after.key
    return await runner.after_commit(request.engine, key, change.work.label, request.now)


async def start_or_leave_to_sweep(request: Request, record: ReferralKey) -> None:
    """Start the orchestration of a new record; if the engine does not answer, the next sweep starts it."""
    try:
        await begin(request.engine, record)
    except EngineUnavailable:
        logger.warning("start_failed record=%s: the sweep will start it", record.referral_id)


def refuse_faults(change: Change | None, faults: tuple[Fault, ...]) -> Change | None:
    """Raise `Invalid` for faults, unless the change carries a refusal: errors of state precede those of fields."""
    if faults and not (change and change.refusal):
        raise Invalid(faults)
    return change


async def _apply_readable_effects(request: Request, change: Change) -> None:
    service = request.service
    if change.work and any(isinstance(state.task, Publish) for state in change.work.tasks):
        await service.visibility.follow_or_leave_to_work(change.after)
    for registration in change.registrations:
        await service.registrations.index_or_defer(registration)
    if change.invitations:
        await service.invitations.send_or_leave_to_work(change.after, change.invitations, request.now)


async def _refuse_other_version(request: Request, referral: Referral) -> None:
    etag = etag_of(referral.version)
    if matches_if_match(request, etag):
        return
    named = if_match_version(request)
    since = referral.version if named is None else named
    entries = await request.service.referrals.entries(referral.key)
    changed = wire_names(name for entry in entries if entry.version > since for name in entry.changed)
    raise PreconditionFailed(etag, changed)


def _command(request: Request) -> str:
    path = request.url.split("?")[0]
    return f"{request.method} {path.rsplit('/', 1)[-1]}"
