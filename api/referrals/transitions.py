"""Answering, winning and losing a referral, and marking its stage (rules L, S)."""

from api.common.steps import Decision, take_step, unless_faulty
from api.http.body import read, unless_below
from api.http.fields import currency_decimals
from api.http.operation import CHANGING, operation
from api.http.request import Request
from api.http.response import Response
from api.referrals.read import ONE, referral_response
from api.referrals.request_schemas import AcceptBody, ClosingBody, StageBody, WinBody
from api.referrals.schemas import ReferralView
from api.referrals.stage_names import wanted_stage
from shared.domain.change import Change, ChangeBuilder, CommandContext
from shared.domain.deal_rules import faults_of_acceptance
from shared.domain.lifecycle import accept, decline, lose, require_active, win
from shared.domain.referral import Referral
from shared.domain.sales_stage import apply_stage
from shared.workflow.wake import Event


@operation(
    "POST",
    f"{ONE}/accept",
    body=AcceptBody,
    returns=ReferralView,
    errors=CHANGING,
    headers=("If-Match", "Idempotency-Key"),
)
async def accept_referral(request: Request) -> Response:
    """Accept an invitation (L2)."""
    reading = read(AcceptBody, request.body)
    acceptance = reading.body.acceptance()

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        creator = await request.service.referrals.get(referral.creator)  # the deal must still be open (L8)
        change = accept(referral, acceptance, context, creator=creator.value if creator else referral)
        rules = faults_of_acceptance(
            acceptance, reading.body.team_draft(), referral.terms, currency_decimals(), context.now.date()
        )
        return unless_faulty(change, (*reading.faults, *unless_below(rules, reading.faults)))

    return await _transition(request, decide, "accepted")


@operation(
    "POST",
    f"{ONE}/decline",
    body=ClosingBody,
    returns=ReferralView,
    errors=CHANGING,
    headers=("If-Match", "Idempotency-Key"),
)
async def decline_referral(request: Request) -> Response:
    """Decline an invitation, with a reason (L3)."""
    reading = read(ClosingBody, request.body)
    faults = (*reading.faults, *reading.body.faults())

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        return unless_faulty(decline(referral, reading.body.statement(), context), faults)

    return await _transition(request, decide, "declined")


@operation(
    "POST",
    f"{ONE}/win",
    body=WinBody,
    returns=ReferralView,
    errors=CHANGING,
    headers=("If-Match", "Idempotency-Key"),
)
async def win_referral(request: Request) -> Response:
    """Close a deal as won (L6)."""
    reading = read(WinBody, request.body)

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        return unless_faulty(win(ChangeBuilder.of(referral), reading.body.notes, context), reading.faults)

    return await _transition(request, decide)


@operation(
    "POST",
    f"{ONE}/lose",
    body=ClosingBody,
    returns=ReferralView,
    errors=CHANGING,
    headers=("If-Match", "Idempotency-Key"),
)
async def lose_referral(request: Request) -> Response:
    """Close a deal as lost, with a reason (L6)."""
    reading = read(ClosingBody, request.body)
    faults = (*reading.faults, *reading.body.faults())

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        return unless_faulty(lose(ChangeBuilder.of(referral), reading.body.statement(), context), faults)

    return await _transition(request, decide)


@operation(
    "POST",
    f"{ONE}/stage",
    body=StageBody,
    returns=ReferralView,
    errors=CHANGING,
    headers=("If-Match", "Idempotency-Key"),
)
async def set_stage(request: Request) -> Response:
    """Set the sales stage, by name or by a CRM's percentage (S1 to S3, S5)."""
    reading = read(StageBody, request.body)
    faults = (*reading.faults, *unless_below(reading.body.faults(), reading.faults))

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        if late := require_active(referral, "mark a stage of", context):
            return late
        unless_faulty(None, faults)
        body = reading.body
        at = "/percent" if body.percent is not None else "/stage"
        wanted = await wanted_stage(request, body.stage, body.percent, at)
        step = apply_stage(ChangeBuilder.of(referral), wanted, at)
        return step.build(context) if step.entries else None

    return await _transition(request, decide)


async def _transition(request: Request, decide: Decision, event: Event = "changed") -> Response:
    return await referral_response(request, await take_step(request, decide, event))
