"""Create a deal with all its invitations in one call: `POST /v1.0/engagements/referrals` (C1 to C7)."""

from collections.abc import Callable

from api.common.access import REFERRALS_ROUTE, referral_not_found
from api.common.catalogue import load_new_deal_catalogue
from api.common.quotas import NO_QUOTA, quota_of_invitations
from api.common.steps import deliver_or_leave_to_work, follow_up
from api.http.body import ParsedBody, read
from api.http.etags import etag_of
from api.http.idempotency import idempotent
from api.http.operation import KEYED, operation
from api.http.paging import Option
from api.http.problems import BadQuery, Forbidden
from api.http.request import Request
from api.http.response import Response
from api.referrals.invitations import CREATION_COMMAND, invite_by_second_call
from api.referrals.mapping import BASE, referral_view
from api.referrals.read import co_sell_ready_for
from api.referrals.request_schemas import CreationBody
from api.referrals.schemas import InvitationView, ReferralView, ValidatedView
from shared.domain.catalogue import Catalogue
from shared.domain.change import Change, CommandContext
from shared.domain.creation import NewIds, create_deal
from shared.domain.deal_rules import faults_of_deal, match_deal_customer
from shared.domain.deal_warnings import DEFAULT_LOCATION, DealWarning, not_kept
from shared.domain.draft import DealDraft
from shared.domain.ids import EngagementId, OperationId, ReferralId
from shared.domain.invitation_rules import MAX_INVITATIONS
from shared.domain.permissions import Caller, may_create, may_use_referrals
from shared.domain.referral import Referral, ReferralKey
from shared.domain.refusals import Invalid
from shared.errors import StoreUnavailable
from shared.storage.idempotency import IdempotencyRecord, RequestKey

VALIDATE_ONLY = Option("validateOnly", {"type": "boolean"}, "Check the request, and store nothing.")


@operation(
    "POST",
    REFERRALS_ROUTE,
    body=CreationBody,
    query=(VALIDATE_ONLY,),
    returns={200: ValidatedView, 201: (ReferralView, InvitationView)},
    errors=(404, 429),
    headers=KEYED,
)
async def create_referral(request: Request) -> Response:
    """Create a deal, and invite organizations into it.

    The deal and all its invitations are stored together, or nothing is. With an `engagementId` the request invites
    another organization into an existing engagement instead, and the response is the invitation.
    """
    validate_only = _validate_only(request)
    if not may_use_referrals(request.caller):
        raise Forbidden("Your roles do not let you create deals; ask your partner admin.")
    if _has_engagement_id(request.body):
        if validate_only:
            raise BadQuery("validateOnly cannot be used with engagementId; leave one of them out.")
        return await invite_by_second_call(request)
    parsed = read(CreationBody, request.body)
    draft = parsed.body.draft()
    require_creator(request.caller, draft)

    async def create(key: RequestKey | None) -> Response | None:
        catalogue = await load_new_deal_catalogue(request, draft)
        require_faultless(parsed, draft, catalogue, request)
        ids, window = _new_ids(request), request.service.settings.response_window

        def build(context: CommandContext) -> Change:
            return create_deal(draft, catalogue, ids, context, window)

        if validate_only:
            return _validated(request, build, parsed)
        step = await request.service.commits.create(
            build, request.context(CREATION_COMMAND), key, request.known
        )
        if step is None:
            return None
        await follow_up(request, step)
        return await _created(request, step.after, parsed)

    async def replay(original: IdempotencyRecord) -> Response:
        return await _replay(request, original, parsed)

    if validate_only:
        return await idempotent(request, None, create, replay, NO_QUOTA)
    quota = quota_of_invitations(request, len(draft.all_invitations))
    return await idempotent(request, CREATION_COMMAND, create, replay, quota)


def require_creator(caller: Caller, draft: DealDraft) -> None:
    """Raise `Forbidden` if the caller may not create this deal (V6). Unknown locations are left to the rules."""
    location = caller.organization.location(draft.location or caller.organization.default_location)
    team = frozenset((contact.email or "").casefold() for contact in draft.team)
    if caller.organization.kind == "microsoft" or location is None:
        return
    if not may_create(caller, location.id, team):
        raise Forbidden(
            f"Your role does not cover {location.id}: create the deal for one of your own locations, "
            "or be a member of its team."
        )


def require_faultless(
    parsed: ParsedBody[CreationBody], draft: DealDraft, catalogue: Catalogue, request: Request
) -> None:
    """Raise `Invalid` with all faults of form and of the rules, and the candidates for the customer (C7)."""
    rules = (*parsed.body.faults(), *faults_of_deal(draft, catalogue, request.now.date()))
    if faults := parsed.faults_with(rules):
        raise Invalid(faults, match_deal_customer(draft, catalogue).candidates)


def _new_ids(request: Request) -> NewIds:
    """The ids of a creation, drawn once, so that every attempt stores the same records."""
    referral, engagement = ReferralId(request.new_id()), EngagementId(request.new_id())
    invitees = tuple(ReferralId(request.new_id()) for _ in range(MAX_INVITATIONS + 1))
    return NewIds(referral=referral, engagement=engagement, invitees=invitees)


async def _replay(
    request: Request, original: IdempotencyRecord, parsed: ParsedBody[CreationBody]
) -> Response:
    """The response to the original creation; delivers what that request may not have delivered.

    Raises `NotFound` if the caller may not see the deal any more (C5).
    """
    key = ReferralKey(organization_id=original.organization_id, referral_id=ReferralId(original.record_id))
    stored = await request.service.referrals.get(key)
    if stored is None:
        raise StoreUnavailable("The deal of this key is being stored; repeat the request in a second.")
    if not request.sees(stored.value):
        raise referral_not_found()
    sent = await request.service.referrals.invitations(key)
    await deliver_or_leave_to_work(request, stored.value, sent)
    return await _created(request, stored.value, parsed)


async def _created(request: Request, deal: Referral, parsed: ParsedBody[CreationBody]) -> Response:
    view = referral_view(
        deal,
        request.now,
        warnings=_warnings(request, parsed),
        co_sell_ready=await co_sell_ready_for(request, deal),
    )
    return Response(
        status=201,
        body=view,
        headers={"Location": f"{BASE}/referrals/{deal.id}", "ETag": etag_of(deal.version)},
    )


def _validated(
    request: Request, build: Callable[[CommandContext], Change], parsed: ParsedBody[CreationBody]
) -> Response:
    """The result of `validateOnly`. It has no ids, since nothing is stored."""
    context = CommandContext(
        actor=request.context(CREATION_COMMAND).actor,
        now=request.now,
        operation_id=OperationId("validateOnly"),
    )
    view = referral_view(build(context).after, request.now, warnings=_warnings(request, parsed)).document()
    return Response(body={"valid": True, "dealType": view["dealType"], "warnings": view["warnings"]})


def _warnings(request: Request, parsed: ParsedBody[CreationBody]) -> tuple[DealWarning, ...]:
    """What the request leaves to a default, and what it sends that is not stored.

    That includes `target`, since parties are invited with `invitations`. Microsoft's deals have no location (T4).
    """
    has_location = request.caller.organization.kind != "microsoft"
    defaulted = (DEFAULT_LOCATION,) if has_location and not parsed.body.draft().location else ()
    addressed = any(each.type == "BusinessProfileLocation" for each in parsed.body.target or ())
    return (*defaulted, *not_kept((*parsed.unused, "/target") if addressed else parsed.unused))


def _validate_only(request: Request) -> bool:
    text = request.options.get("validateOnly", "false").lower()
    if text not in {"true", "false"}:
        raise BadQuery("validateOnly is true or false.")
    return bool(text == "true")


def _has_engagement_id(document: object) -> bool:
    return isinstance(document, dict) and any(
        str(name).lower() == "engagementid" and value is not None for name, value in document.items()
    )
