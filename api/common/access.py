"""One referral of the caller's: finding it, and taking a step of it (rules V5, E2, L4, C5)."""

from collections.abc import Awaitable, Callable

from api.http.etags import etag_of, matches, require_match
from api.http.problems import Modified, NotFound, PreconditionRequired
from api.http.request import Answer, Exchange
from api.referrals.mapping import NOT_REGISTERING, Registering, resource
from shared.domain.change import Act, Change
from shared.domain.eligibility import (
    Eligibility,
    eligibility,
    may_show_eligible,
    microsofts_part,
    registrable,
)
from shared.domain.ids import ReferralId, RegistrationId, is_uuid
from shared.domain.permissions import may_write_registrations
from shared.domain.referral import Party, Referral
from shared.domain.refusals import Fault, Invalid, Refusal
from shared.domain.registration import FieldError
from shared.domain.work import Publish
from shared.workflow.commit import Who
from shared.workflow.durable import DurableEngine
from shared.workflow.wake import Event, wake_or_leave_to_sweep

Decision = Callable[[Referral, Act], Awaitable[Change | None]]
"""What a request makes of a referral as read; None where there is nothing to change. Raises a `Refusal`."""

_UNKNOWN = "There is no such referral."


async def visible(exchange: Exchange) -> Referral:
    """The referral that the route names, if the caller sees it; else it reads like an unknown id (V5, N3)."""
    identifier = exchange.request.route_params.get("id", "").lower()
    if not is_uuid(identifier):
        raise NotFound(_UNKNOWN)
    party = Party(organization_id=exchange.caller.organization.id, referral_id=ReferralId(identifier))
    stored = await exchange.service.referrals.get(party)
    if stored is None or not exchange.sees(stored.value):
        raise NotFound(_UNKNOWN)
    return stored.value


async def shown(exchange: Exchange, referral: Referral, status: int = 200) -> Answer:
    """The resource as its answer, with its ETag."""
    favorite = await exchange.service.referrals.is_favorite(exchange.caller.person, referral.party)
    current = await exchange.service.invitations.brought_up_to_date(referral)
    registering = await registering_of(exchange, current)
    view = resource(current, exchange.now, favorite=favorite, registering=registering)
    return Answer(status=status, body=view, headers={"ETag": etag_of(referral)})


async def registering_of(exchange: Exchange, deal: Referral) -> Registering:
    """What the caller is shown of a deal's registration; only a won deal that can be registered needs a look (G2)."""
    if deal.substatus != "Won" or not registrable(deal) or exchange.caller.organization.kind != "partner":
        return NOT_REGISTERING
    return Registering(
        eligible=may_show_eligible(deal) and (await eligibility_of(exchange, deal)).eligible,
        allowed=may_write_registrations(exchange.caller),
        errors=await _errors_of(exchange, deal),
    )


async def _errors_of(exchange: Exchange, deal: Referral) -> dict[RegistrationId, tuple[FieldError, ...]]:
    """What is to be corrected in the registrations of a deal (G6); most have none, so that nothing is read."""
    if not any(registered.status in {"Draft", "ActionRequired"} for registered in deal.registrations):
        return {}
    found = await exchange.service.registrations.of_deal(deal.party)
    return {registration.id: registration.errors for registration in found}


async def eligibility_of(exchange: Exchange, deal: Referral) -> Eligibility:
    """The conditions of a deal as they are now; Microsoft's answer is read where it was given (G1)."""
    creator = deal
    if not deal.is_creators:
        stored = await exchange.service.referrals.get(deal.creator)
        creator = stored.value if stored else deal
    current = await exchange.service.invitations.brought_up_to_date(creator)
    return eligibility(deal, microsofts_part(deal, current))


async def take_step(exchange: Exchange, decide: Decision, event: Event, engine: DurableEngine) -> Referral:
    """Commit what a request decides and wake the orchestration; gives the record as it is then.

    A request that the same person repeats with the same Idempotency-Key changes nothing and is answered as it was
    the first time; a verb even if it names the version that its first time moved. Raises `NotFound`, `Modified`,
    the decision's `Refusal`.
    """
    seen = await visible(exchange)
    who = exchange.who_repeats(f"{seen.id}/{_operation(exchange)}")
    commits = exchange.service.commits
    try:
        change = await commits.step(seen.party, who, checked(exchange, decide))
    except (Refusal, Modified) as refused:
        if isinstance(refused, Modified) and exchange.request.method != "POST":
            raise
        if await is_repetition(exchange, seen.party, who):
            return await visible(exchange)
        raise
    if change is None:
        return await visible(exchange)
    await settle(exchange, change, event, engine)
    return change.after


async def is_repetition(exchange: Exchange, deal: Party, who: Who) -> bool:
    """Whether a step that is refused was taken before, by the same request under the same Idempotency-Key."""
    return who.key_hash is not None and await exchange.service.commits.replayed(deal, who.key_hash)


def checked(exchange: Exchange, decide: Decision) -> Decision:
    """A decision that is asked only if the caller still sees the referral, and means this version of it (V5, E2)."""

    async def check(referral: Referral, act: Act) -> Change | None:
        if not exchange.sees(referral):
            raise NotFound(_UNKNOWN)
        await _require_match(exchange, referral)
        return await decide(referral, act)

    return check


async def settle(exchange: Exchange, change: Change, event: Event, engine: DurableEngine) -> None:
    """After the commit: do at once what the caller will read next, then the rest of its work; wake the orchestration.

    Raises the refusal of a command that came too late, whose step was the expiry (L4).
    """
    await _show(exchange, change)
    if change.work:
        performer, label = exchange.service.performer, change.work.label
        await performer.after_commit(engine, change.after.party, label, exchange.now)
    await wake_or_leave_to_sweep(engine, change.after.party, event)
    if change.refusal:
        raise change.refusal


async def _show(exchange: Exchange, change: Change) -> None:
    if change.work and any(isinstance(state.task, Publish) for state in change.work.tasks):
        await exchange.service.visibility.follow_or_leave_to_work(change.after)
    for registration in change.registrations:
        await exchange.service.registrations.file_or_leave_to_work(registration)
    if change.invitations:
        await exchange.service.invitations.send_or_leave_to_work(
            change.after, change.invitations, exchange.now
        )


def require_if_match(exchange: Exchange) -> None:
    """Refuse an edit that does not say which version it means (E2)."""
    if exchange.header("If-Match") is None:
        raise PreconditionRequired("Send the ETag of the version that you mean in If-Match.")


def unless_faulty(change: Change | None, faults: tuple[Fault, ...]) -> Change | None:
    """State comes before fields: faults count only where the state would let the step through."""
    if faults and not (change and change.refusal):
        raise Invalid(faults)
    return change


async def _require_match(exchange: Exchange, referral: Referral) -> None:
    header = exchange.header("If-Match")
    if header is not None and not matches(header, etag_of(referral)):
        require_match(header, referral, await exchange.service.referrals.entries(referral.party))


def _operation(exchange: Exchange) -> str:
    path: str = exchange.request.url.split("?")[0]
    return f"{exchange.request.method} {path.rsplit('/', 1)[-1]}"
