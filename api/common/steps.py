"""Commit a step of the referral that a request names, and start what follows from it (E2, L4, C5)."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from api.common.access import referral_not_found, visible_referral
from api.common.quotas import NO_QUOTA, QuotaOf
from api.http.etags import etag_of, if_match_version, matches_if_match
from api.http.problems import PreconditionFailed, TooManyRequests
from api.http.request import Request
from api.http.wire_names import wire_names
from shared.domain.change import Change, CommandContext
from shared.domain.referral import Referral, ReferralKey
from shared.domain.refusals import Fault, Invalid, Refusal
from shared.errors import StoreUnavailable
from shared.workflow.commit import Committed
from shared.workflow.perform import Prepared

logger = logging.getLogger(__name__)

Decision = Callable[[Referral, CommandContext], Awaitable[Change | None]]
"""Decides the change of a referral as it was read; None if there is nothing to change. Raises a `Refusal`."""


async def take_step(
    request: Request, seen: Referral, decide: Decision, quota: QuotaOf = NO_QUOTA
) -> Referral:
    """Commit the decided change of the referral that was `seen`, follow it up, and return the referral afterwards.

    A request repeated by the same person with the same Idempotency-Key changes nothing and gets the same response;
    for a POST that holds even if If-Match names the version before. Raises `NotFound`, `PreconditionFailed`, the
    decision's `Refusal`, and `TooManyRequests` if the step does not fit into its `quota`.
    """
    context = request.repeatable_context(f"{seen.id}/{_command(request)}")
    step = None
    try:
        async with quota():
            step = await request.service.commits.step(
                seen.key, context, if_visible(request, decide, check_version=True), known=request.known
            )
            if step:
                await follow_up(request, step)
    except (Refusal, PreconditionFailed, TooManyRequests) as refused:
        if step or (isinstance(refused, PreconditionFailed) and request.method != "POST"):
            raise
        if await is_repetition(request, seen.key, context):
            return await visible_referral(request)
        raise
    return step.after if step else await visible_referral(request)


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


async def follow_up(request: Request, step: Committed) -> Prepared:
    """Apply the effects of a committed step that the caller can read, and start the others; returns what is done.

    Raises the refusal of a command that came after the deadline, whose step was the expiry (L4).
    """
    prepared = await request.service.follow_ups.begin(request.engine, step, request.known, request.now)
    if step.change.refusal:
        raise step.change.refusal
    return prepared


async def deliver_or_leave_to_work(request: Request, deal: Referral, invitations: Sequence[Referral]) -> None:
    """Deliver the invitations that an earlier request may not have delivered; if storage fails, its work does it."""
    try:
        await request.service.invitations.deliver(deal, invitations, request.now)
    except StoreUnavailable:
        logger.warning("invitations_pending referral=%s: left to the work of the deal", deal.id)


def refuse_faults(change: Change | None, faults: tuple[Fault, ...]) -> Change | None:
    """Raise `Invalid` for faults, unless the change carries a refusal: errors of state precede those of fields."""
    if faults and not (change and change.refusal):
        raise Invalid(faults)
    return change


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
    return f"{request.method} {request.path.rsplit('/', 1)[-1]}"
