"""How a deal and its invitations come into being (rules C1 to C3)."""

from dataclasses import dataclass, replace
from datetime import timedelta

from shared.domain.change import Act, Change, beginning
from shared.domain.customer import settled_customer
from shared.domain.deal_rules import Catalogue, settlement_of
from shared.domain.deal_type import deal_type
from shared.domain.directory import CatalogueSolution, Organization
from shared.domain.draft import DealDraft, InvitationDraft, TermsDraft
from shared.domain.ids import EngagementId, OrganizationId, ReferralId
from shared.domain.lifecycle import is_withdrawn_with, withdraw
from shared.domain.referral import InviteContext, Party, Referral, Solution, Target, Terms
from shared.domain.timeline import Actor
from shared.domain.vocabulary import MICROSOFT, NO_HELP
from shared.domain.work import Invite, Notify


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIds:
    """The ids drawn for a deal before anything is stored; `invitees` are enough for every invitation."""

    referral: ReferralId
    engagement: EngagementId
    invitees: tuple[ReferralId, ...]


def create_deal(
    draft: DealDraft, catalogue: Catalogue, ids: NewIds, act: Act, response_window: timedelta
) -> Change:
    """The first step of a deal whose draft has no faults: Active / Accepted, stage Created (C1)."""
    deal = _deal(draft, catalogue, ids, act)
    invite = _Inviting(deal, draft, catalogue, ids, response_window)
    invitations = invite.everybody()
    deal = replace(
        deal,
        target=tuple(invitation.target[0] for invitation in invitations),
        sharing="Shared" if invitations else deal.sharing,
    )
    tasks = (Invite(parties=tuple(i.party for i in invitations)),) if invitations else ()
    return beginning(deal, "created", act, tasks, invitations)


def receive_invitation(invitation: Referral, creator: Referral, act: Act) -> Change:
    """The first step of an invitee's referral: New / Pending, as it was decided when it was invited (C2).

    `creator` is the creator's referral as just read: an invitation of a deal that was closed meanwhile comes into
    being closed, and nobody is told of it.
    """
    received = replace(act, actor=Actor(organization_id=creator.organization_id))
    if is_withdrawn_with(creator, invitation.organization_id):
        closed = replace(withdraw(invitation, act).after, version=1, sequence=1)
        return replace(beginning(closed, "withdrawn", received, ()), work=None)
    told = (Notify(message="invited", audience="invitee"),)
    return beginning(invitation, "received", received, told)


def _deal(draft: DealDraft, catalogue: Catalogue, ids: NewIds, act: Act) -> Referral:
    creator = catalogue.creator
    location = creator.location(draft.location or creator.default_location)
    return Referral(
        id=ids.referral,
        engagement_id=ids.engagement,
        organization_id=creator.id,
        organization_name=creator.name,
        creator=Party(organization_id=creator.id, referral_id=ids.referral),
        name=draft.name or "",
        external_reference_id=draft.external_reference_id,
        campaign_id=draft.campaign_id,
        location=location.id if location else None,
        direction="Outgoing",
        sharing=draft.sharing,
        deal_type=deal_type(
            help_code=draft.microsoft_code,
            microsoft_may_view=draft.consent.microsoft_may_view,
            partners_invited=any(i.organization_id != MICROSOFT for i in draft.invitations),
            assessment=False,
        ),
        status="Active",
        substatus="Accepted",
        sales_stage="Created",
        customer=settled_customer(draft.customer, settlement_of(draft, catalogue).entity),
        consent=draft.consent,
        terms=_terms(draft.terms, catalogue, None),
        notes=draft.notes,
        industries=draft.industries,
        products=draft.products,
        services=draft.services,
        customer_requested_contact=draft.customer_requested_contact,
        team=tuple(contact.complete() for contact in draft.team),
        invite_context=InviteContext(notes=draft.invite_notes, help_code=draft.microsoft_code),
        created_at=act.now,
        updated_at=act.now,
        accepted_at=act.now,
    )


@dataclass(frozen=True, slots=True)
class _Inviting:
    """What all invitations of one creation have in common."""

    deal: Referral
    draft: DealDraft
    catalogue: Catalogue
    ids: NewIds
    response_window: timedelta

    def everybody(self) -> tuple[Referral, ...]:
        """Microsoft, if the answers ask for it, and each partner."""
        partners = [i for i in self.draft.invitations if i.organization_id != MICROSOFT]
        microsoft = [self._microsoft()] if self.draft.microsoft_code != NO_HELP else []
        everybody = [*microsoft, *(self._partner(invitation) for invitation in partners)]
        numbered = zip(everybody, self.ids.invitees, strict=False)
        return tuple(replace(invitation, id=referral_id) for invitation, referral_id in numbered)

    def _microsoft(self) -> Referral:
        """For Microsoft only notes and kind of help are said; the rest is the deal's."""
        entry = next((i for i in self.draft.invitations if i.organization_id == MICROSOFT), InvitationDraft())
        context = InviteContext(
            notes=entry.notes or self.draft.invite_notes,
            help_code=self.draft.microsoft_code,
            team=self.deal.team,
        )
        return self._invitation(self.catalogue.organizations[MICROSOFT], MICROSOFT, self.deal.terms, context)

    def _partner(self, invitation: InvitationDraft) -> Referral:
        organization = self.catalogue.organizations[invitation.organization_id or ""]
        nearest = organization.nearest_location(self.deal.customer.address.country)
        team = tuple(contact.complete() for contact in invitation.team or ())
        context = InviteContext(
            notes=invitation.notes, help_code=invitation.help_code or NO_HELP, team=team or self.deal.team
        )
        target = invitation.target or (nearest.id if nearest else organization.id)
        terms = _terms(invitation.terms, self.catalogue, self.deal.terms)
        return self._invitation(organization, target, terms, context)

    def _invitation(
        self, invitee: Organization, target: str, terms: Terms, context: InviteContext
    ) -> Referral:
        deal, location = self.deal, invitee.location(target)
        contacts_shared = deal.consent.share_contact
        return replace(
            deal,
            organization_id=invitee.id,
            organization_name=invitee.name,
            location=location.id if location else None,
            target=(Target(type="BusinessProfileLocation", id=target),),
            direction="Incoming",
            sharing="Shared",
            status="New",
            substatus="Pending",
            sales_stage=None,
            customer=deal.customer if contacts_shared else replace(deal.customer, team=()),
            terms=terms,
            invite_context=replace(
                context, invited_by=deal.organization_id, invited_by_name=deal.organization_name
            ),
            expires_at=deal.created_at + self.response_window,
            accepted_at=None,
            external_reference_id=None,
            campaign_id=None,
            notes=None,
            team=(),
        )


def _terms(draft: TermsDraft, catalogue: Catalogue, default: Terms | None) -> Terms:
    """The terms of a draft without faults; an invitation's close date defaults to the deal's (C3)."""
    closing_at = draft.closing_at or (default.closing_at if default else None)
    if draft.deal_value is None or draft.currency is None or closing_at is None:
        message = "a deal is made of a draft in which no fault was found"
        raise ValueError(message)
    chosen = [catalogue.solutions[solution_id or ""] for solution_id in draft.solutions]
    solutions = tuple(
        Solution(id=each.id, name=each.name, kind=solution_kind(each, catalogue.creator.id))
        for each in chosen
    )
    return Terms(
        deal_value=draft.deal_value, currency=draft.currency, closing_at=closing_at, solutions=solutions
    )


def solution_kind(solution: CatalogueSolution, organization_id: OrganizationId) -> str:
    """What a solution is to an organization: its own, Microsoft's, another partner's, or an assessment (T6)."""
    if solution.assessment:
        return "SolutionAssessment"
    if solution.owner == MICROSOFT:
        return "Microsoft"
    return "MyCompany" if solution.owner == organization_id else "ThirdParty"
