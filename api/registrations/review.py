"""One registration by its own id: reading it, its assignment and the reviewers' decision (rules G5, V6)."""

from api.common.steps import do_work, is_repetition
from api.http.body import Reading, read, unless_below
from api.http.etags import is_known, refuse_other_version, require_version
from api.http.operation import CHANGING, SEEING, operation
from api.http.problems import Forbidden, NotFound, PreconditionFailed
from api.http.request import Request
from api.http.response import Response
from api.registrations.mapping import registration_etag, registration_view
from api.registrations.request_schemas import AssignmentBody, ReviewBody
from api.registrations.schemas import RegistrationView
from shared.domain.change import Change, CommandContext
from shared.domain.deal_registration import record_registrations
from shared.domain.ids import OrganizationId, RegistrationId, is_uuid
from shared.domain.permissions import may_report_deals, may_review
from shared.domain.referral import Referral, ReferralKey
from shared.domain.refusals import Fault, Invalid, Refusal
from shared.domain.registration import Registration, final_refusal, review
from shared.domain.registration_rules import faults_of_verdict
from shared.domain.vocabulary import MICROSOFT
from shared.errors import Contended, StoreConflict
from shared.storage.registrations import IndexEntry, stored_with, without_deal
from shared.workflow.commit import ATTEMPTS
from shared.workflow.wake import wake_or_leave_to_sweep

ONE = "v1.0/registrations/{rid}"
_UNKNOWN = "There is no such registration."


@operation("GET", ONE, returns={200: RegistrationView, 304: None}, errors=SEEING, headers=("If-None-Match",))
async def get_registration(request: Request) -> Response:
    """One registration with its rounds, for its partner and for reviewers; with its ETag."""
    response = await _response(await _visible(request), request)
    if is_known(request, response.headers["ETag"]):
        return Response(status=304, headers=response.headers)
    return response


@operation(
    "POST",
    f"{ONE}/review",
    body=ReviewBody,
    returns=RegistrationView,
    errors=(*CHANGING, 428),
    headers=("If-Match", "Idempotency-Key"),
)
async def review_registration(request: Request) -> Response:
    """Approve, reject, or ask for action; `If-Match` is mandatory. 200 with the record."""
    reading = read(ReviewBody, request.body)
    seen = await _reviewed_by(request)
    deal, context = stored_with(seen), request.repeatable_context(f"{seen.id}/review")
    try:
        change = await _decided(request, seen, reading, context)
    except (Refusal, PreconditionFailed):
        if await is_repetition(request, deal, context):
            return await _response(await _present(request, deal, seen.id), request)
        raise
    (after,) = change.registrations
    await request.service.registrations.index_or_defer(after)
    await do_work(request, change)
    await wake_or_leave_to_sweep(request.engine, deal, "changed")
    return await _response(after, request)


async def _decided(
    request: Request, seen: Registration, reading: Reading[ReviewBody], context: CommandContext
) -> Change:
    deal = stored_with(seen)
    given_to = (await _index_entry(request, seen)).assigned_to
    verdict = reading.body.verdict(request.caller.person.name)
    rules = faults_of_verdict(verdict) if reading.body.decision else ()
    faults = (*reading.faults, *unless_below(rules, reading.faults))

    async def decide(referral: Referral, context: CommandContext) -> Change:
        before = await _present(request, deal, seen.id)
        require_version(request, registration_etag(before, given_to), "registration")
        after = review(before, verdict, context.now)  # state comes before fields
        if faults:
            raise Invalid(faults)
        return record_registrations(referral, (after,), context, verdict.reason)

    change = await request.service.commits.step(deal, context, decide)
    if change is None:
        raise NotFound(_UNKNOWN)
    return change


@operation(
    "POST",
    f"{ONE}/assign",
    body=AssignmentBody,
    returns=RegistrationView,
    errors=CHANGING,
    headers=("If-Match",),
)
async def assign_registration(request: Request) -> Response:
    """Give a registration to a reviewer; any reviewer may decide it all the same. 200 with the record."""
    reading = read(AssignmentBody, request.body)
    seen = await _reviewed_by(request)
    email, unknown = await _reviewer(request, reading.body.email)
    faults = (*reading.faults, *unknown)
    for _ in range(ATTEMPTS):
        before = await _index_entry(request, seen)
        if faults or before.assigned_to != email:  # a repetition finds it done
            refuse_other_version(request, registration_etag(seen, before.assigned_to))
        if seen.closed:
            raise final_refusal(seen)
        if faults:
            raise Invalid(faults)
        try:
            await request.service.registrations.assign(seen, email, before)
        except StoreConflict:
            seen = await _present(request, stored_with(seen), seen.id)
        else:
            return await _response(seen, request)
    raise Contended("The registration kept changing; repeat the request in a second.")


async def _index_entry(request: Request, registration: Registration) -> IndexEntry:
    entry = await request.service.registrations.index_entry(registration.id)
    if entry is None:
        raise NotFound(_UNKNOWN)
    return entry


async def _present(request: Request, deal: ReferralKey, registration_id: RegistrationId) -> Registration:
    found = await request.service.registrations.get(deal, registration_id)
    if found is None:
        raise NotFound(_UNKNOWN)
    return found


async def _visible(request: Request) -> Registration:
    """The record that the route names, if the caller may see it; else it reads like an unknown id (V5)."""
    identifier = request.in_route("rid").lower()
    found = await _found(request, RegistrationId(identifier)) if is_uuid(identifier) else None
    if found is None or not await _may_see(request, found):
        raise NotFound(_UNKNOWN)
    return found


async def _found(request: Request, registration_id: RegistrationId) -> Registration | None:
    """The record where it was filed; a report, of which nothing is reviewed, lies with its partner (G8)."""
    registrations = request.service.registrations
    entry = await registrations.index_entry(registration_id)
    place = entry.place if entry else without_deal(request.caller.organization.id)
    return await registrations.get(place, registration_id)


async def _may_see(request: Request, registration: Registration) -> bool:
    if not request.keeps(registration):
        return False
    if may_review(request.caller):
        return registration.kind == "IpCoSell" and registration.latest is not None
    if registration.organization_id != request.caller.organization.id:
        return False
    if registration.referral is None:
        return may_report_deals(request.caller)
    deal = await request.service.referrals.get(registration.referral)
    return deal is not None and request.sees(deal.value)


async def _reviewed_by(request: Request) -> Registration:
    """The record, for whoever may decide about it; 403 for whoever may only see it."""
    found = await _visible(request)
    if not may_review(request.caller):
        raise Forbidden("Only Microsoft's deal reviewers decide about registrations.")
    return found


async def _reviewer(request: Request, email: str | None) -> tuple[str | None, tuple[Fault, ...]]:
    """A reviewer's address as the directory spells it, or why there is none."""
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
        to_microsoft=may_review(request.caller),
        assigned_to=entry.assigned_to if entry else None,
    )
    return Response(body=view, headers={"ETag": view.e_tag})
