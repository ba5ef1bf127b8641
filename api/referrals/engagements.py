"""Deals across organizations: their parties, their conversation, and those that are partner-led (V1, V3, E3, L7)."""

import re
from dataclasses import dataclass

from api.common.access import membership_of, own_referral, unknown_engagement
from api.common.response_parts import amount
from api.http.operation import SEEING, operation
from api.http.paging import PAGING, Option, page, place_of, top_of
from api.http.problems import BadQuery, Forbidden
from api.http.request import Request
from api.http.response import Response
from api.referrals.engagement_schemas import (
    DealView,
    EngagementCustomerView,
    EngagementView,
    PartnerLedPage,
    PartnerLedView,
    PartyContactView,
    PartyView,
)
from api.referrals.mapping import reason_text
from api.referrals.messages import message_view
from api.referrals.schemas import SolutionView
from shared.domain.referral import Contact, Referral, ReferralKey
from shared.storage.engagements import Membership, Message

_PLACE = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Seat:
    """One party of a deal: its referral, or what was invited while that is not in yet."""

    referral: Referral
    arrived: bool


@operation(
    "GET", "v1.0/engagements/{engagementId}", returns={200: (PartnerLedView, EngagementView)}, errors=SEEING
)
async def get_engagement(request: Request) -> Response:
    """Who takes part in a deal, and how far each is."""
    membership = await membership_of(request, request.in_route("engagementId"))
    own = await own_referral(request, membership)
    creator = await _referral(request, membership.creator)
    if own is None and request.sees_partner_led(creator):
        return Response(body=await _partner_led(request, creator, membership))
    if own is None:
        raise unknown_engagement()
    seats = await _seats(request, membership, own, creator)
    messages = await _conversation(request, own)
    return Response(
        body=EngagementView(
            id=creator.engagement_id,
            deal_type=creator.deal_type,
            customer=_customer(creator),
            parties=[_party(seat, own) for seat in seats],
            messages=[message_view(each) for each in messages],
        )
    )


@operation(
    "GET",
    "v1.0/engagements",
    query=(Option("dealType", {"enum": ["PartnerLed"]}, "The only list there is.", True), *PAGING),
    returns=PartnerLedPage,
    errors=(400, 403),
)
async def list_partner_led_deals(request: Request) -> Response:
    """The partner-led deals, for Microsoft's sellers (V3)."""
    top, place = top_of(request), place_of(request)
    if (request.options.get("dealType") or "").lower() != "partnerled":
        raise BadQuery("Ask for dealType=PartnerLed; other deals are read as referrals.")
    if place is not None and not _PLACE.fullmatch(place):
        raise BadQuery("$skiptoken is not one of ours: follow the nextLink as it is.")
    if "MicrosoftSeller" not in request.caller.referral_roles:
        raise Forbidden("Only Microsoft's sellers list the partner-led deals.")
    rows = await request.service.referrals.list_partner_led(place, top + 1)
    deals = await request.service.referrals.get_many(record for _, record in rows[:top] if record)
    shown = [await _partner_led(request, deal, None) for deal in deals if request.sees_partner_led(deal)]
    more = rows[top - 1][0] if len(rows) > top else None
    return Response(body=page(request, [view.document() for view in shown], more))


async def _seats(request: Request, membership: Membership, own: Referral, creator: Referral) -> list[Seat]:
    """Whom the caller sees (V1).

    All, if it created the deal or accepted; the creator and itself, if it has not answered; only itself, once it
    declined or let its time pass.
    """
    if own.accepted_at is None:
        mine = Seat(own, arrived=True)
        return (
            [Seat(creator, arrived=True), mine]
            if own.status == "New" and not own.belongs_to_creator
            else [mine]
        )
    sent = await request.service.referrals.invitations(creator.key) if own.belongs_to_creator else []
    found = await request.service.referrals.get_many(membership.invited)
    seats = {invitation.id: Seat(invitation, arrived=False) for invitation in sent}
    seats |= {referral.id: Seat(referral, arrived=True) for referral in found}
    latest = {seat.referral.organization_id: seat for _, seat in sorted(seats.items())}
    return [Seat(creator, arrived=True), *latest.values()]


async def _conversation(request: Request, own: Referral) -> tuple[Message, ...]:
    """The messages, for the creator and for parties that accepted (V1)."""
    if own.accepted_at is None:
        return ()
    return await request.service.engagements.messages(own.engagement_id)


async def _partner_led(request: Request, deal: Referral, membership: Membership | None) -> PartnerLedView:
    """A partner-led deal for sellers; the list shows its creator alone, one deal all its parties."""
    others = await request.service.referrals.get_many(membership.invited if membership else ())
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


async def _referral(request: Request, key: ReferralKey) -> Referral:
    stored = await request.service.referrals.get(key)
    if stored is None:
        raise unknown_engagement()
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
        team=[_person(each) for each in referral.team] if referral.belongs_to_creator else [],
    )


def _reason(referral: Referral, own: Referral) -> str | None:
    """Why a party ended, as another may read it (V1, L3, M7).

    The words of a decline are its inviter's to read, those of an outcome stay with their party. The code of either
    is the creator's to read, and of the creator's outcome everybody's.
    """
    reason = referral.status_reason
    if reason is None or referral.id == own.id:
        return reason_text(reason)
    if own.belongs_to_creator and referral.substatus == "Declined":
        return reason_text(reason)
    return reason.code if own.belongs_to_creator or referral.belongs_to_creator else None


def _team(referral: Referral, own: Referral) -> tuple[Contact, ...]:
    """Before it answers, an invitee sees of the creator's people those who were named for it (C2)."""
    return own.invite_context.team if referral.belongs_to_creator and own.status == "New" else referral.team


def _person(contact: Contact) -> PartyContactView:
    return PartyContactView(
        first_name=contact.first_name,
        last_name=contact.last_name,
        email=contact.email,
        phone_number=contact.phone_number,
    )
