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
from api.http.request import Answer, Exchange, respond
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
from shared.domain.change import Act, Change
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

blueprint = df.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS
ONE = "v1.0/engagements/referrals/{id}"
MOST_RECORDS = 2
"""Of one registration: ISV Connect's and IP co-sell's."""


@blueprint.route(f"{ONE}/registration-eligibility", methods=["GET"], auth_level=ANONYMOUS)
async def get_eligibility(req: func.HttpRequest) -> func.HttpResponse:
    """Whether a deal can be registered, rule by rule; at any time in its life."""
    return await respond(req, judged)


@blueprint.route(f"{ONE}/registrations", methods=["GET"], auth_level=ANONYMOUS)
async def list_deal_registrations(req: func.HttpRequest) -> func.HttpResponse:
    """The registrations of a deal, oldest first."""
    return await respond(req, listed)


@blueprint.route(f"{ONE}/registrations", methods=["POST"], auth_level=ANONYMOUS)
@blueprint.durable_client_input(client_name="client")
async def register(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Register a solution of a won deal, or keep a draft of it. 201 with one record or two."""

    async def handle(exchange: Exchange) -> Answer:
        return await registering(exchange, DurableEngine(client))

    return await respond(req, handle)


@blueprint.route(f"{ONE}/registrations/{{rid}}", methods=["PUT"], auth_level=ANONYMOUS)
@blueprint.durable_client_input(client_name="client")
async def put_registration(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Save or submit a draft, or correct what the reviewers sent back; `If-Match` is mandatory.

    The body is the whole form: what is left out of it is empty afterwards, but for the customer's fields.
    """

    async def handle(exchange: Exchange) -> Answer:
        return await correcting(exchange, DurableEngine(client))

    return await respond(req, handle)


async def judged(exchange: Exchange) -> Answer:
    """Every rule, and what can be registered with what its form begins with."""
    deal = await visible(exchange)
    require_partner(exchange)
    found = await eligibility_of(exchange, deal)
    return Answer(
        body=EligibilityView(
            eligible=found.eligible,
            rules=rules_of(found),
            warnings=list(warnings(deal)),
            registrable=[_registrable(solution, deal) for solution in unregistered(deal)],
        )
    )


async def listed(exchange: Exchange) -> Answer:
    """The records of a deal that the caller sees."""
    deal = await visible(exchange)
    require_partner(exchange)
    return records(await exchange.service.registrations.of_deal(deal.party))


async def registering(exchange: Exchange, engine: DurableEngine) -> Answer:
    """The records of a request; a repetition under the same key is answered with the same ones."""
    document = exchange.json()
    deal = await visible(exchange)
    require_writer(exchange)
    request = _Registering(exchange, read(RegistrationBody, document), _draw(exchange))
    wanted = record_of(exchange, document, f"{deal.id}/register")
    stored = await stored_under(exchange, wanted)
    if first := carried_out(exchange, wanted, stored):
        return await _made_by(exchange, deal, first)
    try:
        change = await request.commit(deal, wanted, stored)
    except Refusal:  # what refuses us may be the same request, carried out a moment ago
        stored = await stored_under(exchange, wanted)
        if first := carried_out(exchange, wanted, stored):
            return await _made_by(exchange, deal, first)
        raise
    await settle(exchange, change, "changed", engine)
    return records(change.registrations, status=201)


async def correcting(exchange: Exchange, engine: DurableEngine) -> Answer:
    """A record as sent, submitted or saved. Raises `Modified` when it changed meanwhile."""
    reading = read(RegistrationBody, exchange.json())
    deal = await visible(exchange)
    present = await _present(exchange, deal)
    require_writer(exchange)
    require_version(exchange, present.version, "registration")

    async def decide(referral: Referral, act: Act) -> Change | None:
        before = await _present(exchange, referral)
        require_version(exchange, before.version, "registration")
        form = replace(reading.body.form(before.form.customer), solution_id=before.solution_id)
        after = _handed_in(before, reading, form, act)
        return None if is_unchanged(before, after) else registered(referral, (after,), act)

    change = await _step(exchange, deal, decide, f"{deal.id}/{present.id}")
    if change:
        await settle(exchange, change, "changed", engine)
    after = change.registrations[0] if change else await _present(exchange, deal)
    rounds = await exchange.service.registrations.rounds(after)
    view = registration_view(after, rounds, to_microsoft=False)
    return Answer(body=view, headers={"ETag": view.e_tag})


@dataclass(frozen=True, slots=True)
class _Registering:
    """A request to register, with ids drawn once, so that every attempt makes the same records."""

    exchange: Exchange
    reading: Reading[RegistrationBody]
    ids: tuple[RegistrationId, ...]

    async def commit(
        self, deal: Referral, wanted: IdempotencyRecord | None, stored: Stored[IdempotencyRecord] | None
    ) -> Change:
        def record(change: Change) -> IdempotencyRecord:
            made = tuple(ReferralId(each.id) for each in change.registrations)
            return replace(wanted or _no_record(), referral_id=change.after.id, made=made)

        change = await _step(
            self.exchange,
            deal,
            self._decide,
            f"{deal.id}/register",
            idempotency=record if wanted else None,
            replaced=stored,
        )
        if change is None:
            raise NotFound("There is no such referral.")
        return change

    async def _decide(self, deal: Referral, act: Act) -> Change:
        found = await eligibility_of(self.exchange, deal)
        body = self.reading.body
        require_registrable(deal, found, body.solution_id)
        form = body.form(customer_of(deal))
        solution = solution_named(deal, body.solution_id)
        if solution is None:
            raise Invalid(self._faults(no_solution(deal, body.solution_id), form))
        begun = drafts(deal, solution, form, self.ids, act)
        return registered(deal, tuple(_handed_in(each, self.reading, each.form, act) for each in begun), act)

    def _faults(self, unknown: Fault, form: RegistrationForm) -> tuple[Fault, ...]:
        """That of the solution, without which there is not even a draft, and those that keep from submitting."""
        of_solution = unless_below((unknown,), self.reading.faults)
        draft = self.reading.body.submit is False
        return (*of_solution, *(self.reading.faults if draft else faults_of(self.reading.faults, form)))


def require_partner(exchange: Exchange) -> None:
    """Refuse Microsoft's sellers: registrations are their partners' and the reviewers' (V6)."""
    if exchange.caller.organization.kind != "partner":
        raise Forbidden("Only partners register deals; Microsoft's reviewers find them in the queue.")


def require_writer(exchange: Exchange) -> None:
    """Refuse those who may only read registrations (V6)."""
    if not may_write_registrations(exchange.caller):
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


def records(found: Iterable[Registration], status: int = 200) -> Answer:
    """Records as a partner sees them."""
    views = [registration_view(each, latest_of(each), to_microsoft=False) for each in found]
    return Answer(status=status, body=RegistrationsView(value=views))


def _handed_in(
    before: Registration, reading: Reading[RegistrationBody], form: RegistrationForm, act: Act
) -> Registration:
    """A record submitted, or with `submit` false saved with its faults. Raises `Invalid`."""
    faults = faults_of(reading.faults, form)
    other = _other_solution(before, reading)
    if reading.body.submit is False:
        after = saved(before, form, errors_of(faults), act.now)  # state comes before fields
        faults = () if before.status == "Draft" else reading.faults  # a correction has no errors of its own
    else:
        after = submitted(before, form, act.now)
    if faults or other:
        raise Invalid((*unless_below(other, faults), *faults))
    return after


def _other_solution(before: Registration, reading: Reading[RegistrationBody]) -> tuple[Fault, ...]:
    if reading.body.solution_id in {None, before.solution_id}:
        return ()
    message = f"This registration is {before.solution_id}'s: register the other solution by itself."
    return (Fault("notEditable", "/solutionId", message),)


async def _step(
    exchange: Exchange,
    deal: Referral,
    decide: Decision,
    operation: str,
    *,
    idempotency: Callable[[Change], IdempotencyRecord] | None = None,
    replaced: Stored[IdempotencyRecord] | None = None,
) -> Change | None:
    """Commit a step of a deal that the caller still sees; If-Match, if any, is that of the registration."""

    async def check(referral: Referral, act: Act) -> Change | None:
        if not exchange.sees(referral):
            raise NotFound("There is no such referral.")
        return await decide(referral, act)

    return await exchange.service.commits.step(
        deal.party,
        exchange.who(operation),
        check,
        idempotency=idempotency,
        replaced=replaced,
    )


async def _present(exchange: Exchange, deal: Referral) -> Registration:
    identifier = exchange.request.route_params.get("rid", "").lower()
    found = None
    if is_uuid(identifier):
        found = await exchange.service.registrations.get(deal.party, RegistrationId(identifier))
    if found is None:
        raise NotFound("There is no such registration.")
    return found


async def _made_by(exchange: Exchange, deal: Referral, first: IdempotencyRecord) -> Answer:
    made = set(first.made)
    found = await exchange.service.registrations.of_deal(deal.party)
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


def _draw(exchange: Exchange) -> tuple[RegistrationId, ...]:
    """Ids in the order in which the records are shown."""
    drawn = (RegistrationId(uuid7(exchange.now, secrets.token_bytes(16))) for _ in range(MOST_RECORDS))
    return tuple(sorted(drawn))


def _no_record() -> IdempotencyRecord:
    message = "only a request with a key keeps a record of it"
    raise ValueError(message)
