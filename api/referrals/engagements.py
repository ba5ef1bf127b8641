"""Deals across organizations: their parties, their conversation, and those that are partner-led (V1, V3, E3, L7)."""

import re
from dataclasses import dataclass

import azure.durable_functions as df
import azure.functions as func

from api.http.body import read
from api.http.etags import page, place_of, refuse_unknown_options, top_of
from api.http.problems import BadQuery, Forbidden, NotFound
from api.http.request import Answer, Exchange, respond
from api.referrals.engagement_schemas import (
    DealView,
    EngagementCustomerView,
    EngagementView,
    MessageView,
    PartnerLedView,
    PartyView,
    PersonView,
)
from api.referrals.mapping import amount, reason_text
from api.referrals.request_schemas import MessageBody
from api.referrals.schemas import SolutionView
from shared.domain.ids import EngagementId, is_uuid
from shared.domain.lifecycle import is_overdue, terminal_refusal
from shared.domain.referral import Contact, Party, Referral
from shared.domain.refusals import Invalid, NotAllowed
from shared.storage.engagements import Membership, Message

blueprint = df.Blueprint()
ANONYMOUS = func.AuthLevel.ANONYMOUS
_PLACE = re.compile("[0-9a-f]{32}")


@blueprint.route("v1.0/engagements/{engagementId}", methods=["GET"], auth_level=ANONYMOUS)
async def get_engagement(req: func.HttpRequest) -> func.HttpResponse:
    """Who takes part in a deal, and how far each is."""
    return await respond(req, viewed)


@blueprint.route("v1.0/engagements/{engagementId}/messages", methods=["POST"], auth_level=ANONYMOUS)
async def say(req: func.HttpRequest) -> func.HttpResponse:
    """Add to the conversation of the parties (E3). 201."""
    return await respond(req, said)


@blueprint.route("v1.0/engagements", methods=["GET"], auth_level=ANONYMOUS)
async def list_partner_led(req: func.HttpRequest) -> func.HttpResponse:
    """The partner-led deals, for Microsoft's sellers (V3)."""
    return await respond(req, partner_led)


@dataclass(frozen=True, slots=True)
class Seat:
    """One party of a deal: its referral, or what was invited while that is not in yet."""

    referral: Referral
    arrived: bool


async def viewed(exchange: Exchange) -> Answer:
    """The engagement through the caller's own referral, or for a seller as a partner-led deal; else unknown (V5)."""
    membership = await _membership(exchange)
    own = await _own(exchange, membership)
    creator = await _referral(exchange, membership.creator)
    if own is None and exchange.sees_partner_led(creator):
        return Answer(body=await _partner_led(exchange, creator, membership))
    if own is None:
        raise NotFound("There is no such engagement.")
    seats = await _seats(exchange, membership, own, creator)
    messages = await _conversation(exchange, own)
    return Answer(
        body=EngagementView(
            id=creator.engagement_id,
            deal_type=creator.deal_type,
            customer=_customer(creator),
            parties=[_party(seat, own) for seat in seats],
            messages=[_message(each) for each in messages],
        )
    )


async def said(exchange: Exchange) -> Answer:
    """One message more. Only who works on the deal takes part in its conversation (E3, L5)."""
    reading = read(MessageBody, exchange.json())
    membership = await _membership(exchange)
    own = await _own(exchange, membership)
    if own is None:
        creator = await _referral(exchange, membership.creator)
        if exchange.sees_partner_led(creator):
            raise Forbidden("Sellers read partner-led deals; they do not take part in them.")
        raise NotFound("There is no such engagement.")
    _require_taking_part(exchange, own)
    if reading.faults:
        raise Invalid(reading.faults)
    who = exchange.who_repeats(f"{own.engagement_id}/messages")
    message = Message(
        sequence=0,
        at=exchange.now,
        organization_id=own.organization_id,
        author=exchange.caller.person.name,
        text=reading.body.text or "",
        key_hash=who.key_hash,
    )
    kept = await exchange.service.engagements.say(own.engagement_id, message)
    return Answer(status=201, body=_message(kept))


async def partner_led(exchange: Exchange) -> Answer:
    """A page of the deals that are partner-led now, newest first; each is looked at where it lives (V2, V3)."""
    refuse_unknown_options(exchange.request, frozenset({"dealType", "$top", "$skiptoken"}))
    top, place = top_of(exchange.request), place_of(exchange.request)
    if (exchange.request.params.get("dealType") or "").lower() != "partnerled":
        raise BadQuery("Ask for dealType=PartnerLed; other deals are read as referrals.")
    if place is not None and not _PLACE.fullmatch(place):
        raise BadQuery("$skiptoken is not one of ours: follow the nextLink as it is.")
    if "MicrosoftSeller" not in exchange.caller.referral_roles:
        raise Forbidden("Only Microsoft's sellers list the partner-led deals.")
    rows = await exchange.service.referrals.shown_to_sellers(place, top + 1)
    deals = await exchange.service.referrals.several(party for _, party in rows[:top] if party)
    shown = [await _partner_led(exchange, deal, None) for deal in deals if exchange.sees_partner_led(deal)]
    more = rows[top - 1][0] if len(rows) > top else None
    return Answer(body=page(exchange.request, [view.document() for view in shown], more))


async def _membership(exchange: Exchange) -> Membership:
    identifier = exchange.request.route_params.get("engagementId", "").lower()
    found = await exchange.service.engagements.get(EngagementId(identifier)) if is_uuid(identifier) else None
    if found is None:
        raise NotFound("There is no such engagement.")
    return found


async def _own(exchange: Exchange, membership: Membership) -> Referral | None:
    """The caller's latest referral in the deal."""
    organization = exchange.caller.organization.id
    mine = [p for p in (membership.creator, *membership.invited) if p.organization_id == organization]
    found = await exchange.service.referrals.several(mine)
    visible = [referral for referral in found if exchange.sees(referral)]
    return max(visible, key=lambda referral: referral.id, default=None)


async def _seats(exchange: Exchange, membership: Membership, own: Referral, creator: Referral) -> list[Seat]:
    """Whom the caller sees (V1).

    All, if it created the deal or accepted; the creator and itself, if it has not answered; only itself, once it
    declined or let its time pass.
    """
    if own.accepted_at is None:
        mine = Seat(own, arrived=True)
        return [Seat(creator, arrived=True), mine] if own.status == "New" and not own.is_creators else [mine]
    sent = await exchange.service.referrals.invitations(creator.party) if own.is_creators else []
    found = await exchange.service.referrals.several(membership.invited)
    seats = {invitation.id: Seat(invitation, arrived=False) for invitation in sent}
    seats |= {referral.id: Seat(referral, arrived=True) for referral in found}
    latest = {seat.referral.organization_id: seat for _, seat in sorted(seats.items())}
    return [Seat(creator, arrived=True), *latest.values()]


async def _conversation(exchange: Exchange, own: Referral) -> tuple[Message, ...]:
    """The messages, for the creator and for parties that accepted (V1)."""
    if own.accepted_at is None:
        return ()
    return await exchange.service.engagements.messages(own.engagement_id)


async def _partner_led(exchange: Exchange, deal: Referral, membership: Membership | None) -> PartnerLedView:
    """A partner-led deal for sellers; the list shows its creator alone, one deal all its parties."""
    others = await exchange.service.referrals.several(membership.invited if membership else ())
    latest = {referral.organization_id: referral for referral in sorted(others, key=lambda each: each.id)}
    terms = deal.terms
    return PartnerLedView(
        id=deal.engagement_id,
        deal_type=deal.deal_type,
        customer=_customer(deal),
        parties=[_seen_by_seller(each) for each in (deal, *latest.values())],
        messages=[],
        deal=DealView(
            name=deal.name,
            deal_value=amount(terms.deal_value),
            currency=terms.currency,
            closing_date_time=terms.closing_at,
            sales_stage=deal.sales_stage,
            solutions=[SolutionView(id=each.id, name=each.name, type=each.kind) for each in terms.solutions],
        ),
    )


def _require_taking_part(exchange: Exchange, own: Referral) -> None:
    if own.is_closed or is_overdue(own, exchange.now):
        raise terminal_refusal(own, "write into the conversation of")
    if own.status != "Active":
        raise NotAllowed("Accept the invitation first; then you take part in the conversation.")


async def _referral(exchange: Exchange, party: Party) -> Referral:
    stored = await exchange.service.referrals.get(party)
    if stored is None:
        raise NotFound("There is no such engagement.")
    return stored.value


def _customer(deal: Referral) -> EngagementCustomerView:
    return EngagementCustomerView(name=deal.customer.name, country=deal.customer.address.country)


def _party(seat: Seat, own: Referral) -> PartyView:
    referral = seat.referral
    return PartyView(
        organization_id=referral.organization_id,
        organization_name=referral.organization_name,
        role="invited" if referral.direction == "Incoming" else "creator",
        status=referral.status if seat.arrived else "Sending",
        substatus=referral.substatus if seat.arrived else None,
        status_reason=_reason(referral, own),
        sales_stage=referral.sales_stage,
        team=[_person(each) for each in _team(referral, own)],
    )


def _seen_by_seller(referral: Referral) -> PartyView:
    """A party of a partner-led deal: its creator's people are there to be talked to, the others' are not."""
    return PartyView(
        organization_id=referral.organization_id,
        organization_name=referral.organization_name,
        role="invited" if referral.direction == "Incoming" else "creator",
        status=referral.status,
        substatus=referral.substatus,
        status_reason=None,
        sales_stage=referral.sales_stage,
        team=[_person(each) for each in referral.team] if referral.is_creators else [],
    )


def _reason(referral: Referral, own: Referral) -> str | None:
    """Why a party ended, as another may read it (V1, L3, M7).

    The words of a decline are its inviter's to read, those of an outcome stay with their party. The code of either
    is the creator's to read, and of the creator's outcome everybody's.
    """
    reason = referral.status_reason
    if reason is None or referral.id == own.id:
        return reason_text(reason)
    if own.is_creators and referral.substatus == "Declined":
        return reason_text(reason)
    return reason.code if own.is_creators or referral.is_creators else None


def _team(referral: Referral, own: Referral) -> tuple[Contact, ...]:
    """Before it answers, an invitee sees of the creator's people those who were named for it (C2)."""
    return own.invite_context.team if referral.is_creators and own.status == "New" else referral.team


def _person(contact: Contact) -> PersonView:
    return PersonView(
        first_name=contact.first_name,
        last_name=contact.last_name,
        email=contact.email,
        phone_number=contact.phone_number,
    )


def _message(message: Message) -> MessageView:
    return MessageView(
        sequence=message.sequence,
        date_time=message.at,
        organization_id=message.organization_id,
        author=message.author,
        text=message.text,
    )
