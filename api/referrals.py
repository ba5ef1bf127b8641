"""Reading referrals and answering them: get, list, timeline, accept, decline, win, lose (rules L, V, N)."""

from collections.abc import Awaitable, Callable

import azure.durable_functions as df
import azure.functions as func

from api.body import read, unless_below
from api.exchange import Answer, Exchange, respond
from api.fields import currency_decimals
from api.preconditions import (
    etag_of,
    matches,
    page,
    place_of,
    refuse_unknown_options,
    require_match,
    top_of,
)
from api.problems import BadQuery, Forbidden, NotFound
from api.referral_requests import AcceptBody, ClosingBody, WinBody
from api.referral_resource import resource, timeline_entry
from shared.domain.change import Act, Change
from shared.domain.deal_rules import faults_of_acceptance
from shared.domain.ids import ReferralId, is_uuid
from shared.domain.lifecycle import ClosingStatement, accept, decline, lose, win
from shared.domain.permissions import may_see, may_use_referrals, reach_of
from shared.domain.referral import Party, Referral
from shared.domain.refusals import Fault, Invalid, Refusal
from shared.protocol.durable import DurableEngine
from shared.protocol.wake import Event, wake_or_leave_to_sweep

blueprint = df.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS
ONE = "v1.0/engagements/referrals/{id}"

Decision = Callable[[Referral, Act], Awaitable[Change]]


@blueprint.route("v1.0/engagements/referrals", methods=["GET"], auth_level=ANONYMOUS)
async def list_referrals(req: func.HttpRequest) -> func.HttpResponse:
    """The caller's referrals, newest first, in pages."""
    return await respond(req, listed)


@blueprint.route(ONE, methods=["GET"], auth_level=ANONYMOUS)
async def get_referral(req: func.HttpRequest) -> func.HttpResponse:
    """One referral, with its ETag; 304 when If-None-Match names it."""
    return await respond(req, got)


@blueprint.route(f"{ONE}/timeline", methods=["GET"], auth_level=ANONYMOUS)
async def get_timeline(req: func.HttpRequest) -> func.HttpResponse:
    """What happened to a referral, oldest first, in pages (L9)."""
    return await respond(req, told)


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


async def listed(exchange: Exchange) -> Answer:
    """A page of what the caller sees (V4, N4)."""
    refuse_unknown_options(exchange.request, frozenset({"$top", "$skiptoken"}))
    top, place = top_of(exchange.request), place_of(exchange.request)
    if place is not None and not is_uuid(place):
        raise BadQuery("$skiptoken is not one of ours: follow the nextLink as it is.")
    if not may_use_referrals(exchange.caller):
        raise Forbidden("Your roles do not let you read referrals; ask your partner admin.")
    person = exchange.caller.person
    found = await exchange.service.referrals.newest(
        person.organization_id,
        person,
        reach_of(exchange.caller),
        after=ReferralId(place) if place else None,
        limit=top + 1,
    )
    shown = [resource(referral, exchange.caller, exchange.now) for referral in found[:top]]
    return Answer(body=page(exchange.request, shown, found[top - 1].id if len(found) > top else None))


async def got(exchange: Exchange) -> Answer:
    """One referral that the caller may see."""
    referral = await visible(exchange)
    etag = etag_of(referral)
    known = exchange.header("If-None-Match")
    if known and matches(known, etag):
        return Answer(status=304, headers={"ETag": etag})
    return Answer(body=resource(referral, exchange.caller, exchange.now), headers={"ETag": etag})


async def told(exchange: Exchange) -> Answer:
    """A page of the timeline."""
    refuse_unknown_options(exchange.request, frozenset({"$top", "$skiptoken"}))
    top, place = top_of(exchange.request), place_of(exchange.request)
    if place is not None and not (place.isdecimal() and len(place) < 7):
        raise BadQuery("$skiptoken is not one of ours: follow the nextLink as it is.")
    referral = await visible(exchange)
    entries = await exchange.service.referrals.entries(referral.party, int(place or 0), top + 1)
    shown = [timeline_entry(entry, exchange.caller) for entry in entries[:top]]
    more = str(entries[top - 1].sequence) if len(entries) > top else None
    return Answer(body=page(exchange.request, shown, more))


async def accepting(exchange: Exchange) -> Decision:
    """How an accept decides: the deal must still be open, which its creator's record says (L2, L8)."""
    reading = read(AcceptBody, exchange.json())
    acceptance = reading.body.acceptance()

    async def decide(referral: Referral, act: Act) -> Change:
        creator = await exchange.service.referrals.get(referral.creator)
        change = accept(referral, acceptance, act, creator=creator.value if creator else referral)
        rules = faults_of_acceptance(
            acceptance, reading.body.team_draft(), referral.terms, currency_decimals(), act.now.date()
        )
        return _unless_faulty(change, (*reading.faults, *unless_below(rules, reading.faults)))

    return decide


async def declining(exchange: Exchange) -> Decision:
    """How a decline decides (L3)."""
    reading = read(ClosingBody, exchange.json())
    faults = (*reading.faults, *reading.body.faults())

    async def decide(referral: Referral, act: Act) -> Change:
        return _unless_faulty(decline(referral, _statement(reading.body), act), faults)

    return decide


async def winning(exchange: Exchange) -> Decision:
    """How a win decides (L6, L8)."""
    reading = read(WinBody, exchange.json())

    async def decide(referral: Referral, act: Act) -> Change:
        invited = await exchange.service.referrals.invitations(referral.party)
        change = win(referral, reading.body.notes, act, invitations=tuple(invited))
        return _unless_faulty(change, reading.faults)

    return decide


async def losing(exchange: Exchange) -> Decision:
    """How a loss decides (L6, L8)."""
    reading = read(ClosingBody, exchange.json())
    faults = (*reading.faults, *reading.body.faults())

    async def decide(referral: Referral, act: Act) -> Change:
        invited = await exchange.service.referrals.invitations(referral.party)
        change = lose(referral, _statement(reading.body), act, invitations=tuple(invited))
        return _unless_faulty(change, faults)

    return decide


async def visible(exchange: Exchange) -> Referral:
    """The referral that the route names, if the caller may see it; else it reads like an unknown id (V5)."""
    identifier = exchange.request.route_params.get("id", "").lower()
    if not is_uuid(identifier):
        raise NotFound("There is no such referral.")
    party = Party(organization_id=exchange.caller.organization.id, referral_id=ReferralId(identifier))
    stored = await exchange.service.referrals.get(party)
    if stored is None or not may_see(exchange.caller, stored.value):
        raise NotFound("There is no such referral.")
    return stored.value


def _verb(
    prepare: Callable[[Exchange], Awaitable[Decision]], event: Event, client: df.DurableOrchestrationClient
) -> Callable[[Exchange], Awaitable[Answer]]:
    async def handle(exchange: Exchange) -> Answer:
        decide = await prepare(exchange)
        return await take_step(exchange, decide, event, DurableEngine(client))

    return handle


async def take_step(exchange: Exchange, decide: Decision, event: Event, engine: DurableEngine) -> Answer:
    """Commit what a verb decides, wake the orchestration, and answer with the resource.

    A verb that the same person repeats with the same Idempotency-Key is answered as it was the first time.
    """
    seen = await visible(exchange)
    who = exchange.who(f"{seen.id}/{exchange.request.url.split('?')[0].rsplit('/', 1)[-1]}")

    async def checked(referral: Referral, act: Act) -> Change:
        if not may_see(exchange.caller, referral):
            raise NotFound("There is no such referral.")
        await _require_match(exchange, referral)
        return await decide(referral, act)

    try:
        change = await exchange.service.commits.step(seen.party, who, checked, announce=True)
    except Refusal:
        if who.key_hash and await exchange.service.commits.replayed(seen.party, who.key_hash):
            return await got(exchange)
        raise
    if change is None:
        raise NotFound("There is no such referral.")
    await wake_or_leave_to_sweep(engine, seen.party, event)
    if change.refusal:
        raise change.refusal
    return Answer(
        body=resource(change.after, exchange.caller, exchange.now), headers={"ETag": etag_of(change.after)}
    )


async def _require_match(exchange: Exchange, referral: Referral) -> None:
    header = exchange.header("If-Match")
    if header is not None and not matches(header, etag_of(referral)):
        require_match(header, referral, await exchange.service.referrals.entries(referral.party))


def _unless_faulty(change: Change, faults: tuple[Fault, ...]) -> Change:
    """State comes before fields: faults count only where the state would let the step through."""
    if faults and change.refusal is None:
        raise Invalid(faults)
    return change


def _statement(body: ClosingBody) -> ClosingStatement:
    return ClosingStatement(reason=body.reason or "Other", notes=body.notes)
