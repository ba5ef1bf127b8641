"""`POST …/{id}/convert`: a co-sell opportunity out of an accepted lead (R7)."""

import secrets

import azure.durable_functions as df
import azure.functions as func

from api.common.access import Decision, shown, take_step
from api.common.catalogue import catalogue_of
from api.http.body import read, unless_below
from api.http.request import Answer, Exchange, respond
from api.leads.schemas import ConversionBody
from shared.domain.change import Act, Change
from shared.domain.conversion import convert, faults_of_conversion, require_convertible
from shared.domain.ids import ReferralId, uuid7
from shared.domain.invitation_rules import MAX_INVITATIONS
from shared.domain.inviting import Inviting
from shared.domain.referral import Referral
from shared.domain.refusals import Invalid
from shared.workflow.durable import DurableEngine

blueprint = df.Blueprint()


@blueprint.route(
    "v1.0/engagements/referrals/{id}/convert", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS
)
@blueprint.durable_client_input(client_name="client")
async def convert_lead(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Make a deal of an Active lead, and invite into it. 200 with the resource."""

    async def handle(exchange: Exchange) -> Answer:
        decide = await converting(exchange)
        return await shown(exchange, await take_step(exchange, decide, "changed", DurableEngine(client)))

    return await respond(req, handle)


async def converting(exchange: Exchange) -> Decision:
    """How a conversion decides: state before fields, then every fault at once."""
    reading = read(ConversionBody, exchange.json(), partial=True)
    ids = tuple(ReferralId(uuid7(exchange.now, secrets.token_bytes(16))) for _ in range(MAX_INVITATIONS + 1))

    async def decide(lead: Referral, act: Act) -> Change | None:
        if late := require_convertible(lead, act):
            return late
        draft = reading.body.draft(lead)
        catalogue = await catalogue_of(exchange, draft)
        rules = faults_of_conversion(lead, draft, catalogue, act.now.date())
        faults = (*reading.faults, *unless_below(rules, reading.faults))
        if faults:
            raise Invalid(faults)
        inviter = Inviting(
            catalogue=catalogue,
            ids=ids,
            now=act.now,
            response_window=exchange.service.settings.response_window,
        )
        return convert(lead, draft, catalogue, inviter, act)

    return decide
