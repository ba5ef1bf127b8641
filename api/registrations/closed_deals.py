"""`POST /v1.0/registrations`: reporting a closed ISV Connect deal that was never co-sold (G8)."""

import secrets
from dataclasses import replace
from typing import Annotated

import azure.durable_functions as df
import azure.functions as func

from api.http.body import Required, read, unless_below
from api.http.fields import Code, Name
from api.http.idempotency import carried_out, record_of, require_same_body, stored_under
from api.http.problems import Forbidden
from api.http.operation import CHANGING, CREATING, SEEING, Option, operation
from api.http.request import Request
from api.http.response import Response
from api.registrations.schemas import RegisteredCustomerBody, RegistrationBody
from api.registrations.submit import faults_of, records
from shared.domain.directory import CatalogueSolution
from shared.domain.ids import ReferralId, RegistrationId, uuid7
from shared.domain.permissions import may_report_deals
from shared.domain.referral import ReferralKey
from shared.domain.refusals import Fault, Invalid
from shared.domain.registration import NO_CUSTOMER, Registration, RegistrationForm, submitted
from shared.domain.vocabulary import ISV_CONNECT
from shared.errors import Contended, StoreConflict, StoreUnavailable
from shared.storage.keys import ALONE
from shared.storage.referrals import IdempotencyRecord

_OPERATION = "reportDeal"


class ClosedDealBody(RegistrationBody):
    """`POST /v1.0/registrations`. There is no draft of it."""

    name: Name | None = None
    solution_id: Annotated[Code | None, Required()] = None
    customer: Annotated[RegisteredCustomerBody | None, Required()] = None




@operation("POST", "v1.0/registrations", body=ClosedDealBody, returns={201: RegistrationsView}, errors=(400, 403, 409, 413, 415, 422), headers=("Idempotency-Key", "client-request-id"))
async def report_closed_deal(request: Request) -> Response:
    """Report a closed ISV Connect deal that was never co-sold. 201 with its record, which is complete."""
    document = request.body
    if not may_report_deals(request.caller):
        raise Forbidden("Partner admins, and referrals admins of all locations, report closed deals.")
    reading = read(ClosedDealBody, document)
    wanted = record_of(request, document, _OPERATION)
    stored = await stored_under(request, wanted)
    if first := carried_out(request, wanted, stored):
        return await _again(request, first)
    form = reading.body.form(NO_CUSTOMER)
    solution, unknown = await _solution(request, reading.body.solution_id)
    unknown = (*unknown, *_no_draft(reading.body))
    faults = (*faults_of(reading.faults, form), *unless_below(unknown, reading.faults))
    if faults or solution is None:
        raise Invalid(faults)
    registration = _record(request, reading.body.name, form, solution)
    record = replace(wanted, referral_id=ReferralId(registration.id)) if wanted else None
    try:
        await request.service.registrations.enter_alone(registration, record, stored)
    except StoreConflict as conflict:
        return await _again_or_contended(request, record, conflict)
    return records([registration], status=201)


async def _again_or_contended(
    request: Request, record: IdempotencyRecord | None, conflict: StoreConflict
) -> Response:
    first = await stored_under(request, record)
    if record is None or first is None:
        raise Contended("The report could not be stored; repeat the request in a second.") from conflict
    require_same_body(record, first.value)
    return await _again(request, first.value)


async def _again(request: Request, first: IdempotencyRecord) -> Response:
    """The first answer."""
    place = ReferralKey(organization_id=first.organization_id, referral_id=ALONE)
    found = await request.service.registrations.get(place, RegistrationId(first.referral_id))
    if found is None:
        raise StoreUnavailable("The report of this key is being stored; repeat the request in a second.")
    return records([found], status=201)


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
        id=RegistrationId(uuid7(now, secrets.token_bytes(16))),
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
    return submitted(draft, form, now)
