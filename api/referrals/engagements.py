"""Read a deal across its organizations, and list the partner-led deals (V1, V3, E3, L7)."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from api.common.access import REFERRALS_ROUTE, engagement_not_found, load_membership, own_referral
from api.http.etags import etag_of_view, matches_if_none_match
from api.http.operation import operation
from api.http.paging import PAGING, Option, page, place_of, top_of
from api.http.problems import BadQuery, Forbidden
from api.http.request import Request
from api.http.response import Response
from api.http.schemas import View
from api.referrals.mapping import reason_text, sent_invitation_view, solution_views
from api.referrals.messages import message_view, visible_messages
from api.referrals.schemas import (
    DealView,
    EngagementCustomerView,
    EngagementView,
    PartnerLedPage,
    PartnerLedView,
    PartyContactView,
    PartyView,
    SentInvitationView,
)
from shared.domain.ids import ReferralId
from shared.domain.inviting import sender_of, solutions_for
from shared.domain.referral import Contact, Referral, ReferralKey
from shared.errors import RecordUnreadable
from shared.storage.engagements import Membership

logger = logging.getLogger(__name__)

LATEST_MESSAGES = 50
"""How many messages are shown with a deal; `list_messages` has them all."""


@dataclass(frozen=True, slots=True)
class PartyRecord:
    """A party's referral; until it is delivered, the invitation as it was sent.

    `invitation` is that invitation for its inviter, None for everybody else.
    """

    referral: Referral
    delivered: bool
    invitation: SentInvitationView | None = None


@operation(
    "GET",
    "v1.0/engagements/{engagementId}",
    returns={200: (PartnerLedView, EngagementView), 304: None},
    headers=("If-None-Match",),
)
async def get_engagement(request: Request) -> Response:
    """Get a deal with its parties and its latest 50 messages, oldest first.

    Its creator also sees what it sent to each party. A party that has not answered sees the creator and itself; one
    that has declined, or whose invitation has expired, sees only itself. Microsoft's sellers see partner-led deals
    without messages (V1, V3). The ETag changes with all that the caller sees here; 304 if `If-None-Match` names it.
    """
    membership = await load_membership(request, request.route_param("engagementId"))
    own = await own_referral(request, membership)
    creator = await _referral(request, membership.creator)
    if own is None and request.sees_partner_led(creator):
        return _response(request, await _partner_led(request, creator, membership))
    if own is None:
        raise engagement_not_found()
    parties = await _visible_parties(request, membership, own, creator)
    latest = await visible_messages(request, own, LATEST_MESSAGES)
    view = EngagementView(
        id=creator.engagement_id,
        deal_type=creator.deal_type,
        customer=_customer(creator),
        parties=[_party(each, own) for each in parties],
        messages=[message_view(each) for each in reversed(latest.found)],
    )
    return _response(request, view)


@operation(
    "GET",
    "v1.0/engagements",
    query=(Option("dealType", {"enum": ["PartnerLed"]}, "The only supported value.", True), *PAGING),
    returns=PartnerLedPage,
)
async def list_partner_led_deals(request: Request) -> Response:
    """List the partner-led deals, for Microsoft's sellers (V3)."""
    top, place = top_of(request), place_of(request, "[0-9a-f]{32}")
    if (request.options.get("dealType") or "").lower() != "partnerled":
        raise BadQuery(f"Send dealType=PartnerLed; list other deals with /{REFERRALS_ROUTE}.")
    if "MicrosoftSeller" not in request.caller.referral_roles:
        raise Forbidden("Only Microsoft's sellers list the partner-led deals.")
    rows = await request.service.referrals.list_partner_led(place, top + 1)
    deals = await request.service.referrals.get_many(record for _, record in rows[:top] if record)
    views = [await _partner_led(request, deal, None) for deal in deals if request.sees_partner_led(deal)]
    more = rows[top - 1][0] if len(rows) > top else None
    return Response(body=page(request, views, more))


def _response(request: Request, view: View) -> Response:
    etag = etag_of_view(view)
    if matches_if_none_match(request, etag):
        return Response(status=304, headers={"ETag": etag})
    return Response(body=view, headers={"ETag": etag})


async def _visible_parties(
    request: Request, membership: Membership, own: Referral, creator: Referral
) -> list[PartyRecord]:
    """The parties that the caller sees; `get_engagement` says which (V1)."""
    if own.accepted_at is None:
        visible = [creator, own] if own.status == "New" and not own.belongs_to_creator else [own]
        return [PartyRecord(each, delivered=True) for each in visible]
    sent = await request.service.referrals.invitations(creator.key) if own.belongs_to_creator else []
    asked = await _sent_invitations(request, creator, sent)
    found = await request.service.referrals.get_many(membership.invited)
    records = {each.id: PartyRecord(each, delivered=False, invitation=asked[each.id]) for each in sent}
    records |= {each.id: PartyRecord(each, delivered=True, invitation=asked.get(each.id)) for each in found}
    latest = {each.referral.organization_id: each for _, each in sorted(records.items())}
    return [PartyRecord(creator, delivered=True), *latest.values()]


async def _sent_invitations(
    request: Request, creator: Referral, sent: list[Referral]
) -> dict[ReferralId, SentInvitationView]:
    """What the creator asked for with each invitation, by the invitee's referral; nothing is read without any."""
    if not sent:
        return {}
    timeline = await request.service.referrals.entries(creator.key)
    chosen = (solution.id for each in sent for solution in each.terms.solutions)
    try:
        catalogue = await request.service.directory.solutions(chosen)
    except RecordUnreadable as damaged:
        logger.error("solutions_shown_as_sent engagement=%s: %s", creator.engagement_id, damaged)  # noqa: TRY400
        catalogue = {}
    return {
        each.id: sent_invitation_view(
            each,
            solutions_for(creator.organization_id, each.terms.solutions, catalogue),
            sender_of(each, timeline),
        )
        for each in sent
    }


async def _partner_led(request: Request, deal: Referral, membership: Membership | None) -> PartnerLedView:
    """A partner-led deal as sellers see it; with `membership` all its parties, otherwise its creator only."""
    others = await request.service.referrals.get_many(membership.invited if membership else ())
    latest = {referral.organization_id: referral for referral in sorted(others, key=lambda each: each.id)}
    terms = deal.terms
    return PartnerLedView(
        id=deal.engagement_id,
        deal_type=deal.deal_type,
        customer=_customer(deal),
        parties=[_party_for_sellers(each) for each in (deal, *latest.values())],
        messages=[],
        deal=DealView.from_domain(
            deal,
            deal_value=terms.deal_value,
            currency=terms.currency,
            closing_date_time=terms.closing_at,
            solutions=solution_views(terms.solutions),
        ),
    )


async def _referral(request: Request, key: ReferralKey) -> Referral:
    stored = await request.service.referrals.get(key)
    if stored is None:
        raise engagement_not_found()
    return stored.value


def _customer(deal: Referral) -> EngagementCustomerView:
    return EngagementCustomerView(name=deal.customer.name, country=deal.customer.address.country)


def _party(party: PartyRecord, own: Referral) -> PartyView:
    referral = party.referral
    view = _party_view(
        referral, _visible_team(referral, own), _visible_reason(referral, own), party.invitation
    )
    return view if party.delivered else view.model_copy(update={"status": "Sending", "substatus": None})


def _party_for_sellers(referral: Referral) -> PartyView:
    """A party of a partner-led deal: sellers see the people of its creator, whom they may talk to, but no others."""
    return _party_view(referral, referral.team if referral.belongs_to_creator else (), None)


def _party_view(
    referral: Referral,
    team: Iterable[Contact],
    reason: str | None,
    invitation: SentInvitationView | None = None,
) -> PartyView:
    return PartyView.from_domain(
        referral,
        role="invited" if referral.direction == "Incoming" else "creator",
        status_reason=reason,
        team=[PartyContactView.from_domain(each) for each in team],
        invitation=invitation,
    )


def _visible_reason(referral: Referral, own: Referral) -> str | None:
    """The reason why a party was closed, as far as the caller may read it (V1, L3, M7).

    The notes of a decline are for its inviter, those of an outcome for the party itself. The codes of both are for
    the deal's creator; the code of the creator's outcome is for all parties.
    """
    reason = referral.status_reason
    if reason is None or referral.id == own.id:
        return reason_text(reason)
    if own.belongs_to_creator and referral.substatus == "Declined":
        return reason_text(reason)
    return reason.code if own.belongs_to_creator or referral.belongs_to_creator else None


def _visible_team(referral: Referral, own: Referral) -> tuple[Contact, ...]:
    """A party's team; before it answers, an invitee sees only the creator's people named in its invitation (C2)."""
    return own.invite_context.team if referral.belongs_to_creator and own.status == "New" else referral.team
