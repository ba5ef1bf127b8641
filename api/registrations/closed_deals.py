"""`POST /v1.0/registrations`: reporting a closed ISV Connect deal that was never co-sold (G8)."""

from typing import Annotated

from api.http.body import Required, read, unless_below
from api.http.fields import Code, Name
from api.http.idempotency import idempotent
from api.http.operation import operation
from api.http.problems import Forbidden
from api.http.request import Request
from api.http.response import Response
from api.registrations.mapping import records
from api.registrations.request_schemas import RegisteredCustomerBody, RegistrationBody
from api.registrations.schemas import RegistrationsView
from api.registrations.submit import faults_of
from shared.domain.directory import CatalogueSolution
from shared.domain.ids import RegistrationId
from shared.domain.permissions import may_report_deals
from shared.domain.refusals import Fault, Invalid
from shared.domain.registration import NO_CUSTOMER, Registration, RegistrationForm, submit
from shared.domain.vocabulary import ISV_CONNECT
from shared.errors import StoreConflict, StoreUnavailable
from shared.storage.idempotency import IdempotencyRecord, RequestKey
from shared.storage.registrations import without_deal

COMMAND = "reportDeal"


class ClosedDealBody(RegistrationBody):
    """`POST /v1.0/registrations`. There is no draft of it."""

    name: Name | None = None
    solution_id: Annotated[Code | None, Required()] = None
    customer: Annotated[RegisteredCustomerBody | None, Required()] = None


@operation(
    "POST",
    "v1.0/registrations",
    body=ClosedDealBody,
    returns={201: RegistrationsView},
    errors=(400, 403, 409, 413, 415, 422),
    headers=("Idempotency-Key", "client-request-id"),
)
async def report_closed_deal(request: Request) -> Response:
    """Report a closed ISV Connect deal that was never co-sold. 201 with its record, which is complete."""
    if not may_report_deals(request.caller):
        raise Forbidden("Partner admins, and referrals admins of all locations, report closed deals.")
    reading = read(ClosedDealBody, request.body)

    async def make(key: RequestKey | None) -> Response | None:
        form = reading.body.form(NO_CUSTOMER)
        solution, unknown = await _solution(request, reading.body.solution_id)
        unknown = (*unknown, *_no_draft(reading.body))
        faults = (*faults_of(reading.faults, form), *unless_below(unknown, reading.faults))
        if faults or solution is None:
            raise Invalid(faults)
        registration = _record(request, reading.body.name, form, solution)
        try:
            await request.service.registrations.insert_without_deal(
                registration, key and key.with_result(registration.id)
            )
        except StoreConflict:
            return None
        return records([registration], status=201)

    async def replay(first: IdempotencyRecord) -> Response:
        place = without_deal(first.organization_id)
        found = await request.service.registrations.get(place, RegistrationId(first.record_id))
        if found is None:
            raise StoreUnavailable("The report of this key is being stored; repeat the request in a second.")
        return records([found], status=201)

    return await idempotent(request, COMMAND, make, replay)


async def _solution(
    request: Request, solution_id: str | None
) -> tuple[CatalogueSolution | None, tuple[Fault, ...]]:
    """The caller's own solution with ISV Connect, or why it is none."""
    if not solution_id:
        return None, ()
    found = (await request.service.directory.solutions([solution_id])).get(solution_id)
    own = request.caller.organization.id
    if found is None or found.owner != own or ISV_CONNECT not in found.incentives:
        message = "Name a solution of your company that has ISV Connect."
        return None, (Fault("notInCatalogue", "/solutionId", message),)
    return found, ()


def _no_draft(body: RegistrationBody) -> tuple[Fault, ...]:
    if body.submit is False:
        return (
            Fault("notAllowed", "/submit", "A closed deal is reported at once: there is no draft of it."),
        )
    return ()


def _record(
    request: Request, name: str | None, form: RegistrationForm, solution: CatalogueSolution
) -> Registration:
    organization, now = request.caller.organization, request.now
    draft = Registration(
        id=RegistrationId(request.new_id()),
        kind="IsvConnect",
        organization_id=organization.id,
        organization_name=organization.name,
        referral=None,
        deal_name=name or form.customer.name or "",
        solution_id=solution.id,
        solution_name=solution.name,
        form=form,
        status="Draft",
        created_at=now,
        updated_at=now,
        version=0,
    )
    return submit(draft, form, now)
