"""Accept, decline, win or lose a referral, set its stage, and settle its contact alert (rules L, S, R5)."""

from collections.abc import Callable
from dataclasses import replace

from api.common.access import REFERRAL_ROUTE, visible_with_favorite
from api.common.steps import Decision, refuse_faults, take_step
from api.http.body import Body, read
from api.http.fields import currency_decimals
from api.http.operation import Handler, operation
from api.http.request import Request
from api.http.response import Response
from api.referrals.read import referral_response
from api.referrals.request_schemas import AcceptBody, ClosingBody, ContactedBody, StageBody, WinBody
from api.referrals.schemas import ReferralView
from api.referrals.stage_names import resolve_stage
from shared.domain.change import Change, ChangeBuilder, CommandContext
from shared.domain.deal_rules import faults_of_acceptance
from shared.domain.directory import Person
from shared.domain.draft import ContactDraft
from shared.domain.lead import mark_contacted
from shared.domain.lifecycle import Acceptance, accept, decline, lose, require_active, win
from shared.domain.referral import Referral
from shared.domain.refusals import Fault
from shared.domain.sales_stage import apply_stage


def referral_command(
    name: str, body: type[Body], errors: tuple[int, ...] = ()
) -> Callable[[Handler], Handler]:
    """Declare a command on a referral: `POST …/{id}/{name}`, answered with the referral.

    `errors` are those of `Operation`.
    """
    return operation(
        "POST",
        f"{REFERRAL_ROUTE}/{name}",
        body=body,
        returns=ReferralView,
        errors=errors,
        headers=("If-Match", "Idempotency-Key"),
    )


@referral_command("accept", AcceptBody)
async def accept_referral(request: Request) -> Response:
    """Accept an invitation or a lead.

    Values that are left out keep what the invitation proposed (L2).
    """
    seen = await visible_with_favorite(request)
    parsed = read(AcceptBody, request.body)
    acceptance = parsed.body.acceptance()

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        change, rules = await decide_acceptance(
            request, referral, acceptance, parsed.body.team_draft(), context
        )
        return refuse_faults(change, parsed.faults_with(rules))

    return await _transition(request, seen, decide)


async def decide_acceptance(
    request: Request,
    referral: Referral,
    acceptance: Acceptance,
    team: tuple[ContactDraft, ...],
    context: CommandContext,
) -> tuple[Change, tuple[Fault, ...]]:
    """The acceptance by the caller, and the faults of its values. The creator's referral must be open (L2, L8)."""
    member = request.caller.member
    acceptance = replace(acceptance, by=member.contact if isinstance(member, Person) else None)
    of_other = referral.creator != referral.key
    creator = await request.known.read(referral.creator) if of_other else None
    change = accept(referral, acceptance, context, creator=creator.value if creator else referral)
    decimals, today = currency_decimals(), context.now.date()
    return change, tuple(faults_of_acceptance(acceptance, team, referral.terms, decimals, today))


@referral_command("decline", ClosingBody)
async def decline_referral(request: Request) -> Response:
    """Decline an invitation or a lead, with a reason.

    The referral is closed for good (L3).
    """
    seen = await visible_with_favorite(request)
    parsed = read(ClosingBody, request.body)
    faults = (*parsed.faults, *parsed.body.faults())

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        return refuse_faults(decline(referral, parsed.body.statement(), context), faults)

    return await _transition(request, seen, decide)


@referral_command("win", WinBody)
async def win_referral(request: Request) -> Response:
    """Close a referral as won.

    When the deal's creator wins, invitations that partners have not answered are withdrawn (L6, L8).
    """
    seen = await visible_with_favorite(request)
    parsed = read(WinBody, request.body)

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        return refuse_faults(win(ChangeBuilder.of(referral), parsed.body.notes, context), parsed.faults)

    return await _transition(request, seen, decide)


@referral_command("lose", ClosingBody)
async def lose_referral(request: Request) -> Response:
    """Close a referral as lost, with a reason.

    When the deal's creator loses, all invitations that have not been answered are withdrawn (L6, L8).
    """
    seen = await visible_with_favorite(request)
    parsed = read(ClosingBody, request.body)
    faults = (*parsed.faults, *parsed.body.faults())

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        return refuse_faults(lose(ChangeBuilder.of(referral), parsed.body.statement(), context), faults)

    return await _transition(request, seen, decide)


@referral_command("stage", StageBody)
async def set_stage(request: Request) -> Response:
    """Set the sales stage of an active referral.

    Send the name of a standard stage or of your organization's stage map, or your CRM's percentage (S1 to S3, S5).
    """
    seen = await visible_with_favorite(request)
    parsed = read(StageBody, request.body)
    faults = parsed.faults_with(parsed.body.faults())

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        if late := require_active(referral, "mark a stage of", context):
            return late
        refuse_faults(None, faults)
        body = parsed.body
        at = "/percent" if body.percent is not None else "/stage"
        stage = await resolve_stage(request, body.stage, body.percent, at)
        step = apply_stage(ChangeBuilder.of(referral), stage, at)
        return step.build(context) if step.entries else None

    return await _transition(request, seen, decide)


@referral_command("contacted", ContactedBody)
async def mark_customer_contacted(request: Request) -> Response:
    """Say that the customer who asked to be contacted was reached.

    That settles the alert; the lead is still to be answered (R5).
    """
    seen = await visible_with_favorite(request)
    parsed = read(ContactedBody, request.body)

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        return refuse_faults(mark_contacted(referral, context), parsed.faults)

    return await _transition(request, seen, decide)


async def _transition(request: Request, seen: tuple[Referral, bool], decide: Decision) -> Response:
    referral, favorite = seen
    after = await take_step(request, referral, decide)
    return await referral_response(request, after, favorite=favorite)
