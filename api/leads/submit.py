"""`POST /v1.0/leads`: one request for information to one company or many, and Microsoft's leads (R1, R2, R6)."""

import logging
import secrets
from dataclasses import replace
from typing import Annotated

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from api.common.catalogue import judged
from api.http.body import read, unless_below
from api.http.fields import currency_decimals
from api.http.idempotency import carried_out, record_of, require_same_body, stored_under
from api.http.problems import Forbidden
from api.http.operation import CHANGING, CREATING, SEEING, Option, operation
from api.http.request import Request
from api.http.response import Response
from api.leads.schemas import LeadBody
from api.referrals.schemas import View
from shared.domain.catalogue import Catalogue
from shared.domain.field_rules import MAX_SOLUTIONS
from shared.domain.ids import InquiryId, OrganizationId, ReferralId, uuid7
from shared.domain.inquiry import (
    MAX_RECIPIENTS,
    InquiryDraft,
    NotDelivered,
    Outcome,
    TakenInquiry,
    faults_of_inquiry,
)
from shared.domain.lead import Leads, Profiles
from shared.domain.permissions import may_submit_leads
from shared.domain.referral import ReferralKey
from shared.domain.refusals import Invalid
from shared.domain.work import label_of
from shared.errors import EngineUnavailable, StoreUnavailable
from shared.storage.inquiries import party_of
from shared.storage.referrals import IdempotencyRecord
from shared.wiring import new_operation_id
from shared.workflow.durable import DurableEngine
from shared.workflow.wake import begin

logger = logging.getLogger(__name__)

_OPERATION = "submitLeads"


class RecipientView(View):
    """What became of a request for one company: a lead, or the reason why there is none."""

    organization_id: str
    delivered: bool
    referral_id: str | None
    reason: NotDelivered | None


class LeadsView(View):
    id: Annotated[str, Field(description="The id of the request.")]
    recipients: list[RecipientView]




@operation("POST", "v1.0/leads", body=LeadBody, returns={201: LeadsView}, errors=(400, 403, 409, 413, 415, 422), headers=("Idempotency-Key", "client-request-id"))
async def submit_leads(request: Request) -> Response:
    """Send a request for information to companies. 201 with what became of it for each."""
    document = request.body
    if not may_submit_leads(request.caller):
        raise Forbidden("Only an application that the service's operator entered submits leads.")
    reading = read(LeadBody, document)
    wanted = record_of(request, document, _OPERATION)
    stored = await stored_under(request, wanted)
    if first := carried_out(request, wanted, stored):
        return await _delivered(request, engine, await _taken(request, first))
    draft = reading.body.draft()
    catalogue = await _catalogue(request, draft)
    rules = faults_of_inquiry(draft, catalogue)
    faults = (*reading.faults, *unless_below(rules, reading.faults))
    if faults:
        raise Invalid(faults)
    leads = Leads(
        draft=draft,
        catalogue=catalogue,
        profiles=await _profiles(request, draft, catalogue),
        inquiry=InquiryId(_draw(request)),
        ids=[_draw(request) for _ in range(2 * MAX_RECIPIENTS)],
        now=request.now,
        response_window=request.service.settings.response_window,
    )
    outcomes, referrals = leads.decided()
    taken = TakenInquiry(
        id=leads.inquiry,
        organization_id=request.caller.organization.id,
        operation_id=new_operation_id(),
        at=request.now,
        outcomes=outcomes,
    )
    record = replace(wanted, referral_id=ReferralId(taken.id)) if wanted else None
    if first := await request.service.intake.take(taken, referrals, record, stored):
        require_same_body(record or first, first)
        taken = await _taken(request, first)
    return await _delivered(request, engine, taken)


async def _delivered(request: Request, engine: DurableEngine, taken: TakenInquiry) -> Response:
    """Deliver the leads at once; only if storage or engine refuse something now, an orchestration is needed."""
    party = party_of(taken)
    await request.service.intake.deliver_or_leave_to_work(party, request.now)
    if not await request.service.work_runner.after_commit(engine, party, label_of(1), request.now):
        await _begin(engine, party)
    recipients = [_recipient(outcome) for outcome in taken.outcomes]
    return Response(status=201, body=LeadsView(id=taken.id, recipients=recipients))


async def _begin(engine: DurableEngine, party: ReferralKey) -> None:
    try:
        await begin(engine, party)
    except EngineUnavailable:
        logger.warning("begin_failed inquiry=%s: the sweep will start it", party.referral_id)


async def _taken(request: Request, record: IdempotencyRecord) -> TakenInquiry:
    inquiry_id = InquiryId(record.referral_id)
    found = await request.service.inquiries.get(record.organization_id, inquiry_id)
    if found is None:
        raise StoreUnavailable("The request of this key is being stored; repeat it in a second.")
    return found


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
    return await request.service.profiles.several((OrganizationId(who), where) for who, where in wanted)


def _draw(request: Request) -> str:
    return uuid7(request.now, secrets.token_bytes(16))


def _recipient(outcome: Outcome) -> RecipientView:
    return RecipientView(
        organization_id=outcome.organization_id,
        delivered=outcome.referral_id is not None,
        referral_id=outcome.referral_id,
        reason=outcome.reason,
    )
