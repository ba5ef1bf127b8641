"""The conversation of a deal's parties (E3, L5)."""

from api.common.access import membership_of, own_referral, unknown_engagement
from api.http.body import read
from api.http.operation import CREATING, operation
from api.http.problems import Forbidden
from api.http.request import Request
from api.http.response import Response
from api.referrals.engagement_schemas import MessageView
from api.referrals.request_schemas import MessageBody
from shared.domain.lifecycle import is_overdue, terminal_refusal
from shared.domain.referral import Referral
from shared.domain.refusals import Invalid, NotAllowed
from shared.storage.engagements import Message


@operation(
    "POST",
    "v1.0/engagements/{engagementId}/messages",
    body=MessageBody,
    returns={201: MessageView},
    errors=CREATING,
    headers=("Idempotency-Key",),
)
async def post_message(request: Request) -> Response:
    """Add to the conversation of the parties (E3). 201."""
    reading = read(MessageBody, request.body)
    membership = await membership_of(request, request.in_route("engagementId"))
    own = await own_referral(request, membership)
    if own is None:
        creator = await request.service.referrals.get(membership.creator)
        if creator and request.sees_partner_led(creator.value):
            raise Forbidden("Sellers read partner-led deals; they do not take part in them.")
        raise unknown_engagement()
    _require_part(request, own)
    if reading.faults:
        raise Invalid(reading.faults)
    context = request.repeatable_context(f"{own.engagement_id}/messages")
    message = Message(
        sequence=0,
        at=request.now,
        organization_id=own.organization_id,
        author=request.caller.person.name,
        text=reading.body.text or "",
        key_hash=context.key_hash,
    )
    kept = await request.service.engagements.append(own.engagement_id, message)
    return Response(status=201, body=message_view(kept))


def message_view(message: Message) -> MessageView:
    """A message as its readers see it."""
    return MessageView(
        sequence=message.sequence,
        date_time=message.at,
        organization_id=message.organization_id,
        author=message.author,
        text=message.text,
    )


def _require_part(request: Request, own: Referral) -> None:
    """Only who works on the deal takes part in its conversation (E3, L5)."""
    if own.is_closed or is_overdue(own, request.now):
        raise terminal_refusal(own, "write into the conversation of")
    if own.status != "Active":
        raise NotAllowed("Accept the invitation first; then you take part in the conversation.")
