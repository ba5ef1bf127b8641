"""`POST /v1.0/engagements/referrals`: a deal and all its invitations in one call, or nothing (C1 to C7)."""

import logging
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from api.common.catalogue import catalogue_of_new
from api.http.body import Reading, read, unless_below
from api.http.etags import etag_of, refuse_unknown_options
from api.http.idempotency import carried_out, record_of, require_same_body, stored_under
from api.http.problems import BadQuery, Forbidden
from api.http.operation import CHANGING, CREATING, SEEING, Option, operation
from api.http.request import Request
from api.http.response import Response
from api.referrals.invitations import connect
from api.referrals.mapping import BASE, resource
from api.referrals.request_schemas import CreationBody
from shared.domain.catalogue import Catalogue
from shared.domain.change import Change, CommandContext
from shared.domain.creation import NewIds, create_deal
from shared.domain.deal_rules import faults_of_deal, settlement_of
from shared.domain.draft import DealDraft
from shared.domain.ids import EngagementId, OperationId, ReferralId, uuid7, with_shard_of
from shared.domain.invitation_rules import MAX_INVITATIONS
from shared.domain.permissions import Caller, may_create, may_use_referrals
from shared.domain.referral import Referral, ReferralKey
from shared.domain.refusals import Invalid
from shared.errors import EngineUnavailable, StoreUnavailable
from shared.storage.referrals import IdempotencyRecord
from shared.workflow.commit import AlreadyDone
from shared.workflow.durable import DurableEngine
from shared.workflow.wake import begin

logger = logging.getLogger(__name__)

_OPERATION = "createReferral"




@operation("POST", "v1.0/engagements/referrals", body=CreationBody, query=(Option("validateOnly", {"type": "boolean"}, "Every rule, nothing stored."),), returns={200: ValidatedView, 201: (ReferralView, InvitationView)}, errors=CREATING, headers=("Idempotency-Key", "client-request-id"))
async def create_referral(request: Request) -> Response:
    """Create a deal. 201 with Location and ETag."""
    validate_only = _validate_only(request)
    document = request.body
    if _names_engagement(document):
        if validate_only:
            raise BadQuery("validateOnly goes with the creation of a deal, not with a second call.")
        return await connect(request, engine, document)
    reading = read(CreationBody, document)
    draft = reading.body.draft()
    require_creator(request.caller, draft)
    wanted = None if validate_only else record_of(request, document, _OPERATION)
    stored = await stored_under(request, wanted)
    if first := carried_out(request, wanted, stored):
        return await _replay(request, engine, first, reading)
    catalogue = await catalogue_of_new(request, draft)
    require_faultless(reading, draft, catalogue, request)
    build = _builder(request, draft, catalogue, wanted)
    if validate_only:
        return Response(body=_judged(request, build, reading))
    record = replace(wanted, referral_id=build.ids.referral) if wanted else None
    outcome = await request.service.commits.create(build, request.context(_OPERATION), record, stored)
    if isinstance(outcome, AlreadyDone):
        require_same_body(record or outcome.record, outcome.record)
        return await _replay(request, engine, outcome.record, reading)
    await _roll_forward(request, outcome.after, list(outcome.invitations))
    if outcome.work:
        work_runner, label = request.service.work_runner, outcome.work.label
        await work_runner.after_commit(engine, outcome.after.party, label, request.now)
    await _begin(engine, outcome.after)
    return _created(request, outcome.after, reading)


def require_creator(caller: Caller, draft: DealDraft) -> None:
    """Refuse those who may not create this deal (V6). An unknown location is the rules' to refuse."""
    if not may_use_referrals(caller):
        raise Forbidden("Your roles do not let you create deals; ask your partner admin.")
    location = caller.organization.location(draft.location or caller.organization.default_location)
    team = frozenset((contact.email or "").casefold() for contact in draft.team)
    if caller.organization.kind == "microsoft" or location is None:
        return
    if not may_create(caller, location.id, team):
        raise Forbidden(
            f"You may create deals only where your role covers it; {location.id} is not such a place."
        )


def require_faultless(
    reading: Reading[CreationBody], draft: DealDraft, catalogue: Catalogue, request: Request
) -> None:
    """Refuse a request with every fault that it has, of form and of rules, each told once."""
    rules = (*reading.body.faults(), *faults_of_deal(draft, catalogue, request.now.date()))
    faults = (*reading.faults, *unless_below(rules, reading.faults))
    if faults:
        raise Invalid(faults, settlement_of(draft, catalogue).candidates)


@dataclass(frozen=True, slots=True)
class _Builder:
    """Builds the creation with ids drawn once, so that every attempt makes the same records."""

    draft: DealDraft
    catalogue: Catalogue
    ids: NewIds
    response_window: timedelta

    def __call__(self, context: CommandContext) -> Change:
        return create_deal(self.draft, self.catalogue, self.ids, context, self.response_window)


def _builder(
    request: Request, draft: DealDraft, catalogue: Catalogue, wanted: IdempotencyRecord | None
) -> _Builder:
    def draw() -> ReferralId:
        return ReferralId(uuid7(request.now, secrets.token_bytes(16)))

    referral = draw()
    if wanted:
        referral = ReferralId(with_shard_of(referral, wanted.key_hash))
    engagement, invitees = EngagementId(draw()), tuple(draw() for _ in range(MAX_INVITATIONS + 1))
    ids = NewIds(referral=referral, engagement=engagement, invitees=invitees)
    return _Builder(draft, catalogue, ids, request.service.settings.response_window)


async def _replay(
    request: Request, engine: DurableEngine, first: IdempotencyRecord, reading: Reading[CreationBody]
) -> Response:
    """Answer a repeated creation as the first one, and complete what the first may have left undone."""
    party = ReferralKey(organization_id=first.organization_id, referral_id=first.referral_id)
    stored = await request.service.referrals.get(party)
    if stored is None:
        raise StoreUnavailable("The deal of this key is being stored; repeat the request in a second.")
    await _begin(engine, stored.value)
    await _roll_forward(request, stored.value, await request.service.referrals.invitations(party))
    return _created(request, stored.value, reading)


async def _begin(engine: DurableEngine, deal: Referral) -> None:
    try:
        await begin(engine, deal.party)
    except EngineUnavailable:
        logger.warning("begin_failed referral=%s: the sweep will start it", deal.id)


async def _roll_forward(request: Request, deal: Referral, invitations: list[Referral]) -> None:
    """Do at once what the caller and the invitees read next; what storage refuses, the orchestration does."""
    await request.service.invitations.send_or_leave_to_work(deal, invitations, request.now)
    if deal.deal_type == "PartnerLed":
        await request.service.visibility.follow_or_leave_to_work(deal)


def _created(request: Request, deal: Referral, reading: Reading[CreationBody]) -> Response:
    return Response(
        status=201,
        body=resource(deal, request.now, unused=_unused(reading)),
        headers={"Location": f"{BASE}/referrals/{deal.id}", "ETag": etag_of(deal)},
    )


def _judged(request: Request, build: _Builder, reading: Reading[CreationBody]) -> dict[str, Any]:
    """What a creation would make, of which nothing is stored: its ids are not kept, so they are not told."""
    context = CommandContext(
        actor=request.context(_OPERATION).actor, now=request.now, operation_id=OperationId("validateOnly")
    )
    view = resource(build(context).after, request.now, unused=_unused(reading)).document()
    return {"valid": True, "dealType": view["dealType"], "warnings": view["warnings"]}


def _unused(reading: Reading[CreationBody]) -> tuple[str, ...]:
    """What was sent and is not kept. A party is addressed with `invitations`, or in a second call."""
    addressed = any(each.type == "BusinessProfileLocation" for each in reading.body.target or ())
    return (*reading.unused, "target") if addressed else reading.unused


def _validate_only(request: Request) -> bool:
    """`?validateOnly=true`: every rule, nothing stored."""
    refuse_unknown_options(request, frozenset({"validateOnly"}))
    text = request.options.get("validateOnly", "false").lower()
    if text not in {"true", "false"}:
        raise BadQuery("validateOnly is true or false.")
    return bool(text == "true")


def _names_engagement(document: object) -> bool:
    return isinstance(document, dict) and any(
        str(name).lower() == "engagementid" and value is not None for name, value in document.items()
    )
