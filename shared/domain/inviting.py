"""How organizations come into a deal: with its creation, or later by its creator (rules C2, C3, T3)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.catalogue import Catalogue
from shared.domain.change import ChangeBuilder, EntryDraft, names_of
from shared.domain.deal_type import type_of
from shared.domain.directory import CatalogueSolution, Organization
from shared.domain.draft import InvitationDraft, TermsDraft
from shared.domain.ids import OrganizationId, ReferralId
from shared.domain.invitable import ENDED
from shared.domain.referral import InviteContext, InvitedParty, Referral, Solution, Target, Terms
from shared.domain.routing import route
from shared.domain.vocabulary import MICROSOFT, NO_HELP, HelpCode, SolutionKind
from shared.domain.work import Invite, Publish, Task, UpdateDealType


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationFactory:
    """What all invitations of one request have in common.

    `ids` are enough for every invitation; `response_window` is how long each may be answered (L4).
    """

    catalogue: Catalogue
    ids: tuple[ReferralId, ...]
    now: datetime
    response_window: timedelta

    def invitations(self, deal: Referral, drafts: tuple[InvitationDraft, ...]) -> tuple[Referral, ...]:
        """The invitees' referrals, as they will begin; the drafts have no faults."""
        made = [
            self._microsoft(deal, draft) if draft.organization_id == MICROSOFT else self._partner(deal, draft)
            for draft in drafts
        ]
        return tuple(replace(each, id=id_) for each, id_ in zip(made, self.ids, strict=False))

    def _microsoft(self, deal: Referral, draft: InvitationDraft) -> Referral:
        """For Microsoft only notes and kind of help are said; the rest is the deal's.

        What stands in the context of a deal that was a lead are its customer's words, not the inviter's (R4).
        """
        own_notes = None if deal.inquiry else deal.invite_context.notes
        context = InviteContext(
            notes=draft.notes or own_notes,
            help_code=draft.help_code or _own_code(deal),
            team=deal.team,
        )
        microsoft = self.catalogue.organizations[MICROSOFT]
        routed = route(self.catalogue.routing, deal.customer.address.country, deal.industries)
        return replace(self._invitation(deal, microsoft, MICROSOFT, deal.terms, context), routed=routed)

    def _partner(self, deal: Referral, draft: InvitationDraft) -> Referral:
        organization = self.catalogue.organizations[draft.organization_id or ""]
        nearest = organization.nearest_location(deal.customer.address.country)
        team = tuple(contact.complete() for contact in draft.team or ())
        context = InviteContext(
            notes=draft.notes, help_code=draft.help_code or NO_HELP, team=team or deal.team
        )
        target = draft.target or (nearest.id if nearest else organization.id)
        terms = terms_of(draft.terms, self.catalogue, organization.id, deal.terms)
        return self._invitation(deal, organization, target, terms, context)

    def _invitation(
        self, deal: Referral, invitee: Organization, target: str, terms: Terms, context: InviteContext
    ) -> Referral:
        location = invitee.location(target)
        contacts_shared = deal.consent.share_contact
        solutions = tuple(seen_by(each, self.catalogue, invitee.id) for each in terms.solutions)
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
            terms=replace(terms, solutions=solutions),
            invite_context=replace(
                context, invited_by=deal.organization_id, invited_by_name=deal.organization_name
            ),
            invited=(),
            registrations=(),
            qualification="None",
            inquiry=None,
            created_at=self.now,
            updated_at=self.now,
            expires_at=self.now + self.response_window,
            version=1,
            sequence=1,
            accepted_at=None,
            external_reference_id=None,
            campaign_id=None,
            notes=None,
            team=(),
        )


def add_invitations(step: ChangeBuilder, invitations: tuple[Referral, ...]) -> ChangeBuilder:
    """The step, and these organizations invited; the deal's type follows (T1)."""
    deal = record_invited_parties(step.after, invitations)
    entry = EntryDraft(kind="invited", details=names_of(deal.invited[len(step.after.invited) :]))
    invite: Task = Invite(parties=tuple(invitation.key for invitation in invitations))
    invited = update_deal_type(
        step.then(
            entry,
            (invite,),
            invited=deal.invited,
            target=deal.target,
            sharing=deal.sharing,
            invite_context=deal.invite_context,
        )
    )
    typed = tuple(replace(each, deal_type=invited.after.deal_type) for each in invitations)
    return replace(invited, invitations=(*step.invitations, *typed))


def record_invited_parties(deal: Referral, invitations: tuple[Referral, ...]) -> Referral:
    """The deal's record once it has invited these, its type apart. Inviting Microsoft answers Q1 for good."""
    if not invitations:
        return deal
    news = tuple(InvitedParty(party=i.key, organization_name=i.organization_name) for i in invitations)
    targets = tuple(dict.fromkeys((*deal.target, *(target for i in invitations for target in i.target))))
    microsoft = next((i for i in invitations if i.organization_id == MICROSOFT), None)
    context = deal.invite_context
    if microsoft and context.help_code == NO_HELP:
        context = replace(
            context,
            help_code=microsoft.invite_context.help_code,
            notes=context.notes or microsoft.invite_context.notes,
        )
    return replace(
        deal, invited=(*deal.invited, *news), target=targets, sharing="Shared", invite_context=context
    )


def update_deal_type(step: ChangeBuilder) -> ChangeBuilder:
    """The step, and the type that now follows; those who took part before hear of it, Microsoft sees or no longer.

    The type follows from its creator's record alone: an invited party hears of it, and changes nothing (T1).
    """
    if not step.after.belongs_to_creator:
        return step
    before, after = step.after.deal_type, type_of(step.after)
    if after == before:
        return step
    earlier = tuple(i.party for i in step.before.invited if i.substatus not in ENDED)
    tasks: tuple[Task, ...] = ((UpdateDealType(parties=earlier),) if earlier else ()) + (Publish(),)
    return step.then(
        EntryDraft(kind="typeChanged", from_state=before, to_state=after), tasks, deal_type=after
    )


def terms_of(
    draft: TermsDraft, catalogue: Catalogue, organization_id: OrganizationId, default: Terms | None
) -> Terms:
    """The terms of a draft without faults; an invitation's close date defaults to the deal's (C3)."""
    closing_at = draft.closing_at or (default.closing_at if default else None)
    if draft.deal_value is None or draft.currency is None or closing_at is None:
        message = "a deal is made of a draft in which no fault was found"
        raise ValueError(message)
    chosen = [catalogue.solutions[solution_id or ""] for solution_id in draft.solutions]
    solutions = tuple(chosen_solution(each, organization_id) for each in chosen)
    return Terms(
        deal_value=draft.deal_value, currency=draft.currency, closing_at=closing_at, solutions=solutions
    )


def seen_by(solution: Solution, catalogue: Catalogue, organization_id: OrganizationId) -> Solution:
    """A solution as another organization sees it: what is ours is another partner's to it (T6)."""
    known = catalogue.solutions.get(solution.id)
    return replace(solution, kind=solution_kind(known, organization_id)) if known else solution


def chosen_solution(solution: CatalogueSolution, organization_id: OrganizationId) -> Solution:
    """A solution of the catalogue as an organization's record names it."""
    return Solution(
        id=solution.id,
        name=solution.name,
        kind=solution_kind(solution, organization_id),
        incentives=solution.incentives,
    )


def solution_kind(solution: CatalogueSolution, organization_id: OrganizationId) -> SolutionKind:
    """What a solution is to an organization: its own, Microsoft's, another partner's, or an assessment (T6)."""
    if solution.assessment:
        return "SolutionAssessment"
    if solution.owner == MICROSOFT:
        return "Microsoft"
    return "MyCompany" if solution.owner == organization_id else "ThirdParty"


def _own_code(deal: Referral) -> HelpCode:
    code = deal.invite_context.help_code
    return "GeneralOrOther" if code == NO_HELP else code
