"""`POST /v1.0/engagements/referrals`: a deal and all its invitations in one call, or nothing (C1 to C7)."""

import logging
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func

from api.body import Reading, read, unless_below
from api.exchange import Answer, Exchange, respond
from api.fields import currency_decimals
from api.preconditions import etag_of
from api.problems import Forbidden, IdempotencyConflict
from api.referral_requests import CreationBody
from api.referral_resource import BASE, resource
from shared.domain.change import Act, Change
from shared.domain.creation import NewIds, create_deal
from shared.domain.deal_rules import MAX_INVITATIONS, Catalogue, faults_of_deal, settlement_of
from shared.domain.draft import DealDraft
from shared.domain.ids import EngagementId, ReferralId, digest, uuid7, with_shard_of
from shared.domain.permissions import Caller, may_create, may_use_referrals
from shared.domain.referral import Party, Referral
from shared.domain.refusals import Invalid
from shared.domain.vocabulary import MICROSOFT
from shared.errors import EngineUnavailable, StoreUnavailable
from shared.protocol.commit import AlreadyDone
from shared.protocol.durable import DurableEngine
from shared.protocol.wake import begin
from shared.storage.referrals import IdempotencyRecord, Stored

logger = logging.getLogger(__name__)
blueprint = df.Blueprint()

KEY_LIVES = timedelta(days=7)
_OPERATION = "createReferral"


@blueprint.route("v1.0/engagements/referrals", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@blueprint.durable_client_input(client_name="client")
async def create_referral(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Create a deal. 201 with Location and ETag."""

    async def handle(exchange: Exchange) -> Answer:
        return await create(exchange, DurableEngine(client))

    return await respond(req, handle)


async def create(exchange: Exchange, engine: DurableEngine) -> Answer:
    """Refuse, or replay what the same key made before, or create; then roll the invitations forward."""
    document = exchange.json()
    reading = read(CreationBody, document)
    draft = reading.body.draft()
    require_creator(exchange.caller, draft)
    wanted = idempotency_of(exchange, document)
    known = await _known(exchange, wanted)
    if wanted and known and not _is_over(known, exchange):
        return await _replay(exchange, engine, wanted, known.value, reading)
    catalogue = await catalogue_of(exchange, draft)
    require_faultless(reading, draft, catalogue, exchange)
    build = _builder(exchange, draft, catalogue, wanted)
    record = replace(wanted, referral_id=build.ids.referral) if wanted else None
    outcome = await exchange.service.commits.create(build, exchange.who(_OPERATION), record, known)
    if isinstance(outcome, AlreadyDone):
        return await _replay(exchange, engine, record or outcome.record, outcome.record, reading)
    await _begin(engine, outcome.after)
    await _roll_forward(exchange, outcome.after, list(outcome.invitations))
    return _created(exchange, outcome.after, reading)


def require_creator(caller: Caller, draft: DealDraft) -> None:
    """Refuse those who may not create this deal (V6). An unknown location is the rules' to refuse."""
    if not may_use_referrals(caller):
        raise Forbidden("Your roles do not let you create deals; ask your partner admin.")
    if caller.organization.kind == "microsoft":
        raise Forbidden("Deals are created by partners here; accept their invitations instead.")
    location = caller.organization.location(draft.location or caller.organization.default_location)
    team = frozenset((contact.email or "").casefold() for contact in draft.team)
    if location and not may_create(caller, location.id, team):
        raise Forbidden(
            f"You may create deals only where your role covers it; {location.id} is not such a place."
        )


def require_faultless(
    reading: Reading[CreationBody], draft: DealDraft, catalogue: Catalogue, exchange: Exchange
) -> None:
    """Refuse a request with every fault that it has, of form and of rules, each told once."""
    rules = (*reading.body.faults(), *faults_of_deal(draft, catalogue, exchange.now.date()))
    faults = (*reading.faults, *unless_below(rules, reading.faults))
    if faults:
        raise Invalid(faults, settlement_of(draft, catalogue).candidates)


async def catalogue_of(exchange: Exchange, draft: DealDraft) -> Catalogue:
    """Everything that the directory knows of what a draft names."""
    directory = exchange.service.directory
    named = {i.organization_id for i in draft.invitations if i.organization_id} | {MICROSOFT}
    solutions = {*draft.terms.solutions, *(s for i in draft.invitations for s in i.terms.solutions)}
    customer = draft.customer
    return Catalogue(
        creator=exchange.caller.organization,
        organizations=await directory.organizations(named),
        solutions=await directory.solutions(s for s in solutions if s),
        customers=await directory.customers(
            customer.name or "", customer.address.country or "", customer.duns
        ),
        decimals=currency_decimals(),
    )


def idempotency_of(exchange: Exchange, document: object) -> IdempotencyRecord | None:
    """Under which key a creation counts (C5), its referral not yet drawn.

    An Idempotency-Key wins, and conflicts with another body. A client-request-id, if the client sent one, counts
    together with its body, so another body under it is a new request.
    """
    person = exchange.caller.person
    body_hash = digest(repr(_canonical(document)))
    key, request_id = exchange.header("Idempotency-Key"), exchange.client_request_id
    if key:
        key_hash = exchange.who(_OPERATION).key_hash or ""
    elif request_id:
        key_hash = digest(person.organization_id, person.id, _OPERATION, "request", request_id, body_hash)
    else:
        return None
    return IdempotencyRecord(
        organization_id=person.organization_id,
        key_hash=key_hash,
        body_hash=body_hash,
        referral_id=ReferralId(""),
        at=exchange.now,
    )


@dataclass(frozen=True, slots=True)
class _Builder:
    """Builds the creation with ids drawn once, so that every attempt makes the same records."""

    draft: DealDraft
    catalogue: Catalogue
    ids: NewIds
    response_window: timedelta

    def __call__(self, act: Act) -> Change:
        return create_deal(self.draft, self.catalogue, self.ids, act, self.response_window)


def _builder(
    exchange: Exchange, draft: DealDraft, catalogue: Catalogue, wanted: IdempotencyRecord | None
) -> _Builder:
    def draw() -> ReferralId:
        return ReferralId(uuid7(exchange.now, secrets.token_bytes(16)))

    referral = draw()
    if wanted:
        referral = ReferralId(with_shard_of(referral, wanted.key_hash))
    engagement, invitees = EngagementId(draw()), tuple(draw() for _ in range(MAX_INVITATIONS + 1))
    ids = NewIds(referral=referral, engagement=engagement, invitees=invitees)
    return _Builder(draft, catalogue, ids, exchange.service.settings.response_window)


async def _known(exchange: Exchange, wanted: IdempotencyRecord | None) -> Stored[IdempotencyRecord] | None:
    if wanted is None:
        return None
    return await exchange.service.referrals.idempotency(wanted.organization_id, wanted.key_hash)


def _is_over(known: Stored[IdempotencyRecord], exchange: Exchange) -> bool:
    return exchange.now - known.value.at > KEY_LIVES


async def _replay(
    exchange: Exchange,
    engine: DurableEngine,
    wanted: IdempotencyRecord,
    known: IdempotencyRecord,
    reading: Reading[CreationBody],
) -> Answer:
    """Answer a repeated creation as the first one, and complete what the first may have left undone."""
    if wanted.body_hash != known.body_hash:
        raise IdempotencyConflict(
            "This Idempotency-Key was used with another body: use a new key for a new deal."
        )
    party = Party(organization_id=known.organization_id, referral_id=known.referral_id)
    stored = await exchange.service.referrals.get(party)
    if stored is None:
        raise StoreUnavailable("The deal of this key is being stored; repeat the request in a second.")
    await _begin(engine, stored.value)
    await _roll_forward(exchange, stored.value, await exchange.service.referrals.invitations(party))
    return _created(exchange, stored.value, reading)


async def _begin(engine: DurableEngine, deal: Referral) -> None:
    try:
        await begin(engine, deal.party)
    except EngineUnavailable:
        logger.warning("begin_failed referral=%s: the sweep will start it", deal.id)


async def _roll_forward(exchange: Exchange, deal: Referral, invitations: list[Referral]) -> None:
    """Send the invitations at once; whatever storage refuses now, the orchestration sends later."""
    try:
        await exchange.service.invitations.roll_forward(deal, invitations, exchange.now)
    except StoreUnavailable:
        logger.warning("invitations_pending referral=%s: the orchestration will send them", deal.id)


def _created(exchange: Exchange, deal: Referral, reading: Reading[CreationBody]) -> Answer:
    return Answer(
        status=201,
        body=resource(deal, exchange.caller, exchange.now, reading.unused),
        headers={"Location": f"{BASE}/referrals/{deal.id}", "ETag": etag_of(deal)},
    )


def _canonical(document: object) -> object:
    """A body with its names in order, so that the same body is the same however it was written."""
    if isinstance(document, dict):
        return sorted((str(key), _canonical(value)) for key, value in document.items())
    if isinstance(document, list):
        return [_canonical(value) for value in document]
    return document
