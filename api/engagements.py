"""`GET /v1.0/engagements/{engagementId}`: the parties of a deal, as the caller may see them (V1, L7)."""

import asyncio
from dataclasses import dataclass
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from api.exchange import Answer, Exchange, respond
from api.problems import NotFound
from api.referral_resource import reason_text
from shared.domain.ids import EngagementId, is_uuid
from shared.domain.permissions import may_see
from shared.domain.referral import Contact, Party, Referral
from shared.storage.engagements import Membership

blueprint = df.Blueprint()


@blueprint.route("v1.0/engagements/{engagementId}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def get_engagement(req: func.HttpRequest) -> func.HttpResponse:
    """Who takes part in a deal, and how far each is."""
    return await respond(req, viewed)


@dataclass(frozen=True, slots=True)
class Seat:
    """One party of a deal: its referral, or what was invited while that is not in yet."""

    referral: Referral
    arrived: bool


async def viewed(exchange: Exchange) -> Answer:
    """The engagement through the caller's own referral; without one it reads like an unknown id (V5)."""
    identifier = exchange.request.route_params.get("engagementId", "").lower()
    engagement_id = EngagementId(identifier)
    membership = await exchange.service.engagements.get(engagement_id) if is_uuid(identifier) else None
    own = await _own(exchange, membership) if membership else None
    if membership is None or own is None:
        raise NotFound("There is no such engagement.")
    creator = await _referral(exchange, membership.creator)
    if creator is None:
        raise NotFound("There is no such engagement.")
    seats = await _seats(exchange, membership, own, creator)
    return Answer(
        body={
            "id": engagement_id,
            "dealType": creator.deal_type,
            "customer": {"name": creator.customer.name, "country": creator.customer.address.country},
            "parties": [_party(seat, own) for seat in seats],
            "messages": [],
        }
    )


async def _own(exchange: Exchange, membership: Membership) -> Referral | None:
    """The caller's latest referral in the deal."""
    organization = exchange.caller.organization.id
    mine = [p for p in (membership.creator, *membership.invited) if p.organization_id == organization]
    found = await asyncio.gather(*(_referral(exchange, party) for party in mine))
    visible = [referral for referral in found if referral and may_see(exchange.caller, referral)]
    return max(visible, key=lambda referral: referral.id, default=None)


async def _seats(exchange: Exchange, membership: Membership, own: Referral, creator: Referral) -> list[Seat]:
    """Whom the caller sees (V1).

    All, if it created the deal or accepted; the creator and itself, if it has not answered; only itself, once it
    declined or let its time pass.
    """
    if own.accepted_at is None:
        return (
            [Seat(creator, arrived=True), Seat(own, arrived=True)]
            if own.status == "New"
            else [Seat(own, True)]
        )
    sent = await exchange.service.referrals.invitations(creator.party) if own.is_creators else []
    pending = {invitation.id: invitation for invitation in sent}
    found = await asyncio.gather(*(_referral(exchange, party) for party in membership.invited))
    arrived = {referral.id: referral for referral in found if referral}
    seats = {key: Seat(referral, arrived=False) for key, referral in pending.items()}
    seats |= {key: Seat(referral, arrived=True) for key, referral in arrived.items()}
    latest = {seat.referral.organization_id: seat for _, seat in sorted(seats.items())}
    return [Seat(creator, arrived=True), *latest.values()]


async def _referral(exchange: Exchange, party: Party) -> Referral | None:
    stored = await exchange.service.referrals.get(party)
    return stored.value if stored else None


def _party(seat: Seat, own: Referral) -> dict[str, Any]:
    referral = seat.referral
    return {
        "organizationId": referral.organization_id,
        "organizationName": referral.organization_name,
        "role": "creator" if referral.is_creators else "invited",
        "status": referral.status if seat.arrived else "Sending",
        "substatus": referral.substatus if seat.arrived else None,
        "statusReason": _reason(referral, own),
        "salesStage": referral.sales_stage,
        "team": [_contact(each) for each in _team(referral, own)],
    }


def _reason(referral: Referral, own: Referral) -> str | None:
    """A party's reason and words are its inviter's and its own to read; of the creator's outcome, the code is."""
    if referral.id == own.id or own.is_creators:
        return reason_text(referral.status_reason)
    return referral.status_reason.code if referral.is_creators and referral.status_reason else None


def _team(referral: Referral, own: Referral) -> tuple[Contact, ...]:
    """Before it answers, an invitee sees of the creator's people those who were named for it (C2)."""
    return own.invite_context.team if referral.is_creators and own.status == "New" else referral.team


def _contact(contact: Contact) -> dict[str, str]:
    return {
        "firstName": contact.first_name,
        "lastName": contact.last_name,
        "email": contact.email,
        "phoneNumber": contact.phone_number,
    }
