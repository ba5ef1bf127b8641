"""Inviting organizations into a deal, when it is created or later (rules C2, C3, T3)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.catalogue import Catalogue
from shared.domain.change import ChangeBuilder, EntryDraft, names_of
from shared.domain.deal_type import type_of
from shared.domain.directory import CatalogueSolution, Location, Organization
from shared.domain.draft import InvitationDraft, TermsDraft
from shared.domain.ids import OrganizationId, ReferralId
from shared.domain.invitable import ENDED
from shared.domain.referral import InviteContext, InvitedParty, Referral, Solution, Target, Terms
from shared.domain.routing import route
from shared.domain.timeline import Entry
from shared.domain.vocabulary import MICROSOFT, NO_HELP, HelpCode, SolutionKind
from shared.domain.work import Invite, Publish, Task, UpdateDealType


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationFactory:
    """Creates the invitations of one request.

    `ids` has one id for every invitation; `response_window` is the time to answer (L4).
    """

    catalogue: Catalogue
    ids: tuple[ReferralId, ...]
    now: datetime
    response_window: timedelta

    def create(self, deal: Referral, drafts: tuple[InvitationDraft, ...]) -> tuple[Referral, ...]:
        """The invitees' new referrals. The drafts must have no faults."""
        invitations = [
            self._microsoft(deal, draft) if draft.organization_id == MICROSOFT else self._partner(deal, draft)
            for draft in drafts
        ]
        return tuple(replace(each, id=id_) for each, id_ in zip(invitations, self.ids, strict=False))

    def _microsoft(self, deal: Referral, draft: InvitationDraft) -> Referral:
        """An invitation of Microsoft has its own notes and kind of help; the rest comes from the deal.

        The context of a converted lead holds the customer's notes, which Microsoft does not see (R4).
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
        team = tuple(contact.complete() for contact in draft.team or ())
        context = InviteContext(
            notes=draft.notes, help_code=draft.help_code or NO_HELP, team=team or deal.team
        )
        location = invited_location(organization, draft, deal.customer.address.country)
        target = draft.target or (location.id if location else organization.id)
        terms = terms_of(draft.terms, self.catalogue, organization.id, deal.terms)
        invitation = self._invitation(deal, organization, target, terms, context)
        return replace(invitation, asked=self.catalogue.contacts_at(organization, location))

    def _invitation(
        self, deal: Referral, invitee: Organization, target: str, terms: Terms, context: InviteContext
    ) -> Referral:
        location = invitee.location(target)
        contacts_shared = deal.consent.share_contact
        solutions = solutions_for(invitee.id, terms.solutions, self.catalogue.solutions)
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
            contacted_at=None,
            external_reference_id=None,
            campaign_id=None,
            notes=None,
            team=(),
            asked=(),
        )


def invited_location(
    organization: Organization, draft: InvitationDraft, country: str | None
) -> Location | None:
    """The location that an invitation of a partner is addressed to: the named one, or the nearest to the customer.

    `country` is the customer's. None if the partner does not have the named one, or has none at all.
    """
    if draft.target:
        return organization.location(draft.target)
    return organization.nearest_location(country or "")


def add_invitations(builder: ChangeBuilder, invitations: tuple[Referral, ...]) -> ChangeBuilder:
    """Add invitations to a change, and the deal type that follows (T1)."""
    deal = record_invited_parties(builder.after, invitations)
    entry = EntryDraft(kind="invited", details=names_of(deal.invited[len(builder.after.invited) :]))
    invite: Task = Invite(parties=tuple(invitation.key for invitation in invitations))
    invited = update_deal_type(
        builder.then(
            entry,
            (invite,),
            invited=deal.invited,
            target=deal.target,
            sharing=deal.sharing,
            invite_context=deal.invite_context,
        )
    )
    with_type = tuple(replace(each, deal_type=invited.after.deal_type) for each in invitations)
    return replace(invited, invitations=(*builder.invitations, *with_type))


def record_invited_parties(deal: Referral, invitations: tuple[Referral, ...]) -> Referral:
    """The deal with its new invited parties, but its type unchanged. Inviting Microsoft also answers Q1."""
    if not invitations:
        return deal
    new = tuple(InvitedParty(party=i.key, organization_name=i.organization_name) for i in invitations)
    targets = tuple(dict.fromkeys((*deal.target, *(target for i in invitations for target in i.target))))
    microsoft = next((i for i in invitations if i.organization_id == MICROSOFT), None)
    return replace(
        deal,
        invited=(*deal.invited, *new),
        target=targets,
        sharing="Shared",
        invite_context=_context_with(microsoft, deal) if microsoft else deal.invite_context,
    )


def _context_with(microsoft: Referral, deal: Referral) -> InviteContext:
    """The deal's context once Microsoft is invited: what it is asked for, and the first words that it got.

    A converted lead keeps the customer's notes there (R4).
    """
    context, sent = deal.invite_context, microsoft.invite_context
    return replace(
        context,
        help_code=sent.help_code if context.help_code == NO_HELP else context.help_code,
        notes=context.notes if deal.inquiry else context.notes or sent.notes,
    )


def update_deal_type(builder: ChangeBuilder) -> ChangeBuilder:
    """Add the deal type that follows from the change, the update of the invited parties, and `Publish` (T1).

    Only the creator's record decides the type: on the record of an invited party this adds nothing.
    """
    if not builder.after.belongs_to_creator:
        return builder
    before, after = builder.after.deal_type, type_of(builder.after)
    if after == before:
        return builder
    earlier = tuple(i.party for i in builder.before.invited if i.substatus not in ENDED)
    tasks: tuple[Task, ...] = ((UpdateDealType(parties=earlier),) if earlier else ()) + (Publish(),)
    return builder.then(
        EntryDraft(kind="typeChanged", from_state=before, to_state=after), tasks, deal_type=after
    )


def terms_of(
    draft: TermsDraft, catalogue: Catalogue, organization_id: OrganizationId, default: Terms | None
) -> Terms:
    """The terms of a draft without faults. The close date of an invitation defaults to the deal's (C3).

    Raises `ValueError` if the draft has faults.
    """
    closing_at = draft.closing_at or (default.closing_at if default else None)
    if draft.deal_value is None or draft.currency is None or closing_at is None:
        message = "validate the draft first: value, currency or close date is missing"
        raise ValueError(message)
    chosen = [catalogue.solutions[solution_id or ""] for solution_id in draft.solutions]
    solutions = tuple(chosen_solution(each, organization_id) for each in chosen)
    return Terms(
        deal_value=draft.deal_value, currency=draft.currency, closing_at=closing_at, solutions=solutions
    )


def solutions_for(
    organization_id: OrganizationId, solutions: Iterable[Solution], catalogue: Mapping[str, CatalogueSolution]
) -> tuple[Solution, ...]:
    """Solutions with the kinds that they have for an organization (T6); what `catalogue` lacks keeps its kind."""
    return tuple(
        replace(each, kind=solution_kind(catalogue[each.id], organization_id))
        if each.id in catalogue
        else each
        for each in solutions
    )


def sender_of(invitation: Referral, timeline: Iterable[Entry]) -> str | None:
    """Who sent an invitation: the name of the person or application, by the timeline of the deal's creator.

    Its entry has the time of the invitation and names the invited organization. None if that entry is not in
    `timeline`, because it is damaged.
    """
    return next((each.actor.name for each in timeline if _has_sent(each, invitation)), None)


def _has_sent(entry: Entry, invitation: Referral) -> bool:
    names = entry.details.get("invited", "")
    return entry.at == invitation.created_at and invitation.organization_name in names


def chosen_solution(solution: CatalogueSolution, organization_id: OrganizationId) -> Solution:
    """A solution of the catalogue, as an organization's record stores it."""
    return Solution(
        id=solution.id,
        name=solution.name,
        kind=solution_kind(solution, organization_id),
        incentives=solution.incentives,
    )


def solution_kind(solution: CatalogueSolution, organization_id: OrganizationId) -> SolutionKind:
    """The kind of a solution for an organization: its own, Microsoft's, another partner's or an assessment (T6)."""
    if solution.assessment:
        return "SolutionAssessment"
    if solution.owner == MICROSOFT:
        return "Microsoft"
    return "MyCompany" if solution.owner == organization_id else "ThirdParty"


def _own_code(deal: Referral) -> HelpCode:
    code = deal.invite_context.help_code
    return "GeneralOrOther" if code == NO_HELP else code
