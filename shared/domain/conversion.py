"""Converting an accepted lead into a deal (R7)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from shared.domain.catalogue import Catalogue
from shared.domain.change import Change, ChangeBuilder, CommandContext, EntryDraft, names_of
from shared.domain.creation import creation_tasks
from shared.domain.deal_rules import faults_of_partners_deal
from shared.domain.deal_type import type_of
from shared.domain.draft import DealDraft
from shared.domain.editing import MAX_REMOVED, apply_draft, faults_of_removals
from shared.domain.field_rules import faults_of_solutions, faults_of_team, faults_of_terms
from shared.domain.invitation_rules import faults_of_invitations
from shared.domain.inviting import InvitationFactory, record_invited_parties
from shared.domain.lifecycle import require_active
from shared.domain.referral import Referral
from shared.domain.refusals import Fault, NotAllowed

MAX_REMOVED_AND_INVITED = 30
"""How many people a conversion removes and organizations it invites: all their rows share a transaction of 100."""


def require_convertible(referral: Referral, context: CommandContext) -> Change | None:
    """Raise `NotAllowed` or `TerminalState` unless this is an Active lead; return its expiry if overdue (L4)."""
    if expiry := require_active(referral, "convert", context):
        return expiry
    if not referral.is_lead:
        raise NotAllowed(
            f"This referral is already a {referral.deal_type} deal; only leads can be converted."
        )
    return None


def convert(
    lead: Referral,
    draft: DealDraft,
    catalogue: Catalogue,
    factory: InvitationFactory,
    context: CommandContext,
) -> Change:
    """Turn a lead into an outgoing deal with the same id, customer and timeline. The draft must have no faults."""
    deal = replace(
        apply_draft(lead, draft, catalogue),
        direction="Outgoing",
        sales_stage="Created" if lead.sales_stage == "Accepted" else lead.sales_stage,
        deal_type="Private",  # the final type depends on the invitations, see below
        consent=draft.consent,
        invite_context=replace(lead.invite_context, help_code=draft.microsoft_code),
    )
    invitations = factory.create(deal, draft.all_invitations)
    deal = record_invited_parties(deal, invitations)
    deal = replace(deal, deal_type=type_of(deal))
    builder = ChangeBuilder(
        before=lead,
        after=deal,
        entries=(
            EntryDraft(
                kind="converted", from_state="Lead", to_state=deal.deal_type, details=names_of(deal.invited)
            ),
        ),
        tasks=creation_tasks(deal),
        invitations=tuple(replace(each, deal_type=deal.deal_type) for each in invitations),
    )
    return builder.build(context)


def faults_of_conversion(
    lead: Referral, draft: DealDraft, catalogue: Catalogue, today: date
) -> tuple[Fault, ...]:
    """All faults of a conversion; a close date that is not sent is not checked (C6)."""
    return (
        *faults_of_terms(draft.terms, catalogue.decimals, today, "/details"),
        *_missing(draft),
        *faults_of_solutions(draft.terms.solutions, catalogue.solutions, "/details/requirements/solutions"),
        *faults_of_team(draft.team, "/team"),
        *faults_of_removals(lead.team, draft.team, _most_removed(draft)),
        *faults_of_partners_deal(draft, catalogue),
        *faults_of_invitations(draft.invitations, catalogue, today),
    )


def _most_removed(draft: DealDraft) -> int:
    return max(0, min(MAX_REMOVED, MAX_REMOVED_AND_INVITED - len(draft.all_invitations)))


def _missing(draft: DealDraft) -> Iterator[Fault]:
    if not draft.team:
        yield Fault("required", "/team", "Name at least one person who works on the deal.")
    if not draft.terms.solutions:
        at = "/details/requirements/solutions"
        yield Fault("required", at, "Name at least one solution.")
