"""`POST /v1.0/engagements/referrals`: a deal and all its invitations in one call, or nothing (C1 to C7)."""

from dataclasses import dataclass
from datetime import timedelta

from api.common.catalogue import catalogue_of_new
from api.common.steps import begin_or_leave_to_sweep, do_work
from api.http.body import Reading, read, unless_below
from api.http.etags import etag_of
from api.http.idempotency import idempotent
from api.http.operation import CREATING, operation
from api.http.paging import Option
from api.http.problems import BadQuery, Forbidden
from api.http.request import Request
from api.http.response import Response
from api.referrals.invitations import CREATION_COMMAND, invite_by_second_call
from api.referrals.mapping import BASE, resource
from api.referrals.request_schemas import CreationBody
from api.referrals.schemas import InvitationView, ReferralView, ValidatedView
from shared.domain.catalogue import Catalogue
from shared.domain.change import Change, CommandContext
from shared.domain.creation import NewIds, create_deal
from shared.domain.deal_rules import faults_of_deal, match_deal_customer
from shared.domain.draft import DealDraft
from shared.domain.ids import EngagementId, OperationId, ReferralId, with_shard_of
from shared.domain.invitation_rules import MAX_INVITATIONS
from shared.domain.permissions import Caller, may_create, may_use_referrals
from shared.domain.referral import Referral, ReferralKey
from shared.domain.refusals import Invalid
from shared.errors import StoreUnavailable
from shared.storage.idempotency import IdempotencyRecord, RequestKey

VALIDATE_ONLY = Option("validateOnly", {"type": "boolean"}, "Every rule, nothing stored.")


@operation(
    "POST",
    "v1.0/engagements/referrals",
    body=CreationBody,
    query=(VALIDATE_ONLY,),
    returns={200: ValidatedView, 201: (ReferralView, InvitationView)},
    errors=CREATING,
    headers=("Idempotency-Key", "client-request-id"),
)
async def create_referral(request: Request) -> Response:
    """Create a deal. 201 with Location and ETag."""
    validate_only = _validate_only(request)
    if _names_engagement(request.body):
        if validate_only:
            raise BadQuery("validateOnly goes with the creation of a deal, not with a second call.")
        return await invite_by_second_call(request)
    reading = read(CreationBody, request.body)
    draft = reading.body.draft()
    require_creator(request.caller, draft)

    async def make(key: RequestKey | None) -> Response | None:
        catalogue = await catalogue_of_new(request, draft)
        require_faultless(reading, draft, catalogue, request)
        build = _builder(request, draft, catalogue, key)
        if validate_only:
            return _validated(request, build, reading)
        change = await request.service.commits.create(build, request.context(CREATION_COMMAND), key)
        if change is None:
            return None
        await _roll_forward(request, change.after, list(change.invitations))
        await do_work(request, change)
        await begin_or_leave_to_sweep(request, change.after.key)
        return _created(request, change.after, reading)

    async def replay(first: IdempotencyRecord) -> Response:
        return await _replay(request, first, reading)

    return await idempotent(request, None if validate_only else CREATION_COMMAND, make, replay)


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
        raise Invalid(faults, match_deal_customer(draft, catalogue).candidates)


@dataclass(frozen=True, slots=True)
class _Builder:
    """Builds the creation with ids drawn once, so that every attempt makes the same records."""

    draft: DealDraft
    catalogue: Catalogue
    ids: NewIds
    response_window: timedelta

    def __call__(self, context: CommandContext) -> Change:
        return create_deal(self.draft, self.catalogue, self.ids, context, self.response_window)


def _builder(request: Request, draft: DealDraft, catalogue: Catalogue, key: RequestKey | None) -> _Builder:
    referral = ReferralId(request.new_id())
    if key:
        referral = ReferralId(with_shard_of(referral, key.record.key_hash))
    engagement = EngagementId(request.new_id())
    invitees = tuple(ReferralId(request.new_id()) for _ in range(MAX_INVITATIONS + 1))
    ids = NewIds(referral=referral, engagement=engagement, invitees=invitees)
    return _Builder(draft, catalogue, ids, request.service.settings.response_window)


async def _replay(request: Request, first: IdempotencyRecord, reading: Reading[CreationBody]) -> Response:
    """Answer a repeated creation as the first one, and complete what the first may have left undone."""
    key = ReferralKey(organization_id=first.organization_id, referral_id=ReferralId(first.record_id))
    stored = await request.service.referrals.get(key)
    if stored is None:
        raise StoreUnavailable("The deal of this key is being stored; repeat the request in a second.")
    await begin_or_leave_to_sweep(request, key)
    await _roll_forward(request, stored.value, await request.service.referrals.invitations(key))
    return _created(request, stored.value, reading)


async def _roll_forward(request: Request, deal: Referral, invitations: list[Referral]) -> None:
    """Do at once what the caller and the invitees read next; what storage refuses, the orchestration does."""
    await request.service.invitations.send_or_leave_to_work(deal, invitations, request.now)
    if deal.deal_type == "PartnerLed":
        await request.service.visibility.follow_or_leave_to_work(deal)


def _created(request: Request, deal: Referral, reading: Reading[CreationBody]) -> Response:
    return Response(
        status=201,
        body=resource(deal, request.now, unused=_unused(reading)),
        headers={"Location": f"{BASE}/referrals/{deal.id}", "ETag": etag_of(deal.version)},
    )


def _validated(request: Request, build: _Builder, reading: Reading[CreationBody]) -> Response:
    """What a creation would make, of which nothing is stored: its ids are not kept, so they are not told."""
    context = CommandContext(
        actor=request.context(CREATION_COMMAND).actor,
        now=request.now,
        operation_id=OperationId("validateOnly"),
    )
    view = resource(build(context).after, request.now, unused=_unused(reading)).document()
    return Response(body={"valid": True, "dealType": view["dealType"], "warnings": view["warnings"]})


def _unused(reading: Reading[CreationBody]) -> tuple[str, ...]:
    """What was sent and is not kept. A party is addressed with `invitations`, or in a second call."""
    addressed = any(each.type == "BusinessProfileLocation" for each in reading.body.target or ())
    return (*reading.unused, "target") if addressed else reading.unused


def _validate_only(request: Request) -> bool:
    """`?validateOnly=true`: every rule, nothing stored."""
    text = request.options.get("validateOnly", "false").lower()
    if text not in {"true", "false"}:
        raise BadQuery("validateOnly is true or false.")
    return bool(text == "true")


def _names_engagement(document: object) -> bool:
    return isinstance(document, dict) and any(
        str(name).lower() == "engagementid" and value is not None for name, value in document.items()
    )
