"""Report a closed ISV Connect deal that was never co-sold: `POST /v1.0/registrations` (G8)."""

from typing import Annotated

from api.http.body import Required, independent_faults, read
from api.http.fields import Code, Name
from api.http.idempotency import idempotent
from api.http.operation import KEYED, operation
from api.http.problems import Forbidden
from api.http.request import Request
from api.http.response import Response
from api.registrations.mapping import registrations_response
from api.registrations.request_schemas import RegisteredCustomerBody, RegistrationBody
from api.registrations.schemas import RegistrationsView
from api.registrations.submit import form_faults
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
    """`POST /v1.0/registrations`. A report cannot be a draft."""

    name: Name | None = None
    solution_id: Annotated[Code | None, Required()] = None
    customer: Annotated[RegisteredCustomerBody | None, Required()] = None


@operation("POST", "v1.0/registrations", body=ClosedDealBody, returns={201: RegistrationsView}, headers=KEYED)
async def report_closed_deal(request: Request) -> Response:
    """Report a closed ISV Connect deal that was never co-sold.

    The registration is complete at once; it is not reviewed (G8).
    """
    if not may_report_deals(request.caller):
        raise Forbidden("Only partner admins and referrals admins of all locations can report closed deals.")
    parsed = read(ClosedDealBody, request.body)

    async def create(key: RequestKey | None) -> Response | None:
        form = parsed.body.form(NO_CUSTOMER)
        solution, solution_faults = await _solution(request, parsed.body.solution_id)
        other_faults = (*solution_faults, *_draft_faults(parsed.body))
        faults = (*form_faults(parsed.faults, form), *independent_faults(other_faults, parsed.faults))
        if faults or solution is None:
            raise Invalid(faults)
        registration = _registration(request, parsed.body.name, form, solution)
        try:
            await request.service.registrations.insert_without_deal(
                registration, key and key.with_result(registration.id)
            )
        except StoreConflict:
            return None
        return registrations_response([registration], request.caller, status=201)

    async def replay(original: IdempotencyRecord) -> Response:
        key = without_deal(original.organization_id)
        found = await request.service.registrations.get(key, RegistrationId(original.record_id))
        if found is None:
            raise StoreUnavailable("The report of this key is being stored; repeat the request in a second.")
        return registrations_response([found], request.caller, status=201)

    return await idempotent(request, COMMAND, create, replay)


async def _solution(
    request: Request, solution_id: str | None
) -> tuple[CatalogueSolution | None, tuple[Fault, ...]]:
    """The caller's solution with ISV Connect, or its fault."""
    if not solution_id:
        return None, ()
    found = (await request.service.directory.solutions([solution_id])).get(solution_id)
    own = request.caller.organization.id
    if found is None or found.owner != own or ISV_CONNECT not in found.incentives:
        message = "Name a solution of your company that has ISV Connect."
        return None, (Fault("notInCatalogue", "/solutionId", message),)
    return found, ()


def _draft_faults(body: RegistrationBody) -> tuple[Fault, ...]:
    if body.submit is False:
        message = "A report of a closed deal cannot be a draft: leave submit out, or send true."
        return (Fault("notAllowed", "/submit", message),)
    return ()


def _registration(
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
