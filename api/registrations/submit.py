"""Registering a won deal: drafts, submission and correction (rules G2 to G4, G6, V6)."""

from dataclasses import dataclass, replace

from api.common.access import unknown_referral, visible_referral
from api.common.eligibility import eligibility_of
from api.common.steps import follow_up, if_visible
from api.http.body import Reading, read, unless_below
from api.http.etags import etag_of, require_version
from api.http.fields import currency_decimals
from api.http.idempotency import idempotent
from api.http.operation import CHANGING, CREATING, SEEING, operation
from api.http.problems import Forbidden, NotFound
from api.http.request import Request
from api.http.response import Response
from api.registrations.eligibility import ONE, customer_of, require_partner
from api.registrations.mapping import records, registration_view
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
from shared.domain.ids import RegistrationId, is_uuid
from shared.domain.permissions import may_write_registrations
from shared.domain.referral import Referral
from shared.domain.refusals import Fault, Invalid
from shared.domain.registration import Registration, RegistrationForm, is_unchanged, save, submit
from shared.domain.registration_rules import errors_of, faults_of_form
from shared.storage.idempotency import IdempotencyRecord, RequestKey

MOST_RECORDS = 2
"""Of one registration: ISV Connect's and IP co-sell's."""


@operation("GET", f"{ONE}/registrations", returns=RegistrationsView, errors=SEEING)
async def list_deal_registrations(request: Request) -> Response:
    """The registrations of a deal, oldest first."""
    deal = await visible_referral(request)
    require_partner(request)
    return records(await request.service.registrations.list_for_deal(deal.key))


@operation(
    "POST",
    f"{ONE}/registrations",
    body=RegistrationBody,
    returns={201: RegistrationsView},
    errors=CREATING,
    headers=("Idempotency-Key", "client-request-id"),
)
async def register_deal(request: Request) -> Response:
    """Register a solution of a won deal, or keep a draft of it. 201 with one record or two."""
    deal = await visible_referral(request)
    require_writer(request)
    ids = sorted(
        RegistrationId(request.new_id()) for _ in range(MOST_RECORDS)
    )  # in the order of their showing
    register = _RegisterRequest(request, read(RegistrationBody, request.body), tuple(ids))

    async def make(key: RequestKey | None) -> Response:
        change = await request.service.commits.step(
            deal.key, request.context(f"{deal.id}/register"), if_visible(request, register.decide), key
        )
        if change is None:
            raise unknown_referral()
        await follow_up(request, change, "changed")
        return records(change.registrations, status=201)

    async def replay(first: IdempotencyRecord) -> Response:
        found = await request.service.registrations.list_for_deal(deal.key)
        return records([each for each in found if each.id in first.created], status=201)

    return await idempotent(request, f"{deal.id}/register", make, replay)


@operation(
    "PUT",
    f"{ONE}/registrations/{{rid}}",
    body=RegistrationBody,
    returns=RegistrationView,
    errors=(*CHANGING, 428),
    headers=("If-Match",),
)
async def put_registration(request: Request) -> Response:
    """Save or submit a draft, or correct what the reviewers sent back; `If-Match` is mandatory.

    The body is the whole form: what is left out of it is empty afterwards, but for the customer's fields.
    """
    reading = read(RegistrationBody, request.body)
    deal = await visible_referral(request)
    present = await _present(request, deal)
    require_writer(request)
    require_version(request, etag_of(present.version), "registration")

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        before = await _present(request, referral)
        require_version(request, etag_of(before.version), "registration")
        form = replace(reading.body.form(before.form.customer), solution_id=before.solution_id)
        after = _submitted_or_saved(before, reading, form, context)
        return None if is_unchanged(before, after) else record_registrations(referral, (after,), context)

    change = await request.service.commits.step(
        deal.key, request.context(f"{deal.id}/{present.id}"), if_visible(request, decide)
    )
    if change:
        await follow_up(request, change, "changed")
    after = change.registrations[0] if change else await _present(request, deal)
    rounds = await request.service.registrations.rounds(after)
    view = registration_view(after, rounds, to_microsoft=False)
    return Response(body=view, headers={"ETag": view.e_tag})


@dataclass(frozen=True, slots=True)
class _RegisterRequest:
    """A request to register, with ids drawn once, so that every attempt makes the same records."""

    request: Request
    reading: Reading[RegistrationBody]
    ids: tuple[RegistrationId, ...]

    async def decide(self, deal: Referral, context: CommandContext) -> Change:
        """The step that registers. Raises as the rules refuse."""
        found = await eligibility_of(self.request, deal)
        body = self.reading.body
        require_registrable(deal, found, body.solution_id)
        form = body.form(customer_of(deal))
        solution = select_solution(deal, body.solution_id)
        if solution is None:
            raise Invalid(self._faults(solution_fault(deal, body.solution_id), form))
        begun = create_drafts(deal, solution, form, self.ids, context)
        after = tuple(_submitted_or_saved(each, self.reading, each.form, context) for each in begun)
        return record_registrations(deal, after, context)

    def _faults(self, unknown: Fault, form: RegistrationForm) -> tuple[Fault, ...]:
        """That of the solution, without which there is not even a draft, and those that keep from submitting."""
        of_solution = unless_below((unknown,), self.reading.faults)
        draft = self.reading.body.submit is False
        return (*of_solution, *(self.reading.faults if draft else faults_of(self.reading.faults, form)))


def require_writer(request: Request) -> None:
    """Refuse those who may only read registrations (V6)."""
    if not may_write_registrations(request.caller):
        raise Forbidden("Partner admins and referrals admins register deals.")


def faults_of(of_reading: tuple[Fault, ...], form: RegistrationForm) -> tuple[Fault, ...]:
    """Every fault of a form: of what was sent, and of the rules about what could be read."""
    return (*of_reading, *unless_below(faults_of_form(form, currency_decimals()), of_reading))


def _submitted_or_saved(
    before: Registration, reading: Reading[RegistrationBody], form: RegistrationForm, context: CommandContext
) -> Registration:
    """A record submitted, or with `submit` false saved with its faults. Raises `Invalid`."""
    faults = faults_of(reading.faults, form)
    other = _other_solution(before, reading)
    if reading.body.submit is False:
        after = save(before, form, errors_of(faults), context.now)  # state comes before fields
        faults = () if before.status == "Draft" else reading.faults  # a correction has no errors of its own
    else:
        after = submit(before, form, context.now)
    if faults or other:
        raise Invalid((*unless_below(other, faults), *faults))
    return after


def _other_solution(before: Registration, reading: Reading[RegistrationBody]) -> tuple[Fault, ...]:
    if reading.body.solution_id in {None, before.solution_id}:
        return ()
    message = f"This registration is {before.solution_id}'s: register the other solution by itself."
    return (Fault("notEditable", "/solutionId", message),)


async def _present(request: Request, deal: Referral) -> Registration:
    identifier = request.in_route("rid").lower()
    found = None
    if is_uuid(identifier):
        found = await request.service.registrations.get(deal.key, RegistrationId(identifier))
    if found is None:
        raise NotFound("There is no such registration.")
    return found
