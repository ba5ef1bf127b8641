"""Read a registration by its id, assign it to a reviewer, and review it (rules G5, V6)."""

from api.common.steps import follow_up, is_repetition
from api.http.body import ParsedBody, read
from api.http.etags import matches_if_none_match, refuse_stale_version, require_version
from api.http.operation import IF_MATCH, operation
from api.http.problems import Forbidden, PreconditionFailed
from api.http.request import Request
from api.http.response import Response
from api.registrations.access import load_registration, registration_not_found, route_registration_id
from api.registrations.mapping import registration_etag, registration_view
from api.registrations.request_schemas import AssignmentBody, ReviewBody
from api.registrations.schemas import RegistrationView
from shared.domain.change import Change, CommandContext
from shared.domain.deal_registration import record_registrations
from shared.domain.ids import OrganizationId
from shared.domain.permissions import may_report_deals, may_review
from shared.domain.referral import Referral
from shared.domain.refusals import Fault, Invalid, Refusal
from shared.domain.registration import Registration, require_assignable, review
from shared.domain.registration_rules import faults_of_verdict
from shared.domain.vocabulary import MICROSOFT
from shared.errors import Contended, StoreConflict
from shared.storage.registrations import IndexEntry, stored_with, without_deal
from shared.workflow.commit import ATTEMPTS, Committed

ROUTE = "v1.0/registrations/{rid}"


@operation("GET", ROUTE, returns={200: RegistrationView, 304: None}, headers=("If-None-Match",))
async def get_registration(request: Request) -> Response:
    """Get a registration with its review rounds, for its partner and for reviewers.

    304 if `If-None-Match` names the current version.
    """
    response = await _response(await _visible(request), request)
    if matches_if_none_match(request, response.headers["ETag"]):
        return Response(status=304, headers=response.headers)
    return response


@operation(
    "POST",
    f"{ROUTE}/review",
    body=ReviewBody,
    returns=RegistrationView,
    errors=(428,),
    headers=("If-Match", "Idempotency-Key"),
)
async def review_registration(request: Request) -> Response:
    """Review a registration: approve it, reject it, or request a correction.

    `If-Match` is mandatory (G5).
    """
    seen = await _reviewable(request)
    parsed = read(ReviewBody, request.body)
    deal, context = stored_with(seen), request.repeatable_context(f"{seen.id}/review")
    try:
        step = await _review(request, seen, parsed, context)
    except (Refusal, PreconditionFailed):
        if await is_repetition(request, deal, context):
            return await _response(await _visible(request), request)
        raise
    await follow_up(request, step)
    (after,) = step.change.registrations
    return await _response(after, request)


async def _review(
    request: Request, seen: Registration, parsed: ParsedBody[ReviewBody], context: CommandContext
) -> Committed:
    deal = stored_with(seen)
    assigned_to = (await _index_entry(request, seen)).assigned_to
    verdict = parsed.body.verdict(request.caller.member.name)
    rules = faults_of_verdict(verdict) if parsed.body.decision else ()

    async def decide(referral: Referral, context: CommandContext) -> Change:
        before = await load_registration(request, deal, seen.id)
        require_version(request, registration_etag(before, assigned_to), "registration")
        after = review(before, verdict, context.now)  # errors of state precede those of fields
        parsed.require_valid(rules)
        return record_registrations(referral, (after,), context, verdict.reason)

    step = await request.service.commits.step(deal, context, decide, known=request.known)
    if step is None:
        raise registration_not_found()
    return step


@operation(
    "POST", f"{ROUTE}/assign", body=AssignmentBody, returns=RegistrationView, errors=(409,), headers=IF_MATCH
)
async def assign_registration(request: Request) -> Response:
    """Assign a registration to a reviewer.

    The assignment is informative: any reviewer may still review the registration (G5).
    """
    seen = await _reviewable(request)
    parsed = read(AssignmentBody, request.body)
    email, email_faults = await _reviewer(request, parsed.body.email)
    faults = (*parsed.faults, *email_faults)
    for _ in range(ATTEMPTS):
        before = await _index_entry(request, seen)
        if faults or before.assigned_to != email:  # a repeated request finds it assigned already
            refuse_stale_version(request, registration_etag(seen, before.assigned_to))
        require_assignable(seen)
        if faults:
            raise Invalid(faults)
        try:
            await request.service.registrations.assign(seen, email, before)
        except StoreConflict:
            seen = await load_registration(request, stored_with(seen), seen.id)
        else:
            return await _response(seen, request)
    raise Contended("The registration kept changing; repeat the request in a second.")


async def _index_entry(request: Request, registration: Registration) -> IndexEntry:
    entry = await request.service.registrations.index_entry(registration.id)
    if entry is None:
        raise registration_not_found()
    return entry


async def _visible(request: Request) -> Registration:
    """The registration of the route. Raises `NotFound`, also if the caller may not see it (V5).

    The index says where it is stored. Reports are not indexed: they are stored with their partner (G8).
    """
    registration_id = route_registration_id(request)
    entry = await request.service.registrations.index_entry(registration_id)
    key = entry.place if entry else without_deal(request.caller.organization.id)
    found = await load_registration(request, key, registration_id)
    if not await _may_see(request, found):
        raise registration_not_found()
    return found


async def _may_see(request: Request, registration: Registration) -> bool:
    if not request.is_retained(registration):
        return False
    if may_review(request.caller):
        return registration.kind == "IpCoSell" and registration.status != "Draft"
    if registration.organization_id != request.caller.organization.id:
        return False
    if registration.referral is None:
        return may_report_deals(request.caller)
    deal = await request.service.referrals.get(registration.referral)
    return deal is not None and request.sees(deal.value)


async def _reviewable(request: Request) -> Registration:
    """The registration of the route. Raises `Forbidden` if the caller may only see it."""
    found = await _visible(request)
    if not may_review(request.caller):
        raise Forbidden("Only Microsoft's deal reviewers can review registrations.")
    return found


async def _reviewer(request: Request, email: str | None) -> tuple[str | None, tuple[Fault, ...]]:
    """The reviewer's address as the directory has it, or its fault."""
    if email is None:
        return None, ()
    people = await request.service.directory.people(OrganizationId(MICROSOFT))
    reviewers = {p.email.casefold(): p.email for p in people if "DealReviewer" in p.roles}
    if found := reviewers.get(email.casefold()):
        return found, ()
    return None, (Fault("notInCatalogue", "/email", "Name a deal reviewer of Microsoft's directory."),)


async def _response(registration: Registration, request: Request) -> Response:
    entry = await request.service.registrations.index_entry(registration.id)
    view = registration_view(
        registration,
        await request.service.registrations.rounds(registration),
        request.caller,
        assigned_to=entry.assigned_to if entry else None,
    )
    return Response(body=view, headers={"ETag": view.e_tag})
