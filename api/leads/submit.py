"""Send a customer's request for information, or Microsoft's lead, to partners: `POST /v1.0/leads` (R1, R2, R6)."""

import logging
from typing import Annotated

from pydantic import Field

from api.common.catalogue import within_limit
from api.common.quotas import quota_of_inquiries
from api.http.body import ParsedBody, read
from api.http.fields import currency_decimals
from api.http.idempotency import idempotent
from api.http.operation import KEYED, operation
from api.http.problems import Forbidden
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from api.leads.request_schemas import LeadBody
from shared.domain.catalogue import Catalogue
from shared.domain.directory import Profiles
from shared.domain.field_rules import MAX_SOLUTIONS
from shared.domain.ids import InquiryId, OrganizationId
from shared.domain.inquiry import (
    MAX_RECIPIENTS,
    InquiryDraft,
    NotDelivered,
    SubmittedInquiry,
    faults_of_inquiry,
)
from shared.domain.lead import LeadFactory
from shared.domain.permissions import may_submit_leads
from shared.errors import StoreUnavailable
from shared.storage.idempotency import IdempotencyRecord, RequestKey
from shared.storage.inquiries import inquiry_key
from shared.wiring import new_operation_id

logger = logging.getLogger(__name__)

COMMAND = "submitLeads"


class RecipientView(View):
    """The result for one recipient: a lead, or the reason why it was not delivered."""

    organization_id: str
    delivered: bool
    referral_id: str | None
    reason: NotDelivered | None


class LeadsView(View):
    id: Annotated[str, Field(description="The id of the request.")]
    recipients: list[RecipientView]


@operation("POST", "v1.0/leads", body=LeadBody, returns={201: LeadsView}, errors=(429,), headers=KEYED)
async def submit_leads(request: Request) -> Response:
    """Send a request for information to partners.

    Each recipient gets a lead of its own and does not see the others. The response has the result for each (R2).
    """
    if not may_submit_leads(request.caller):
        raise Forbidden("Only registered lead applications can submit leads; ask the service's operator.")
    parsed = read(LeadBody, request.body)

    async def create(key: RequestKey | None) -> Response | None:
        leads = await _leads(request, parsed)
        outcomes, referrals = leads.create()
        taken = SubmittedInquiry(
            id=leads.inquiry,
            organization_id=request.caller.organization.id,
            operation_id=new_operation_id(),
            at=request.now,
            outcomes=outcomes,
        )
        stored = await request.service.intake.take(taken, referrals, key)
        if stored is None:
            return None
        delivered = await request.service.intake.deliver_new(stored, referrals)
        await request.service.follow_ups.begin_delivery(
            request.engine, inquiry_key(stored), delivered, request.now
        )
        return _response(stored)

    async def replay(original: IdempotencyRecord) -> Response:
        taken = await request.service.inquiries.get(original.organization_id, InquiryId(original.record_id))
        if taken is None:
            raise StoreUnavailable("The request of this key is being stored; repeat it in a second.")
        await _deliver(request, taken)
        return _response(taken)

    return await idempotent(request, COMMAND, create, replay, quota_of_inquiries(request))


async def _leads(request: Request, parsed: ParsedBody[LeadBody]) -> LeadFactory:
    """The leads of a request. Raises `Invalid`."""
    draft = parsed.body.draft()
    catalogue = await _catalogue(request, draft)
    parsed.require_valid(faults_of_inquiry(draft, catalogue))
    return LeadFactory(
        draft=draft,
        catalogue=catalogue,
        profiles=await _profiles(request, draft, catalogue),
        inquiry=InquiryId(request.new_id()),
        ids=[request.new_id() for _ in range(2 * MAX_RECIPIENTS)],
        now=request.now,
        response_window=request.service.settings.response_window,
    )


async def _deliver(request: Request, taken: SubmittedInquiry) -> None:
    """Deliver the leads that the original request may not have delivered; if storage fails, its work does it."""
    try:
        leads = await request.service.referrals.invitations(inquiry_key(taken))
        await request.service.intake.deliver(inquiry_key(taken), leads, request.now)
    except StoreUnavailable:
        logger.warning("leads_pending inquiry=%s: left to the work of the request", taken.id)


def _response(taken: SubmittedInquiry) -> Response:
    recipients = [
        RecipientView.from_domain(outcome, delivered=outcome.referral_id is not None)
        for outcome in taken.outcomes
    ]
    return Response(status=201, body=LeadsView(id=taken.id, recipients=recipients))


async def _catalogue(request: Request, draft: InquiryDraft) -> Catalogue:
    directory, customer = request.service.directory, draft.customer
    return Catalogue(
        creator=request.caller.organization,
        organizations=await directory.organizations(
            r.organization_id for r in within_limit(draft.recipients, MAX_RECIPIENTS) if r.organization_id
        ),
        solutions=await directory.solutions(s for s in within_limit(draft.solutions, MAX_SOLUTIONS) if s),
        customers=await directory.customers(
            customer.name or "", customer.address.country or "", customer.duns
        ),
        decimals=currency_decimals(),
    )


async def _profiles(request: Request, draft: InquiryDraft, catalogue: Catalogue) -> Profiles:
    """The recipients' profiles in the customer's country and in the countries of the addressed locations."""
    keys: set[tuple[str, str]] = set()
    for recipient in draft.recipients:
        organization = catalogue.organizations.get(recipient.organization_id or "")
        if organization is None:
            continue
        keys.add((organization.id, draft.customer.address.country or ""))
        if place := organization.location(recipient.target):
            keys.add((organization.id, place.country))
    return await request.service.profiles.get_many((OrganizationId(id_), country) for id_, country in keys)
