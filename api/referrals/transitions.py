"""Answering, winning and losing a referral, and marking its stage (rules L, S)."""

from collections.abc import Awaitable, Callable

import azure.durable_functions as df
import azure.functions as func

from api.common.access import Decision, shown, take_step, unless_faulty
from api.http.body import read, unless_below
from api.http.fields import currency_decimals
from api.http.operation import CHANGING, CREATING, SEEING, Option, operation
from api.http.request import Request
from api.http.response import Response
from api.referrals.request_schemas import AcceptBody, ClosingBody, StageBody, WinBody
from api.referrals.stage_names import wanted_stage
from shared.domain.change import Change, CommandContext, Step
from shared.domain.deal_rules import faults_of_acceptance
from shared.domain.lifecycle import accept, decline, lose, require_active, win
from shared.domain.referral import Referral
from shared.domain.sales_stage import staged
from shared.workflow.durable import DurableEngine
from shared.workflow.wake import Event

ONE = "v1.0/engagements/referrals/{id}"


@operation("POST", f"{ONE}/accept", body=AcceptBody, returns=ReferralView, errors=CHANGING, headers=("If-Match", "Idempotency-Key"))
async def accept_referral(request: Request) -> Response:
    """Accept an invitation (L2)."""
    return await respond(req, _verb(accepting, "accepted", client))



@operation("POST", f"{ONE}/decline", body=ClosingBody, returns=ReferralView, errors=CHANGING, headers=("If-Match", "Idempotency-Key"))
async def decline_referral(request: Request) -> Response:
    """Decline an invitation, with a reason (L3)."""
    return await respond(req, _verb(declining, "declined", client))



@operation("POST", f"{ONE}/win", body=WinBody, returns=ReferralView, errors=CHANGING, headers=("If-Match", "Idempotency-Key"))
async def win_referral(request: Request) -> Response:
    """Close a deal as won (L6)."""
    return await respond(req, _verb(winning, "changed", client))



@operation("POST", f"{ONE}/lose", body=ClosingBody, returns=ReferralView, errors=CHANGING, headers=("If-Match", "Idempotency-Key"))
async def lose_referral(request: Request) -> Response:
    """Close a deal as lost, with a reason (L6)."""
    return await respond(req, _verb(losing, "changed", client))



@operation("POST", f"{ONE}/stage", body=StageBody, returns=ReferralView, errors=CHANGING, headers=("If-Match", "Idempotency-Key"))
async def set_stage(request: Request) -> Response:
    """Mark the sales stage, by name or by a CRM's percentage (S1 to S3, S5)."""
    return await respond(req, _verb(marking_stage, "changed", client))



async def accepting(request: Request) -> Decision:
    """How an accept decides: the deal must still be open, which its creator's record says (L2, L8)."""
    reading = read(AcceptBody, request.body)
    acceptance = reading.body.acceptance()

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        creator = await request.service.referrals.get(referral.creator)
        change = accept(referral, acceptance, context, creator=creator.value if creator else referral)
        rules = faults_of_acceptance(
            acceptance, reading.body.team_draft(), referral.terms, currency_decimals(), context.now.date()
        )
        return unless_faulty(change, (*reading.faults, *unless_below(rules, reading.faults)))

    return decide


async def declining(request: Request) -> Decision:
    """How a decline decides (L3)."""
    reading = read(ClosingBody, request.body)
    faults = (*reading.faults, *reading.body.faults())

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        return unless_faulty(decline(referral, reading.body.statement(), context), faults)

    return decide


async def winning(request: Request) -> Decision:
    """How a win decides (L6, L8)."""
    reading = read(WinBody, request.body)

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        return unless_faulty(win(Step.of(referral), reading.body.notes, context), reading.faults)

    return decide


async def losing(request: Request) -> Decision:
    """How a loss decides (L6, L8)."""
    reading = read(ClosingBody, request.body)
    faults = (*reading.faults, *reading.body.faults())

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        return unless_faulty(lose(Step.of(referral), reading.body.statement(), context), faults)

    return decide


async def marking_stage(request: Request) -> Decision:
    """How a mark of a stage decides; a stage that the referral has already changes nothing."""
    reading = read(StageBody, request.body)
    faults = (*reading.faults, *unless_below(reading.body.faults(), reading.faults))

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        if late := require_active(referral, "mark a stage of", context):
            return late
        unless_faulty(None, faults)
        body = reading.body
        at = "/percent" if body.percent is not None else "/stage"
        wanted = await wanted_stage(request, body.stage, body.percent, at)
        step = staged(Step.of(referral), wanted, at)
        return step.change(context) if step.told else None

    return decide


def _verb(
    prepare: Callable[[Request], Awaitable[Decision]], event: Event, client: df.DurableOrchestrationClient
) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        decide = await prepare(request)
        return await shown(request, await take_step(request, decide, event, DurableEngine(client)))

    return handle
