"""Messages between the parties of a deal (E3, L5, U2)."""

from api.common.access import engagement_not_found, load_membership, own_referral
from api.http.body import ParsedBody, read
from api.http.operation import operation
from api.http.paging import PAGING, page, place_of, top_of
from api.http.problems import Forbidden, TooManyRequests
from api.http.request import Request
from api.http.response import Response
from api.referrals.request_schemas import MessageBody, ReadBody
from api.referrals.schemas import MessagesPage, MessageView
from shared.domain.lifecycle import is_overdue, terminal_refusal
from shared.domain.quotas import QuotaReached, require_room_in_conversation
from shared.domain.referral import Referral
from shared.domain.refusals import Fault, NotAllowed, Refusal
from shared.errors import Contended
from shared.storage.engagements import Membership, Message, Messages

MESSAGES_ROUTE = "v1.0/engagements/{engagementId}/messages"
_NONE = Messages((), None)


@operation("GET", MESSAGES_ROUTE, query=PAGING, returns=MessagesPage)
async def list_messages(request: Request) -> Response:
    """List the messages of a deal, newest first.

    They are for the deal's creator and the parties that have accepted; for other parties, and for Microsoft's sellers
    of a partner-led deal, the list is empty (E3).
    """
    top, place = top_of(request), place_of(request, r"[1-9]\d{0,5}")
    membership = await load_membership(request, request.route_param("engagementId"))
    own = await own_referral(request, membership)
    if own is None and not await _is_shown_to_seller(request, membership):
        raise engagement_not_found()
    before = int(place) if place else None
    found = await visible_messages(request, own, top, before) if own else _NONE
    more = None if found.before is None else str(found.before)
    return Response(body=page(request, [message_view(each) for each in found.found], more))


@operation(
    "POST",
    MESSAGES_ROUTE,
    body=MessageBody,
    returns={201: MessageView},
    errors=(429,),
    headers=("Idempotency-Key",),
)
async def post_message(request: Request) -> Response:
    """Send a message to all parties of a deal.

    The deal's creator and the parties that have accepted can send and read messages (E3). Each party can send a
    limited number in an hour, and in a deal (U2).
    """
    membership = await load_membership(request, request.route_param("engagementId"))
    own = await own_referral(request, membership)
    if own is None:
        if await _is_shown_to_seller(request, membership):
            raise Forbidden("Sellers can read partner-led deals, but not write messages in them.")
        raise engagement_not_found()
    parsed = read(MessageBody, request.body)
    key_hash = request.repeatable_context(f"{own.engagement_id}/messages").key_hash
    try:
        stored = await _post(request, own, parsed, key_hash)
    except (Refusal, TooManyRequests, _Repeated):
        posted = key_hash and await request.service.engagements.message_of_key(own.engagement_id, key_hash)
        if not posted:
            raise
        stored = posted
    return Response(status=201, body=message_view(stored))


@operation("PUT", f"{MESSAGES_ROUTE}/read", body=ReadBody, returns={204: None})
async def mark_messages_read(request: Request) -> Response:
    """Say up to which message the caller has read the conversation; `unreadMessages` counts those after it.

    Going back has no effect (N8).
    """
    membership = await load_membership(request, request.route_param("engagementId"))
    own = await own_referral(request, membership)
    if own is None:
        raise engagement_not_found()
    parsed = read(ReadBody, request.body)
    latest = await request.service.engagements.last_message(own.engagement_id) if own.accepted_at else 0
    sequence = parsed.body.sequence or 0
    parsed.require_valid(_faults_of_mark(sequence, latest))
    if sequence:
        await request.service.referrals.mark_read(request.caller.member, own.key, sequence)
    return Response(status=204)


def _faults_of_mark(sequence: int, latest: int) -> tuple[Fault, ...]:
    if sequence <= latest:
        return ()
    message = f"The latest message that you can read is {latest}."
    return (Fault("outOfRange", "/sequence", message),)


class _Repeated(Contended):
    """There is a message under this idempotency key already."""


async def visible_messages(
    request: Request, own: Referral, limit: int, before: int | None = None
) -> Messages:
    """The latest messages that a party sees in a deal, `own` being its referral; none until it accepts (E3)."""
    if own.accepted_at is None:
        return _NONE
    return await request.service.engagements.messages(own.engagement_id, limit, before)


def message_view(message: Message) -> MessageView:
    """A message as the parties see it."""
    return MessageView.from_domain(message, date_time=message.at)


async def _post(
    request: Request, own: Referral, parsed: ParsedBody[MessageBody], key_hash: str | None
) -> Message:
    """Append the message within the party's quotas, of which a repetition needs nothing.

    Raises `_Repeated`, `TooManyRequests`, `Refusal`, `Contended`.
    """
    limits = request.service.settings.limits
    party = own.engagement_id, own.organization_id
    try:
        async with request.service.quotas.message(*party, request.now) as written:
            _require_participant(request, own)
            require_room_in_conversation(limits.messages_per_deal, written)
            parsed.require_valid()
            message = Message(
                sequence=0,
                at=request.now,
                organization_id=own.organization_id,
                author=request.caller.member.name,
                text=parsed.body.text or "",
                key_hash=key_hash,
            )
            await request.service.conversations.announce(own.key, request.now)
            stored = await request.service.engagements.append(own.engagement_id, message)
            if stored is None:
                raise _Repeated("The message of this key is being stored: repeat the request in a second.")
            request.service.follow_ups.begin_other(_follow_up(request, own, stored.sequence))
            return stored
    except QuotaReached as reached:
        raise TooManyRequests(
            f"Your organization can send {limits.messages_per_hour:,} messages an hour in a deal: put what you have "
            "to say into fewer messages, or go on in the next hour.",
            reached.retry_after,
        ) from reached


async def _follow_up(request: Request, own: Referral, sequence: int) -> None:
    """Show the message to all that read the conversation; the author has read it. Its mail does the former again."""
    await request.service.referrals.mark_read(request.caller.member, own.key, sequence)
    await request.service.conversations.move_parties(own.engagement_id, sequence, request.now)


async def _is_shown_to_seller(request: Request, membership: Membership) -> bool:
    """Whether the caller is a seller who may see this deal as a partner-led one (V3)."""
    creator = await request.service.referrals.get(membership.creator)
    return creator is not None and request.sees_partner_led(creator.value)


def _require_participant(request: Request, own: Referral) -> None:
    """Only parties that work on the deal can send messages (E3, L5)."""
    if own.is_closed or is_overdue(own, request.now):
        raise terminal_refusal(own, "write into the conversation of")
    if own.status != "Active":
        raise NotAllowed("Accept the invitation first; then you can send messages.")
