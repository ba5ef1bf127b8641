"""Answering, winning and losing a referral, and marking its stage (rules L, S)."""

from collections.abc import Awaitable, Callable

import azure.durable_functions as df
import azure.functions as func

from api.common.access import Decision, shown, take_step, unless_faulty
from api.http.body import read, unless_below
from api.http.fields import currency_decimals
from api.http.request import Answer, Exchange, respond
from api.referrals.request_schemas import AcceptBody, ClosingBody, StageBody, WinBody
from api.referrals.stage_names import wanted_stage
from shared.domain.change import Act, Change, Step
from shared.domain.deal_rules import faults_of_acceptance
from shared.domain.lifecycle import accept, decline, lose, require_active, win
from shared.domain.referral import Referral
from shared.domain.sales_stage import staged
from shared.workflow.durable import DurableEngine
from shared.workflow.wake import Event

blueprint = df.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS
ONE = "v1.0/engagements/referrals/{id}"


@blueprint.route(f"{ONE}/accept", methods=["POST"], auth_level=ANONYMOUS)
@blueprint.durable_client_input(client_name="client")
async def accept_referral(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Accept an invitation (L2)."""
    return await respond(req, _verb(accepting, "accepted", client))


@blueprint.route(f"{ONE}/decline", methods=["POST"], auth_level=ANONYMOUS)
@blueprint.durable_client_input(client_name="client")
async def decline_referral(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Decline an invitation, with a reason (L3)."""
    return await respond(req, _verb(declining, "declined", client))


@blueprint.route(f"{ONE}/win", methods=["POST"], auth_level=ANONYMOUS)
@blueprint.durable_client_input(client_name="client")
async def win_referral(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Close a deal as won (L6)."""
    return await respond(req, _verb(winning, "changed", client))


@blueprint.route(f"{ONE}/lose", methods=["POST"], auth_level=ANONYMOUS)
@blueprint.durable_client_input(client_name="client")
async def lose_referral(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Close a deal as lost, with a reason (L6)."""
    return await respond(req, _verb(losing, "changed", client))


@blueprint.route(f"{ONE}/stage", methods=["POST"], auth_level=ANONYMOUS)
@blueprint.durable_client_input(client_name="client")
async def mark_stage(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Mark the sales stage, by name or by a CRM's percentage (S1 to S3, S5)."""
    return await respond(req, _verb(marking_stage, "changed", client))


async def accepting(exchange: Exchange) -> Decision:
    """How an accept decides: the deal must still be open, which its creator's record says (L2, L8)."""
    reading = read(AcceptBody, exchange.json())
    acceptance = reading.body.acceptance()

    async def decide(referral: Referral, act: Act) -> Change | None:
        creator = await exchange.service.referrals.get(referral.creator)
        change = accept(referral, acceptance, act, creator=creator.value if creator else referral)
        rules = faults_of_acceptance(
            acceptance, reading.body.team_draft(), referral.terms, currency_decimals(), act.now.date()
        )
        return unless_faulty(change, (*reading.faults, *unless_below(rules, reading.faults)))

    return decide


async def declining(exchange: Exchange) -> Decision:
    """How a decline decides (L3)."""
    reading = read(ClosingBody, exchange.json())
    faults = (*reading.faults, *reading.body.faults())

    async def decide(referral: Referral, act: Act) -> Change | None:
        return unless_faulty(decline(referral, reading.body.statement(), act), faults)

    return decide


async def winning(exchange: Exchange) -> Decision:
    """How a win decides (L6, L8)."""
    reading = read(WinBody, exchange.json())

    async def decide(referral: Referral, act: Act) -> Change | None:
        return unless_faulty(win(Step.of(referral), reading.body.notes, act), reading.faults)

    return decide


async def losing(exchange: Exchange) -> Decision:
    """How a loss decides (L6, L8)."""
    reading = read(ClosingBody, exchange.json())
    faults = (*reading.faults, *reading.body.faults())

    async def decide(referral: Referral, act: Act) -> Change | None:
        return unless_faulty(lose(Step.of(referral), reading.body.statement(), act), faults)

    return decide


async def marking_stage(exchange: Exchange) -> Decision:
    """How a mark of a stage decides; a stage that the referral has already changes nothing."""
    reading = read(StageBody, exchange.json())
    faults = (*reading.faults, *unless_below(reading.body.faults(), reading.faults))

    async def decide(referral: Referral, act: Act) -> Change | None:
        if late := require_active(referral, "mark a stage of", act):
            return late
        unless_faulty(None, faults)
        body = reading.body
        at = "/percent" if body.percent is not None else "/stage"
        wanted = await wanted_stage(exchange, body.stage, body.percent, at)
        step = staged(Step.of(referral), wanted, at)
        return step.change(act) if step.told else None

    return decide


def _verb(
    prepare: Callable[[Exchange], Awaitable[Decision]], event: Event, client: df.DurableOrchestrationClient
) -> Callable[[Exchange], Awaitable[Answer]]:
    async def handle(exchange: Exchange) -> Answer:
        decide = await prepare(exchange)
        return await shown(exchange, await take_step(exchange, decide, event, DurableEngine(client)))

    return handle
