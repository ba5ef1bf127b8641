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
from api.http.request import Answer, Exchange, respond
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
from shared.domain.referral import Party
from shared.domain.refusals import Invalid
from shared.domain.work import label_of
from shared.errors import EngineUnavailable, StoreUnavailable
from shared.storage.inquiries import party_of
from shared.storage.referrals import IdempotencyRecord
from shared.wiring import new_operation_id
from shared.workflow.durable import DurableEngine
from shared.workflow.wake import begin

logger = logging.getLogger(__name__)
blueprint = df.Blueprint()

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


@blueprint.route("v1.0/leads", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@blueprint.durable_client_input(client_name="client")
async def submit_leads(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Send a request for information to companies. 201 with what became of it for each."""

    async def handle(exchange: Exchange) -> Answer:
        return await submitted(exchange, DurableEngine(client))

    return await respond(req, handle)


async def submitted(exchange: Exchange, engine: DurableEngine) -> Answer:
    """Refuse, or answer as the first request of the same key, or take the request in and deliver its leads."""
    document = exchange.json()
    if not may_submit_leads(exchange.caller):
        raise Forbidden("Only an application that the service's operator entered submits leads.")
    reading = read(LeadBody, document)
    wanted = record_of(exchange, document, _OPERATION)
    stored = await stored_under(exchange, wanted)
    if first := carried_out(exchange, wanted, stored):
        return await _delivered(exchange, engine, await _taken(exchange, first))
    draft = reading.body.draft()
    catalogue = await _catalogue(exchange, draft)
    rules = faults_of_inquiry(draft, catalogue)
    faults = (*reading.faults, *unless_below(rules, reading.faults))
    if faults:
        raise Invalid(faults)
    leads = Leads(
        draft=draft,
        catalogue=catalogue,
        profiles=await _profiles(exchange, draft, catalogue),
        inquiry=InquiryId(_draw(exchange)),
        ids=[_draw(exchange) for _ in range(2 * MAX_RECIPIENTS)],
        now=exchange.now,
        response_window=exchange.service.settings.response_window,
    )
    outcomes, referrals = leads.decided()
    taken = TakenInquiry(
        id=leads.inquiry,
        organization_id=exchange.caller.organization.id,
        operation_id=new_operation_id(),
        at=exchange.now,
        outcomes=outcomes,
    )
    record = replace(wanted, referral_id=ReferralId(taken.id)) if wanted else None
    if first := await exchange.service.intake.take(taken, referrals, record, stored):
        require_same_body(record or first, first)
        taken = await _taken(exchange, first)
    return await _delivered(exchange, engine, taken)


async def _delivered(exchange: Exchange, engine: DurableEngine, taken: TakenInquiry) -> Answer:
    """Deliver the leads at once; only if storage or engine refuse something now, an orchestration is needed."""
    party = party_of(taken)
    await exchange.service.intake.deliver_or_leave_to_work(party, exchange.now)
    if not await exchange.service.performer.after_commit(engine, party, label_of(1), exchange.now):
        await _begin(engine, party)
    recipients = [_recipient(outcome) for outcome in taken.outcomes]
    return Answer(status=201, body=LeadsView(id=taken.id, recipients=recipients))


async def _begin(engine: DurableEngine, party: Party) -> None:
    try:
        await begin(engine, party)
    except EngineUnavailable:
        logger.warning("begin_failed inquiry=%s: the sweep will start it", party.referral_id)


async def _taken(exchange: Exchange, record: IdempotencyRecord) -> TakenInquiry:
    inquiry_id = InquiryId(record.referral_id)
    found = await exchange.service.inquiries.get(record.organization_id, inquiry_id)
    if found is None:
        raise StoreUnavailable("The request of this key is being stored; repeat it in a second.")
    return found


async def _catalogue(exchange: Exchange, draft: InquiryDraft) -> Catalogue:
    directory, customer = exchange.service.directory, draft.customer
    return Catalogue(
        creator=exchange.caller.organization,
        organizations=await directory.organizations(
            r.organization_id for r in judged(draft.recipients, MAX_RECIPIENTS) if r.organization_id
        ),
        solutions=await directory.solutions(s for s in judged(draft.solutions, MAX_SOLUTIONS) if s),
        customers=await directory.customers(
            customer.name or "", customer.address.country or "", customer.duns
        ),
        decimals=currency_decimals(),
    )


async def _profiles(exchange: Exchange, draft: InquiryDraft, catalogue: Catalogue) -> Profiles:
    """The profiles in the customer's country, and those of the addressed locations' countries."""
    wanted: set[tuple[str, str]] = set()
    for recipient in draft.recipients:
        organization = catalogue.organizations.get(recipient.organization_id or "")
        if organization is None:
            continue
        wanted.add((organization.id, draft.customer.address.country or ""))
        if place := organization.location(recipient.target):
            wanted.add((organization.id, place.country))
    return await exchange.service.profiles.several((OrganizationId(who), where) for who, where in wanted)


def _draw(exchange: Exchange) -> str:
    return uuid7(exchange.now, secrets.token_bytes(16))


def _recipient(outcome: Outcome) -> RecipientView:
    return RecipientView(
        organization_id=outcome.organization_id,
        delivered=outcome.referral_id is not None,
        referral_id=outcome.referral_id,
        reason=outcome.reason,
    )
