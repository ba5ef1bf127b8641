"""`POST /v1.0/leads`: one request for information to one company or many, and Microsoft's leads (R1, R2, R6)."""

from typing import Annotated

from pydantic import Field

from api.common.catalogue import judged
from api.common.steps import begin_or_leave_to_sweep
from api.http.body import Reading, read, unless_below
from api.http.fields import currency_decimals
from api.http.idempotency import idempotent
from api.http.operation import operation
from api.http.problems import Forbidden
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from api.leads.request_schemas import LeadBody
from shared.domain.catalogue import Catalogue
from shared.domain.field_rules import MAX_SOLUTIONS
from shared.domain.ids import InquiryId, OrganizationId
from shared.domain.inquiry import (
    MAX_RECIPIENTS,
    InquiryDraft,
    NotDelivered,
    Outcome,
    SubmittedInquiry,
    faults_of_inquiry,
)
from shared.domain.lead import LeadFactory, Profiles
from shared.domain.permissions import may_submit_leads
from shared.domain.refusals import Invalid
from shared.domain.work import label_of
from shared.errors import StoreUnavailable
from shared.storage.idempotency import IdempotencyRecord, RequestKey
from shared.storage.inquiries import inquiry_key
from shared.wiring import new_operation_id

COMMAND = "submitLeads"


class RecipientView(View):
    """What became of a request for one company: a lead, or the reason why there is none."""

    organization_id: str
    delivered: bool
    referral_id: str | None
    reason: NotDelivered | None


class LeadsView(View):
    id: Annotated[str, Field(description="The id of the request.")]
    recipients: list[RecipientView]


@operation(
    "POST",
    "v1.0/leads",
    body=LeadBody,
    returns={201: LeadsView},
    errors=(400, 403, 409, 413, 415, 422),
    headers=("Idempotency-Key", "client-request-id"),
)
async def submit_leads(request: Request) -> Response:
    """Send a request for information to companies. 201 with what became of it for each."""
    if not may_submit_leads(request.caller):
        raise Forbidden("Only an application that the service's operator entered submits leads.")
    reading = read(LeadBody, request.body)

    async def make(key: RequestKey | None) -> Response | None:
        leads = await _leads(request, reading)
        outcomes, referrals = leads.create()
        taken = SubmittedInquiry(
            id=leads.inquiry,
            organization_id=request.caller.organization.id,
            operation_id=new_operation_id(),
            at=request.now,
            outcomes=outcomes,
        )
        stored = await request.service.intake.take(taken, referrals, key)
        return await _delivered(request, stored) if stored else None

    async def replay(first: IdempotencyRecord) -> Response:
        taken = await request.service.inquiries.get(first.organization_id, InquiryId(first.record_id))
        if taken is None:
            raise StoreUnavailable("The request of this key is being stored; repeat it in a second.")
        return await _delivered(request, taken)

    return await idempotent(request, COMMAND, make, replay)


async def _leads(request: Request, reading: Reading[LeadBody]) -> LeadFactory:
    """The leads that a request makes. Raises `Invalid`."""
    draft = reading.body.draft()
    catalogue = await _catalogue(request, draft)
    faults = (*reading.faults, *unless_below(faults_of_inquiry(draft, catalogue), reading.faults))
    if faults:
        raise Invalid(faults)
    return LeadFactory(
        draft=draft,
        catalogue=catalogue,
        profiles=await _profiles(request, draft, catalogue),
        inquiry=InquiryId(request.new_id()),
        ids=[request.new_id() for _ in range(2 * MAX_RECIPIENTS)],
        now=request.now,
        response_window=request.service.settings.response_window,
    )


async def _delivered(request: Request, taken: SubmittedInquiry) -> Response:
    """Deliver the leads at once; only if storage or engine refuse something now, an orchestration is needed."""
    place = inquiry_key(taken)
    await request.service.intake.deliver_or_leave_to_work(place, request.now)
    if not await request.service.work_runner.after_commit(request.engine, place, label_of(1), request.now):
        await begin_or_leave_to_sweep(request, place)
    recipients = [_recipient(outcome) for outcome in taken.outcomes]
    return Response(status=201, body=LeadsView(id=taken.id, recipients=recipients))


async def _catalogue(request: Request, draft: InquiryDraft) -> Catalogue:
    directory, customer = request.service.directory, draft.customer
    return Catalogue(
        creator=request.caller.organization,
        organizations=await directory.organizations(
            r.organization_id for r in judged(draft.recipients, MAX_RECIPIENTS) if r.organization_id
        ),
        solutions=await directory.solutions(s for s in judged(draft.solutions, MAX_SOLUTIONS) if s),
        customers=await directory.customers(
            customer.name or "", customer.address.country or "", customer.duns
        ),
        decimals=currency_decimals(),
    )


async def _profiles(request: Request, draft: InquiryDraft, catalogue: Catalogue) -> Profiles:
    """The profiles in the customer's country, and those of the addressed locations' countries."""
    wanted: set[tuple[str, str]] = set()
    for recipient in draft.recipients:
        organization = catalogue.organizations.get(recipient.organization_id or "")
        if organization is None:
            continue
        wanted.add((organization.id, draft.customer.address.country or ""))
        if place := organization.location(recipient.target):
            wanted.add((organization.id, place.country))
    return await request.service.profiles.get_many((OrganizationId(who), where) for who, where in wanted)


def _recipient(outcome: Outcome) -> RecipientView:
    return RecipientView(
        organization_id=outcome.organization_id,
        delivered=outcome.referral_id is not None,
        referral_id=outcome.referral_id,
        reason=outcome.reason,
    )
