"""Registering a won deal: eligibility, drafts, submission and correction (rules G1 to G4, V6)."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import azure.durable_functions as df
import azure.functions as func

from api.common.access import Decision, eligibility_of, settle, visible
from api.directory.organizations import require_version
from api.http.body import Reading, read, unless_below
from api.http.fields import currency_decimals
from api.http.idempotency import carried_out, record_of, stored_under
from api.http.problems import Forbidden, NotFound
from api.http.operation import CHANGING, CREATING, SEEING, Option, operation
from api.http.request import Request
from api.http.response import Response
from api.registrations.mapping import (
    EligibilityView,
    RegisteredCustomerView,
    RegistrableView,
    RegistrationsView,
    latest_of,
    registration_view,
    rules_of,
)
from api.registrations.schemas import RegistrationBody
from shared.domain.change import Change, CommandContext
from shared.domain.eligibility import unregistered, warnings
from shared.domain.ids import ReferralId, RegistrationId, is_uuid, uuid7
from shared.domain.permissions import may_write_registrations
from shared.domain.referral import Referral, Solution
from shared.domain.refusals import Fault, Invalid, Refusal
from shared.domain.registering import (
    drafts,
    kinds_of,
    no_solution,
    registered,
    require_registrable,
    solution_named,
)
from shared.domain.registration import (
    RegisteredCustomer,
    Registration,
    RegistrationForm,
    is_unchanged,
    saved,
    submitted,
)
from shared.domain.registration_rules import errors_of, faults_of_form
from shared.storage.referrals import IdempotencyRecord, Stored
from shared.workflow.durable import DurableEngine

ONE = "v1.0/engagements/referrals/{id}"
MOST_RECORDS = 2
"""Of one registration: ISV Connect's and IP co-sell's."""










@operation("GET", f"{ONE}/registration-eligibility", returns=EligibilityView, errors=SEEING)
async def get_eligibility(request: Request) -> Response:
    """Whether a deal can be registered, rule by rule; at any time in its life."""
    deal = await visible(request)
    require_partner(request)
    found = await eligibility_of(request, deal)
    return Response(
        body=EligibilityView(
            eligible=found.eligible,
            rules=rules_of(found),
            warnings=list(warnings(deal)),
            registrable=[_registrable(solution, deal) for solution in unregistered(deal)],
        )
    )


@operation("GET", f"{ONE}/registrations", returns=RegistrationsView, errors=SEEING)
async def list_deal_registrations(request: Request) -> Response:
    """The registrations of a deal, oldest first."""
    deal = await visible(request)
    require_partner(request)
    return records(await request.service.registrations.of_deal(deal.party))


@operation("POST", f"{ONE}/registrations", body=RegistrationBody, returns={201: RegistrationsView}, errors=CREATING, headers=("Idempotency-Key", "client-request-id"))
async def register_deal(request: Request) -> Response:
    """Register a solution of a won deal, or keep a draft of it. 201 with one record or two."""
    document = request.body
    deal = await visible(request)
    require_writer(request)
    request = _Registering(request, read(RegistrationBody, document), _draw(request))
    wanted = record_of(request, document, f"{deal.id}/register")
    stored = await stored_under(request, wanted)
    if first := carried_out(request, wanted, stored):
        return await _made_by(request, deal, first)
    try:
        change = await request.commit(deal, wanted, stored)
    except Refusal:  # what refuses us may be the same request, carried out a moment ago
        stored = await stored_under(request, wanted)
        if first := carried_out(request, wanted, stored):
            return await _made_by(request, deal, first)
        raise
    await settle(request, change, "changed", engine)
    return records(change.registrations, status=201)


@operation("PUT", f"{ONE}/registrations/{{rid}}", body=RegistrationBody, returns=RegistrationView, errors=(*CHANGING, 428), headers=("If-Match",))
async def put_registration(request: Request) -> Response:
    """Save or submit a draft, or correct what the reviewers sent back; `If-Match` is mandatory.

    The body is the whole form: what is left out of it is empty afterwards, but for the customer's fields.
    """
    reading = read(RegistrationBody, request.body)
    deal = await visible(request)
    present = await _present(request, deal)
    require_writer(request)
    require_version(request, present.version, "registration")

    async def decide(referral: Referral, context: CommandContext) -> Change | None:
        before = await _present(request, referral)
        require_version(request, before.version, "registration")
        form = replace(reading.body.form(before.form.customer), solution_id=before.solution_id)
        after = _handed_in(before, reading, form, context)
        return None if is_unchanged(before, after) else registered(referral, (after,), context)

    change = await _step(request, deal, decide, f"{deal.id}/{present.id}")
    if change:
        await settle(request, change, "changed", engine)
    after = change.registrations[0] if change else await _present(request, deal)
    rounds = await request.service.registrations.rounds(after)
    view = registration_view(after, rounds, to_microsoft=False)
    return Response(body=view, headers={"ETag": view.e_tag})


@dataclass(frozen=True, slots=True)
class _Registering:
    """A request to register, with ids drawn once, so that every attempt makes the same records."""

    request: Request
    reading: Reading[RegistrationBody]
    ids: tuple[RegistrationId, ...]

    async def commit(
        self, deal: Referral, wanted: IdempotencyRecord | None, stored: Stored[IdempotencyRecord] | None
    ) -> Change:
        def record(change: Change) -> IdempotencyRecord:
            made = tuple(ReferralId(each.id) for each in change.registrations)
            return replace(wanted or _no_record(), referral_id=change.after.id, made=made)

        change = await _step(
            self.request,
            deal,
            self._decide,
            f"{deal.id}/register",
            idempotency=record if wanted else None,
            replaced=stored,
        )
        if change is None:
            raise NotFound("There is no such referral.")
        return change

    async def _decide(self, deal: Referral, context: CommandContext) -> Change:
        found = await eligibility_of(self.request, deal)
        body = self.reading.body
        require_registrable(deal, found, body.solution_id)
        form = body.form(customer_of(deal))
        solution = solution_named(deal, body.solution_id)
        if solution is None:
            raise Invalid(self._faults(no_solution(deal, body.solution_id), form))
        begun = drafts(deal, solution, form, self.ids, context)
        return registered(deal, tuple(_handed_in(each, self.reading, each.form, context) for each in begun), context)

    def _faults(self, unknown: Fault, form: RegistrationForm) -> tuple[Fault, ...]:
        """That of the solution, without which there is not even a draft, and those that keep from submitting."""
        of_solution = unless_below((unknown,), self.reading.faults)
        draft = self.reading.body.submit is False
        return (*of_solution, *(self.reading.faults if draft else faults_of(self.reading.faults, form)))


def require_partner(request: Request) -> None:
    """Refuse Microsoft's sellers: registrations are their partners' and the reviewers' (V6)."""
    if request.caller.organization.kind != "partner":
        raise Forbidden("Only partners register deals; Microsoft's reviewers find them in the queue.")


def require_writer(request: Request) -> None:
    """Refuse those who may only read registrations (V6)."""
    if not may_write_registrations(request.caller):
        raise Forbidden("Partner admins and referrals admins register deals.")


def faults_of(of_reading: tuple[Fault, ...], form: RegistrationForm) -> tuple[Fault, ...]:
    """Every fault of a form: of what was sent, and of the rules about what could be read."""
    return (*of_reading, *unless_below(faults_of_form(form, currency_decimals()), of_reading))


def customer_of(deal: Referral) -> RegisteredCustomer:
    """What a form begins with: the deal's customer (G3)."""
    place = deal.customer.address
    return RegisteredCustomer(
        name=deal.customer.name, country=place.country, city=place.city, state=place.state
    )


def records(found: Iterable[Registration], status: int = 200) -> Response:
    """Records as a partner sees them."""
    views = [registration_view(each, latest_of(each), to_microsoft=False) for each in found]
    return Response(status=status, body=RegistrationsView(value=views))


def _handed_in(
    before: Registration, reading: Reading[RegistrationBody], form: RegistrationForm, context: CommandContext
) -> Registration:
    """A record submitted, or with `submit` false saved with its faults. Raises `Invalid`."""
    faults = faults_of(reading.faults, form)
    other = _other_solution(before, reading)
    if reading.body.submit is False:
        after = saved(before, form, errors_of(faults), context.now)  # state comes before fields
        faults = () if before.status == "Draft" else reading.faults  # a correction has no errors of its own
    else:
        after = submitted(before, form, context.now)
    if faults or other:
        raise Invalid((*unless_below(other, faults), *faults))
    return after


def _other_solution(before: Registration, reading: Reading[RegistrationBody]) -> tuple[Fault, ...]:
    if reading.body.solution_id in {None, before.solution_id}:
        return ()
    message = f"This registration is {before.solution_id}'s: register the other solution by itself."
    return (Fault("notEditable", "/solutionId", message),)


async def _step(
    request: Request,
    deal: Referral,
    decide: Decision,
    operation: str,
    *,
    idempotency: Callable[[Change], IdempotencyRecord] | None = None,
    replaced: Stored[IdempotencyRecord] | None = None,
) -> Change | None:
    """Commit a step of a deal that the caller still sees; If-Match, if any, is that of the registration."""

    async def check(referral: Referral, context: CommandContext) -> Change | None:
        if not request.sees(referral):
            raise NotFound("There is no such referral.")
        return await decide(referral, context)

    return await request.service.commits.step(
        deal.party,
        request.context(operation),
        check,
        idempotency=idempotency,
        replaced=replaced,
    )


async def _present(request: Request, deal: Referral) -> Registration:
    identifier = request.in_route("rid").lower()
    found = None
    if is_uuid(identifier):
        found = await request.service.registrations.get(deal.party, RegistrationId(identifier))
    if found is None:
        raise NotFound("There is no such registration.")
    return found


async def _made_by(request: Request, deal: Referral, first: IdempotencyRecord) -> Response:
    made = set(first.made)
    found = await request.service.registrations.of_deal(deal.party)
    return records([each for each in found if ReferralId(each.id) in made], status=201)


def _registrable(solution: Solution, deal: Referral) -> RegistrableView:
    customer = customer_of(deal)
    return RegistrableView(
        solution_id=solution.id,
        solution_name=solution.name,
        kinds=list(kinds_of(solution)),
        customer=RegisteredCustomerView(
            name=customer.name, country=customer.country, city=customer.city, state=customer.state
        ),
    )


def _draw(request: Request) -> tuple[RegistrationId, ...]:
    """Ids in the order in which the records are shown."""
    drawn = (RegistrationId(uuid7(request.now, secrets.token_bytes(16))) for _ in range(MOST_RECORDS))
    return tuple(sorted(drawn))


def _no_record() -> IdempotencyRecord:
    message = "only a request with a key keeps a record of it"
    raise ValueError(message)
