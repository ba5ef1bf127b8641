"""Recall a registration from its review, and delete drafts (rules G4, G5, V6)."""

from api.common.access import referral_not_found, visible_referral
from api.common.steps import follow_up, if_visible, is_repetition
from api.http.etags import etag_of, refuse_stale_version, require_version
from api.http.operation import IF_MATCH, operation
from api.http.problems import PreconditionFailed
from api.http.request import Request
from api.http.response import Response
from api.registrations.access import load_registration, require_writer, route_registration_id
from api.registrations.schemas import RegistrationView
from api.registrations.submit import ROUTE, partners_response
from shared.domain.change import Change, CommandContext
from shared.domain.deal_registration import delete_draft, record_registrations
from shared.domain.referral import Referral
from shared.domain.refusals import Refusal
from shared.domain.registration import recall


@operation("DELETE", f"{ROUTE}/{{rid}}", returns={204: None}, errors=(409, 428), headers=IF_MATCH)
async def delete_registration(request: Request) -> Response:
    """Delete a draft; `If-Match` is mandatory.

    The timeline of the deal says so, and the solution can be registered again (G2, G4).
    """
    deal = await visible_referral(request)
    registration_id = route_registration_id(request)
    current = await load_registration(request, deal.key, registration_id)
    require_writer(request)
    require_version(request, etag_of(current.version), "registration")

    async def decide(referral: Referral, context: CommandContext) -> Change:
        before = await load_registration(request, deal.key, registration_id)
        require_version(request, etag_of(before.version), "registration")
        return delete_draft(referral, before, context)

    step = await request.service.commits.step(
        deal.key,
        request.context(f"{deal.id}/{registration_id}/delete"),
        if_visible(request, decide, check_version=False),
        known=request.known,
    )
    if step is None:
        raise referral_not_found()
    await follow_up(request, step)
    return Response(status=204)


@operation(
    "POST",
    f"{ROUTE}/{{rid}}/recall",
    returns=RegistrationView,
    headers=("If-Match", "Idempotency-Key"),
)
async def recall_registration(request: Request) -> Response:
    """Take a registration back from its review, before it is decided: it is a draft again.

    Reviewers do not see it any more. To submit it again opens the next round (G5).
    """
    deal = await visible_referral(request)
    registration_id = route_registration_id(request)
    await load_registration(request, deal.key, registration_id)
    require_writer(request)
    context = request.repeatable_context(f"{deal.id}/{registration_id}/recall")

    async def decide(referral: Referral, context: CommandContext) -> Change:
        before = await load_registration(request, deal.key, registration_id)
        refuse_stale_version(request, etag_of(before.version))
        return record_registrations(referral, (recall(before, context.now),), context)

    # Asked first: a repetition must not recall what was submitted again meanwhile.
    if not await is_repetition(request, deal.key, context):
        try:
            step = await request.service.commits.step(
                deal.key, context, if_visible(request, decide, check_version=False), known=request.known
            )
        except (Refusal, PreconditionFailed):
            if not await is_repetition(request, deal.key, context):
                raise
        else:
            if step is None:
                raise referral_not_found()
            await follow_up(request, step)
    return await partners_response(request, await load_registration(request, deal.key, registration_id))
