"""One referral of the caller's: finding it, and taking a step of it (rules V5, E2, L4, C5)."""

from collections.abc import Awaitable, Callable

from api.http.etags import etag_of, matches, require_match
from api.http.problems import NotFound, PreconditionFailed, PreconditionRequired
from api.http.request import Request, Response
from api.referrals.mapping import NOT_REGISTERING, Registering, resource
from shared.domain.change import Change, CommandContext
from shared.domain.eligibility import (
    Eligibility,
    eligibility,
    may_show_eligible,
    microsofts_part,
    registrable,
)
from shared.domain.ids import ReferralId, RegistrationId, is_uuid
from shared.domain.permissions import may_write_registrations
from shared.domain.referral import Referral, ReferralKey
from shared.domain.refusals import Fault, Invalid, Refusal
from shared.domain.registration import FieldError
from shared.domain.work import Publish
from shared.workflow.durable import DurableEngine
from shared.workflow.wake import Event, wake_or_leave_to_sweep

Decision = Callable[[Referral, CommandContext], Awaitable[Change | None]]
"""What a request makes of a referral as read; None where there is nothing to change. Raises a `Refusal`."""

_UNKNOWN = "There is no such referral."


async def visible(request: Request) -> Referral:
    """The referral that the route names, if the caller sees it; else it reads like an unknown id (V5, N3)."""
    identifier = request.route_params.get("id", "").lower()
    if not is_uuid(identifier):
        raise NotFound(_UNKNOWN)
    party = ReferralKey(organization_id=request.caller.organization.id, referral_id=ReferralId(identifier))
    stored = await request.service.referrals.get(party)
    if stored is None or not request.sees(stored.value):
        raise NotFound(_UNKNOWN)
    return stored.value


async def shown(request: Request, referral: Referral, status: int = 200) -> Response:
    """The resource as its answer, with its ETag."""
    favorite = await request.service.referrals.is_favorite(request.caller.person, referral.party)
    current = await request.service.invitations.brought_up_to_date(referral)
    registering = await registering_of(request, current)
    view = resource(current, request.now, favorite=favorite, registering=registering)
    return Response(status=status, body=view, headers={"ETag": etag_of(referral)})


async def registering_of(request: Request, deal: Referral) -> Registering:
    """What the caller is shown of a deal's registration; only a won deal that can be registered needs a look (G2)."""
    if deal.substatus != "Won" or not registrable(deal) or request.caller.organization.kind != "partner":
        return NOT_REGISTERING
    return Registering(
        eligible=may_show_eligible(deal) and (await eligibility_of(request, deal)).eligible,
        allowed=may_write_registrations(request.caller),
        errors=await _errors_of(request, deal),
    )


async def _errors_of(request: Request, deal: Referral) -> dict[RegistrationId, tuple[FieldError, ...]]:
    """What is to be corrected in the registrations of a deal (G6); most have none, so that nothing is read."""
    if not any(registered.status in {"Draft", "ActionRequired"} for registered in deal.registrations):
        return {}
    found = await request.service.registrations.of_deal(deal.party)
    return {registration.id: registration.errors for registration in found}


async def eligibility_of(request: Request, deal: Referral) -> Eligibility:
    """The conditions of a deal as they are now; Microsoft's answer is read where it was given (G1)."""
    creator = deal
    if not deal.is_creators:
        stored = await request.service.referrals.get(deal.creator)
        creator = stored.value if stored else deal
    current = await request.service.invitations.brought_up_to_date(creator)
    return eligibility(deal, microsofts_part(deal, current))


async def take_step(request: Request, decide: Decision, event: Event, engine: DurableEngine) -> Referral:
    """Commit what a request decides and wake the orchestration; gives the record as it is then.

    A request that the same person repeats with the same Idempotency-Key changes nothing and is answered as it was
    the first time; a verb even if it names the version that its first time moved. Raises `NotFound`, `PreconditionFailed`,
    the decision's `Refusal`.
    """
    seen = await visible(request)
    context = request.repeatable_context(f"{seen.id}/{_operation(request)}")
    commits = request.service.commits
    try:
        change = await commits.step(seen.party, context, checked(request, decide))
    except (Refusal, PreconditionFailed) as refused:
        if isinstance(refused, PreconditionFailed) and request.method != "POST":
            raise
        if await is_repetition(request, seen.party, context):
            return await visible(request)
        raise
    if change is None:
        return await visible(request)
    await settle(request, change, event, engine)
    return change.after


async def is_repetition(request: Request, deal: ReferralKey, context: CommandContext) -> bool:
    """Whether a step that is refused was taken before, by the same request under the same Idempotency-Key."""
    return context.key_hash is not None and await request.service.commits.replayed(deal, context.key_hash)


def checked(request: Request, decide: Decision) -> Decision:
    """A decision that is asked only if the caller still sees the referral, and means this version of it (V5, E2)."""

    async def check(referral: Referral, context: CommandContext) -> Change | None:
        if not request.sees(referral):
            raise NotFound(_UNKNOWN)
        await _require_match(request, referral)
        return await decide(referral, context)

    return check


async def settle(request: Request, change: Change, event: Event, engine: DurableEngine) -> None:
    """After the commit: do at once what the caller will read next, then the rest of its work; wake the orchestration.

    Raises the refusal of a command that came too late, whose step was the expiry (L4).
    """
    await _show(request, change)
    if change.work:
        work_runner, label = request.service.work_runner, change.work.label
        await work_runner.after_commit(engine, change.after.party, label, request.now)
    await wake_or_leave_to_sweep(engine, change.after.party, event)
    if change.refusal:
        raise change.refusal


async def _show(request: Request, change: Change) -> None:
    if change.work and any(isinstance(state.task, Publish) for state in change.work.tasks):
        await request.service.visibility.follow_or_leave_to_work(change.after)
    for registration in change.registrations:
        await request.service.registrations.file_or_leave_to_work(registration)
    if change.invitations:
        await request.service.invitations.send_or_leave_to_work(
            change.after, change.invitations, request.now
        )


def require_if_match(request: Request) -> None:
    """Refuse an edit that does not say which version it means (E2)."""
    if request.header("If-Match") is None:
        raise PreconditionRequired("Send the ETag of the version that you mean in If-Match.")


def unless_faulty(change: Change | None, faults: tuple[Fault, ...]) -> Change | None:
    """State comes before fields: faults count only where the state would let the step through."""
    if faults and not (change and change.refusal):
        raise Invalid(faults)
    return change


async def _require_match(request: Request, referral: Referral) -> None:
    header = request.header("If-Match")
    if header is not None and not matches(header, etag_of(referral)):
        require_match(header, referral, await request.service.referrals.entries(referral.party))


def _operation(request: Request) -> str:
    path: str = request.url.split("?")[0]
    return f"{request.method} {path.rsplit('/', 1)[-1]}"
