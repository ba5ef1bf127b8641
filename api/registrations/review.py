"""One registration by its own id: reading it, its assignment and the reviewers' decision (rules G5, V6)."""

import azure.durable_functions as df
import azure.functions as func

from api.common.access import is_repetition
from api.directory.organizations import refuse_other_tag, require_tag
from api.http.body import Reading, read, unless_below
from api.http.etags import matches
from api.http.problems import Forbidden, Modified, NotFound
from api.http.request import Answer, Exchange, respond
from api.registrations.mapping import registration_tag, registration_view
from api.registrations.schemas import AssignmentBody, ReviewBody
from shared.domain.change import Act, Change
from shared.domain.ids import OrganizationId, RegistrationId, is_uuid
from shared.domain.permissions import may_report_deals, may_review
from shared.domain.referral import Party, Referral
from shared.domain.refusals import Fault, Invalid, Refusal
from shared.domain.registering import registered
from shared.domain.registration import Registration, closed_for_good, reviewed
from shared.domain.registration_rules import faults_of_verdict
from shared.domain.vocabulary import MICROSOFT
from shared.errors import Contended, StoreConflict
from shared.storage.keys import ALONE
from shared.storage.registrations import Filed, lies_with
from shared.workflow.commit import ATTEMPTS, Who
from shared.workflow.durable import DurableEngine
from shared.workflow.wake import wake_or_leave_to_sweep

blueprint = df.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS
ONE = "v1.0/registrations/{rid}"
_UNKNOWN = "There is no such registration."


@blueprint.route(ONE, methods=["GET"], auth_level=ANONYMOUS)
async def get_registration(req: func.HttpRequest) -> func.HttpResponse:
    """One registration with its rounds, for its partner and for reviewers; with its ETag."""
    return await respond(req, got)


@blueprint.route(f"{ONE}/review", methods=["POST"], auth_level=ANONYMOUS)
@blueprint.durable_client_input(client_name="client")
async def review_registration(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Approve, reject, or ask for action; `If-Match` is mandatory. 200 with the record."""

    async def handle(exchange: Exchange) -> Answer:
        return await reviewing(exchange, DurableEngine(client))

    return await respond(req, handle)


@blueprint.route(f"{ONE}/assign", methods=["POST"], auth_level=ANONYMOUS)
async def assign_registration(req: func.HttpRequest) -> func.HttpResponse:
    """Give a registration to a reviewer; any reviewer may decide it all the same. 200 with the record."""
    return await respond(req, assigning)


async def got(exchange: Exchange) -> Answer:
    """One record."""
    answer = await _answer(await _visible(exchange), exchange)
    known = exchange.header("If-None-Match")
    if known and matches(known, answer.headers["ETag"]):
        return Answer(status=304, headers=answer.headers)
    return answer


async def reviewing(exchange: Exchange, engine: DurableEngine) -> Answer:
    """A decision taken; of two at the same moment one finds the record changed (G5).

    A decision that is repeated with the same Idempotency-Key is answered with the record.
    """
    reading = read(ReviewBody, exchange.json())
    seen = await _reviewed_by(exchange)
    deal, who = lies_with(seen), exchange.who_repeats(f"{seen.id}/review")
    try:
        change = await _decided(exchange, seen, reading, who)
    except (Refusal, Modified):
        if await is_repetition(exchange, deal, who):
            return await _answer(await _present(exchange, deal, seen.id), exchange)
        raise
    (after,) = change.registrations
    await exchange.service.registrations.file_or_leave_to_work(after)
    if change.work:
        await exchange.service.performer.after_commit(engine, deal, change.work.label, exchange.now)
    await wake_or_leave_to_sweep(engine, deal, "changed")
    return await _answer(after, exchange)


async def _decided(exchange: Exchange, seen: Registration, reading: Reading[ReviewBody], who: Who) -> Change:
    deal = lies_with(seen)
    given_to = (await _filed(exchange, seen)).assigned_to
    verdict = reading.body.verdict(exchange.caller.person.name)
    rules = faults_of_verdict(verdict) if reading.body.decision else ()
    faults = (*reading.faults, *unless_below(rules, reading.faults))

    async def decide(referral: Referral, act: Act) -> Change:
        before = await _present(exchange, deal, seen.id)
        require_tag(exchange, registration_tag(before, given_to), "registration")
        after = reviewed(before, verdict, act.now)  # state comes before fields
        if faults:
            raise Invalid(faults)
        return registered(referral, (after,), act, verdict.reason)

    change = await exchange.service.commits.step(deal, who, decide)
    if change is None:
        raise NotFound(_UNKNOWN)
    return change


async def assigning(exchange: Exchange) -> Answer:
    """A registration given to a reviewer, which is Microsoft's own to know: nothing changes for the partner.

    `If-Match` counts when it is sent.
    """
    reading = read(AssignmentBody, exchange.json())
    seen = await _reviewed_by(exchange)
    email, unknown = await _reviewer(exchange, reading.body.email)
    faults = (*reading.faults, *unknown)
    for _ in range(ATTEMPTS):
        before = await _filed(exchange, seen)
        if faults or before.assigned_to != email:  # a repetition finds it done
            refuse_other_tag(exchange, registration_tag(seen, before.assigned_to))
        if seen.closed:
            raise closed_for_good(seen)
        if faults:
            raise Invalid(faults)
        try:
            await exchange.service.registrations.assign(seen, email, before)
        except StoreConflict:
            seen = await _present(exchange, lies_with(seen), seen.id)
        else:
            return await _answer(seen, exchange)
    raise Contended("The registration kept changing; repeat the request in a second.")


async def _filed(exchange: Exchange, registration: Registration) -> Filed:
    filed = await exchange.service.registrations.filed(registration.id)
    if filed is None:
        raise NotFound(_UNKNOWN)
    return filed


async def _present(exchange: Exchange, deal: Party, registration_id: RegistrationId) -> Registration:
    found = await exchange.service.registrations.get(deal, registration_id)
    if found is None:
        raise NotFound(_UNKNOWN)
    return found


async def _visible(exchange: Exchange) -> Registration:
    """The record that the route names, if the caller may see it; else it reads like an unknown id (V5)."""
    identifier = exchange.request.route_params.get("rid", "").lower()
    found = await _found(exchange, RegistrationId(identifier)) if is_uuid(identifier) else None
    if found is None or not await _may_see(exchange, found):
        raise NotFound(_UNKNOWN)
    return found


async def _found(exchange: Exchange, registration_id: RegistrationId) -> Registration | None:
    """The record where it was filed; a report, of which nothing is reviewed, lies with its partner (G8)."""
    registrations = exchange.service.registrations
    filed = await registrations.filed(registration_id)
    place = (
        Party(organization_id=filed.organization_id, referral_id=filed.referral_id)
        if filed
        else Party(organization_id=exchange.caller.organization.id, referral_id=ALONE)
    )
    return await registrations.get(place, registration_id)


async def _may_see(exchange: Exchange, registration: Registration) -> bool:
    if not exchange.keeps(registration):
        return False
    if may_review(exchange.caller):
        return registration.kind == "IpCoSell" and registration.latest is not None
    if registration.organization_id != exchange.caller.organization.id:
        return False
    if registration.referral is None:
        return may_report_deals(exchange.caller)
    deal = await exchange.service.referrals.get(registration.referral)
    return deal is not None and exchange.sees(deal.value)


async def _reviewed_by(exchange: Exchange) -> Registration:
    """The record, for whoever may decide about it; 403 for whoever may only see it."""
    found = await _visible(exchange)
    if not may_review(exchange.caller):
        raise Forbidden("Only Microsoft's deal reviewers decide about registrations.")
    return found


async def _reviewer(exchange: Exchange, email: str | None) -> tuple[str | None, tuple[Fault, ...]]:
    """A reviewer's address as the directory spells it, or why there is none."""
    if email is None:
        return None, ()
    people = await exchange.service.directory.people(OrganizationId(MICROSOFT))
    reviewers = {p.email.casefold(): p.email for p in people if "DealReviewer" in p.roles}
    if found := reviewers.get(email.casefold()):
        return found, ()
    return None, (Fault("notInCatalogue", "/email", "Name a deal reviewer of Microsoft's directory."),)


async def _answer(registration: Registration, exchange: Exchange) -> Answer:
    filed = await exchange.service.registrations.filed(registration.id)
    view = registration_view(
        registration,
        await exchange.service.registrations.rounds(registration),
        to_microsoft=may_review(exchange.caller),
        assigned_to=filed.assigned_to if filed else None,
    )
    return Answer(body=view, headers={"ETag": view.e_tag})
