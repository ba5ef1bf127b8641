"""`POST …/{id}/convert`: a co-sell opportunity out of an accepted lead (R7)."""

from api.common.catalogue import catalogue_of, inviting_of
from api.common.steps import take_step
from api.http.body import read, unless_below
from api.http.operation import CHANGING, operation
from api.http.request import Request
from api.http.response import Response
from api.referrals.read import ONE, referral_response
from api.referrals.request_schemas import ConversionBody
from api.referrals.schemas import ReferralView
from shared.domain.change import Change, CommandContext
from shared.domain.conversion import convert, faults_of_conversion, require_convertible
from shared.domain.ids import ReferralId
from shared.domain.invitation_rules import MAX_INVITATIONS
from shared.domain.referral import Referral
from shared.domain.refusals import Invalid


@operation(
    "POST",
    f"{ONE}/convert",
    body=ConversionBody,
    returns=ReferralView,
    errors=CHANGING,
    headers=("If-Match", "Idempotency-Key"),
)
async def convert_lead(request: Request) -> Response:
    """Make a deal of an Active lead, and invite into it. 200 with the resource."""
    reading = read(ConversionBody, request.body, partial=True)
    ids = tuple(ReferralId(request.new_id()) for _ in range(MAX_INVITATIONS + 1))

    async def decide(lead: Referral, context: CommandContext) -> Change | None:
        if late := require_convertible(lead, context):
            return late
        draft = reading.body.draft(lead)
        catalogue = await catalogue_of(request, draft)
        rules = faults_of_conversion(lead, draft, catalogue, context.now.date())
        faults = (*reading.faults, *unless_below(rules, reading.faults))
        if faults:
            raise Invalid(faults)
        inviter = inviting_of(request, catalogue, ids, context)
        return convert(lead, draft, catalogue, inviter, context)

    return await referral_response(request, await take_step(request, decide, "changed"))
