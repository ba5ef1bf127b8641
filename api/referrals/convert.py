"""`POST …/{id}/convert`: a co-sell opportunity out of an accepted lead (R7)."""

import secrets

import azure.durable_functions as df
import azure.functions as func

from api.common.access import Decision, shown, take_step
from api.common.catalogue import catalogue_of
from api.http.body import read, unless_below
from api.http.operation import CHANGING, CREATING, SEEING, Option, operation
from api.http.request import Request
from api.http.response import Response
from api.leads.schemas import ConversionBody
from shared.domain.change import Change, CommandContext
from shared.domain.conversion import convert, faults_of_conversion, require_convertible
from shared.domain.ids import ReferralId, uuid7
from shared.domain.invitation_rules import MAX_INVITATIONS
from shared.domain.inviting import Inviting
from shared.domain.referral import Referral
from shared.domain.refusals import Invalid
from shared.workflow.durable import DurableEngine



@operation("POST", "v1.0/engagements/referrals/{id}/convert", body=ConversionBody, returns=ReferralView, errors=CHANGING, headers=("If-Match", "Idempotency-Key"))
async def convert_lead(request: Request) -> Response:
    """Make a deal of an Active lead, and invite into it. 200 with the resource."""

    async def handle(request: Request) -> Response:
        decide = await converting(request)
        return await shown(request, await take_step(request, decide, "changed", DurableEngine(client)))

    return await respond(req, handle)



async def converting(request: Request) -> Decision:
    """How a conversion decides: state before fields, then every fault at once."""
    reading = read(ConversionBody, request.body, partial=True)
    ids = tuple(ReferralId(uuid7(request.now, secrets.token_bytes(16))) for _ in range(MAX_INVITATIONS + 1))

    async def decide(lead: Referral, context: CommandContext) -> Change | None:
        if late := require_convertible(lead, context):
            return late
        draft = reading.body.draft(lead)
        catalogue = await catalogue_of(request, draft)
        rules = faults_of_conversion(lead, draft, catalogue, context.now.date())
        faults = (*reading.faults, *unless_below(rules, reading.faults))
        if faults:
            raise Invalid(faults)
        inviter = Inviting(
            catalogue=catalogue,
            ids=ids,
            now=context.now,
            response_window=request.service.settings.response_window,
        )
        return convert(lead, draft, catalogue, inviter, context)

    return decide
