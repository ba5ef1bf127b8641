"""Messages between the parties of a deal (E3, L5)."""

from api.common.access import engagement_not_found, load_membership, own_referral
from api.http.body import read
from api.http.operation import operation
from api.http.problems import Forbidden
from api.http.request import Request
from api.http.response import Response
from api.referrals.request_schemas import MessageBody
from api.referrals.schemas import MessageView
from shared.domain.lifecycle import is_overdue, terminal_refusal
from shared.domain.referral import Referral
from shared.domain.refusals import NotAllowed
from shared.storage.engagements import Message


@operation(
    "POST",
    "v1.0/engagements/{engagementId}/messages",
    body=MessageBody,
    returns={201: MessageView},
    headers=("Idempotency-Key",),
)
async def post_message(request: Request) -> Response:
    """Send a message to all parties of a deal.

    The deal's creator and the parties that have accepted can send and read messages (E3).
    """
    membership = await load_membership(request, request.route_param("engagementId"))
    own = await own_referral(request, membership)
    if own is None:
        creator = await request.service.referrals.get(membership.creator)
        if creator and request.sees_partner_led(creator.value):
            raise Forbidden("Sellers can read partner-led deals, but not write messages in them.")
        raise engagement_not_found()
    parsed = read(MessageBody, request.body)
    _require_participant(request, own)
    parsed.require_valid()
    context = request.repeatable_context(f"{own.engagement_id}/messages")
    message = Message(
        sequence=0,
        at=request.now,
        organization_id=own.organization_id,
        author=request.caller.member.name,
        text=parsed.body.text or "",
        key_hash=context.key_hash,
    )
    stored = await request.service.engagements.append(own.engagement_id, message)
    return Response(status=201, body=message_view(stored))


def message_view(message: Message) -> MessageView:
    """A message as the parties see it."""
    return MessageView.from_domain(message, date_time=message.at)


def _require_participant(request: Request, own: Referral) -> None:
    """Only parties that work on the deal can send messages (E3, L5)."""
    if own.is_closed or is_overdue(own, request.now):
        raise terminal_refusal(own, "write into the conversation of")
    if own.status != "Active":
        raise NotAllowed("Accept the invitation first; then you can send messages.")
