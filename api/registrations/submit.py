"""Register a won deal: list, create, save, submit and correct registrations (rules G2 to G4, G6, V6)."""

from dataclasses import dataclass, replace

from api.common.access import REFERRAL_ROUTE, referral_not_found, visible_referral
from api.common.eligibility import load_eligibility
from api.common.steps import follow_up, if_visible
from api.http.body import ParsedBody, combine_faults, independent_faults, read
from api.http.etags import etag_of, require_version
from api.http.fields import currency_decimals
from api.http.idempotency import idempotent
from api.http.operation import IF_MATCH, KEYED, operation
from api.http.request import Request
from api.http.response import Response
from api.registrations.access import (
    load_registration,
    registration_not_found,
    require_partner,
    require_writer,
    route_registration_id,
)
from api.registrations.eligibility import prefilled_customer
from api.registrations.mapping import registration_view, registrations_response
from api.registrations.request_schemas import RegistrationBody
from api.registrations.schemas import RegistrationsView, RegistrationView
from shared.domain.change import Change, CommandContext
from shared.domain.deal_registration import (
    create_drafts,
    record_registrations,
    require_registrable,
    select_solution,
    solution_fault,
)
from shared.domain.ids import RegistrationId
from shared.domain.referral import Referral
from shared.domain.refusals import Fault, Invalid
from shared.domain.registration import Registration, RegistrationForm, is_unchanged, save, submit
from shared.domain.registration_rules import errors_of, faults_of_form
from shared.storage.idempotency import IdempotencyRecord, RequestKey

MAX_RECORDS = 2
"""A solution is registered for at most two kinds of incentive: ISV Connect and IP co-sell."""
ROUTE = f"{REFERRAL_ROUTE}/registrations"


@operation("GET", ROUTE, returns=RegistrationsView)
async def list_deal_registrations(request: Request) -> Response:
    """List the registrations of a deal, oldest first."""
    deal = await visible_referral(request)
    require_partner(request)
    return registrations_response(await request.service.registrations.list_for_deal(deal.key), request.caller)


@operation("POST", ROUTE, body=RegistrationBody, returns={201: RegistrationsView}, headers=KEYED)
async def register_deal(request: Request) -> Response:
    """Register a solution of a won deal, or store a draft with `submit` false.

    Creates one registration for each kind of incentive that the solution has: one or two (G2 to G4).
    """
    deal = await visible_referral(request)
    require_writer(request)
    ids = sorted(RegistrationId(request.new_id()) for _ in range(MAX_RECORDS))  # lists are sorted by id
    register = _RegisterRequest(request, read(RegistrationBody, request.body), tuple(ids))

    async def create(key: RequestKey | None) -> Response:
        step = await request.service.commits.step(
            deal.key,
            request.context(f"{deal.id}/register"),
            if_visible(request, register.decide, check_version=False),
            key,
            known=request.known,
        )
        if step is None:
            raise referral_not_found()
        await follow_up(request, step)
        return registrations_response(step.change.registrations, request.caller, status=201)

    async def replay(original: IdempotencyRecord) -> Response:
        found = await request.service.registrations.list_for_deal(deal.key)
        created = [each for each in found if each.id in original.created]
        if not created:  # deleted since
            raise registration_not_found()
        return registrations_response(created, request.caller, status=201)

    return await idempotent(request, f"{deal.id}/register", create, replay)


@operation(
    "PUT",
    f"{ROUTE}/{{rid}}",
    body=RegistrationBody,
    returns=RegistrationView,
    errors=(409, 428),
    headers=IF_MATCH,
)
async def put_registration(request: Request) -> Response:
    """Save or submit a draft, or correct what the reviewers sent back.

    `If-Match` is mandatory. The body is the whole form: fields that are left out are cleared, except those of the
    customer.
    """
    deal = await visible_referral(request)
    registration_id = route_registration_id(request)
    current = await load_registration(request, deal.key, registration_id)
    require_writer(request)
    parsed = read(RegistrationBody, request.body)
    require_version(request, etag_of(current.version), "registration")

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        before = await load_registration(request, deal.key, registration_id)
        require_version(request, etag_of(before.version), "registration")
        form = replace(parsed.body.form(before.form.customer), solution_id=before.solution_id)
        after = _submit_or_save(before, parsed, form, context)
        return None if is_unchanged(before, after) else record_registrations(referral, (after,), context)

    step = await request.service.commits.step(
        deal.key,
        request.context(f"{deal.id}/{registration_id}"),
        if_visible(request, decide, check_version=False),
        known=request.known,
    )
    if step:
        await follow_up(request, step)
        (after,) = step.change.registrations
    else:
        after = await load_registration(request, deal.key, registration_id)
    return await partners_response(request, after)


async def partners_response(request: Request, registration: Registration) -> Response:
    """The response with a registration of a deal, all its rounds and its ETag, for its partner."""
    rounds = await request.service.registrations.rounds(registration)
    view = registration_view(registration, rounds, request.caller)
    return Response(body=view, headers={"ETag": view.e_tag})


@dataclass(frozen=True, slots=True)
class _RegisterRequest:
    """A request to register; its ids are drawn once, so that every attempt stores the same records."""

    request: Request
    parsed: ParsedBody[RegistrationBody]
    ids: tuple[RegistrationId, ...]

    async def decide(self, deal: Referral, context: CommandContext) -> Change:
        """The step that registers. Raises the rules' `Refusal`."""
        found = await load_eligibility(self.request, deal)
        body = self.parsed.body
        require_registrable(deal, found, body.solution_id)
        form = body.form(prefilled_customer(deal))
        solution = select_solution(deal, body.solution_id)
        if solution is None:
            raise Invalid(self._faults(solution_fault(deal, body.solution_id), form))
        before = create_drafts(deal, solution, form, self.ids, context)
        after = tuple(_submit_or_save(each, self.parsed, each.form, context) for each in before)
        return record_registrations(deal, after, context)

    def _faults(self, solution_fault: Fault, form: RegistrationForm) -> tuple[Fault, ...]:
        """The fault of the solution, without which not even a draft is stored; those of the form if submitted."""
        first = independent_faults((solution_fault,), self.parsed.faults)
        draft = self.parsed.body.submit is False
        return (*first, *(self.parsed.faults if draft else form_faults(self.parsed.faults, form)))


def form_faults(parse_faults: tuple[Fault, ...], form: RegistrationForm) -> tuple[Fault, ...]:
    """Every fault of a form: those of parsing, and those that the rules find in the valid part."""
    return combine_faults(parse_faults, faults_of_form(form, currency_decimals()))


def _submit_or_save(
    before: Registration,
    parsed: ParsedBody[RegistrationBody],
    form: RegistrationForm,
    context: CommandContext,
) -> Registration:
    """The registration submitted, or with `submit` false saved with its faults. Raises `Invalid`."""
    faults = form_faults(parsed.faults, form)
    solution_faults = _solution_faults(before, parsed)
    if parsed.body.submit is False:
        after = save(before, form, errors_of(faults), context.now)  # errors of state precede those of fields
        faults = () if before.status == "Draft" else parsed.faults  # a correction stores no faults of its own
    else:
        after = submit(before, form, context.now)
    if faults or solution_faults:
        raise Invalid((*independent_faults(solution_faults, faults), *faults))
    return after


def _solution_faults(before: Registration, parsed: ParsedBody[RegistrationBody]) -> tuple[Fault, ...]:
    if parsed.body.solution_id in {None, before.solution_id}:
        return ()
    message = f"This registration is of {before.solution_id}: register another solution separately."
    return (Fault("notEditable", "/solutionId", message),)
