"""Creating deals and the referrals of their invitees (rules C1, C2, T4, T5)."""

from dataclasses import dataclass, replace
from datetime import timedelta

from shared.domain.catalogue import Catalogue
from shared.domain.change import Change, CommandContext, EntryDraft, created, names_of
from shared.domain.customer import build_customer
from shared.domain.deal_rules import match_deal_customer
from shared.domain.deal_type import type_of
from shared.domain.draft import DealDraft
from shared.domain.ids import EngagementId, ReferralId
from shared.domain.inviting import InvitationFactory, record_invited_parties, terms_of
from shared.domain.lifecycle import withdraw, withdraws_invitation
from shared.domain.referral import InviteContext, Referral, ReferralKey, Target
from shared.domain.timeline import Actor
from shared.domain.work import Invite, Notify, Publish, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIds:
    """The ids of a new deal, generated before anything is stored; `invitees` has one for every invitation."""

    referral: ReferralId
    engagement: EngagementId
    invitees: tuple[ReferralId, ...]


def create_deal(
    draft: DealDraft, catalogue: Catalogue, ids: NewIds, context: CommandContext, response_window: timedelta
) -> Change:
    """Create a deal: Active / Accepted, stage Created (C1). The draft must have no faults."""
    deal = _deal(draft, catalogue, ids, context)
    factory = InvitationFactory(
        catalogue=catalogue, ids=ids.invitees, now=context.now, response_window=response_window
    )
    invitations = factory.create(deal, draft.all_invitations)
    deal = record_invited_parties(deal, invitations)
    deal = replace(deal, deal_type=type_of(deal))
    invitations = tuple(replace(each, deal_type=deal.deal_type) for each in invitations)
    entry = EntryDraft(kind="created", details=names_of(deal.invited))
    return created(deal, (entry,), context, creation_tasks(deal), invitations)


def creation_tasks(deal: Referral) -> tuple[Task, ...]:
    """The tasks of a new deal."""
    invite: tuple[Task, ...] = (Invite(parties=deal.invited_keys),) if deal.invited else ()
    return (*invite, Publish()) if deal.deal_type == "PartnerLed" else invite


def receive_invitation(invitation: Referral, creator: Referral, context: CommandContext) -> Change:
    """Create an invitee's referral: New / Pending, with the content decided when it was invited (C2).

    `creator` is the creator's referral as last read. It provides the deal's type; if it has closed the deal, the
    invitation is created closed and nobody is notified. A later change of the deal reaches the invitation through
    the work of that change, which waits until the invitation exists (L8, T1).
    """
    invitation = replace(invitation, deal_type=creator.deal_type)
    received = replace(context, actor=Actor(organization_id=creator.organization_id))
    if withdraws_invitation(creator, invitation.organization_id):
        closed = replace(withdraw(invitation, context).after, version=1, sequence=1)
        return replace(created(closed, (EntryDraft(kind="withdrawn"),), received, ()), work=None)
    tasks = (Notify(message="invited", audience="invitee"),)
    return created(invitation, arrival_entries(invitation), received, tasks)


def arrival_entries(referral: Referral) -> tuple[EntryDraft, ...]:
    """The first timeline entries of a new inbound referral: its location, and where it was routed to (P2, P3)."""
    location = {"location": referral.location} if referral.location else {}
    received = EntryDraft(kind="received", details=location)
    if referral.routed is None:
        return (received,)
    routed = referral.routed
    details = {"team": routed.team, "teamName": routed.team_name, "rule": routed.rule or "default"}
    return (received, EntryDraft(kind="routed", details=details))


def _deal(draft: DealDraft, catalogue: Catalogue, ids: NewIds, context: CommandContext) -> Referral:
    creator = catalogue.creator
    location = creator.location(draft.location or creator.default_location)
    return Referral(
        id=ids.referral,
        engagement_id=ids.engagement,
        organization_id=creator.id,
        organization_name=creator.name,
        creator=ReferralKey(organization_id=creator.id, referral_id=ids.referral),
        name=draft.name or "",
        external_reference_id=draft.external_reference_id,
        campaign_id=draft.campaign_id,
        location=location.id if location else None,
        target=tuple(Target(type="SolutionProfile", id=each) for each in draft.solution_profiles),
        direction="Outgoing",
        sharing=draft.sharing,
        deal_type="Private",  # the final type depends on the invitations
        status="Active",
        substatus="Accepted",
        sales_stage="Created",
        customer=build_customer(draft.customer, match_deal_customer(draft, catalogue).entity),
        consent=draft.consent,
        terms=terms_of(draft.terms, catalogue, creator.id, None),
        notes=draft.notes,
        industries=draft.industries,
        products=draft.products,
        services=draft.services,
        customer_requested_contact=draft.customer_requested_contact,
        team=tuple(contact.complete() for contact in draft.team),
        invite_context=InviteContext(notes=draft.invite_notes, help_code=draft.microsoft_code),
        created_at=context.now,
        updated_at=context.now,
        accepted_at=context.now,
    )
