"""`POST …/{id}/convert`: turn an accepted lead into a co-sell opportunity (R7)."""

from api.common.access import visible_with_favorite
from api.common.catalogue import inviter_for, load_catalogue
from api.common.quotas import quota_of_invitations
from api.common.steps import take_step
from api.http.body import read
from api.http.request import Request
from api.http.response import Response
from api.referrals.read import referral_response
from api.referrals.request_schemas import ConversionBody
from api.referrals.transitions import referral_command
from shared.domain.change import Change, CommandContext
from shared.domain.conversion import convert, faults_of_conversion, require_convertible
from shared.domain.ids import ReferralId
from shared.domain.invitation_rules import MAX_INVITATIONS
from shared.domain.referral import Referral
from shared.domain.vocabulary import NO_HELP


@referral_command("convert", ConversionBody, errors=(429,))
async def convert_lead(request: Request) -> Response:
    """Convert an active lead into a deal.

    Send what the lead lacks, and whom to invite; fields that are left out keep the lead's values (R7).
    """
    seen, favorite = await visible_with_favorite(request)
    parsed = read(ConversionBody, request.body, partial=True)
    ids = tuple(ReferralId(request.new_id()) for _ in range(MAX_INVITATIONS + 1))

    async def decide(lead: Referral, context: CommandContext) -> Change | None:
        if late := require_convertible(lead, context):
            return late
        draft = parsed.body.draft(lead)
        catalogue = await load_catalogue(request, draft, invites_microsoft=draft.microsoft_code != NO_HELP)
        parsed.require_valid(faults_of_conversion(lead, draft, catalogue, context.now.date()))
        inviter = inviter_for(request, catalogue, ids, context)
        return convert(lead, draft, catalogue, inviter, context)

    quota = quota_of_invitations(request, len(parsed.body.draft(seen).all_invitations))
    return await referral_response(request, await take_step(request, seen, decide, quota), favorite=favorite)
