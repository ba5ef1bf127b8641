"""Making a co-sell opportunity of an accepted lead (R7)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from shared.domain.catalogue import Catalogue
from shared.domain.change import Change, ChangeBuilder, CommandContext, EntryDraft, names_of
from shared.domain.creation import creation_tasks
from shared.domain.deal_rules import faults_of_partners_deal
from shared.domain.deal_type import type_of
from shared.domain.draft import DealDraft
from shared.domain.editing import faults_of_removals, wanted
from shared.domain.field_rules import faults_of_solutions, faults_of_team, faults_of_terms
from shared.domain.invitation_rules import faults_of_invitations
from shared.domain.inviting import InvitationFactory, record_invited_parties
from shared.domain.lifecycle import require_active
from shared.domain.referral import Referral
from shared.domain.refusals import Fault, NotAllowed


def require_convertible(referral: Referral, context: CommandContext) -> Change | None:
    """Refuse what is no Active lead; after its deadline, give the expiry that is due instead.

    Raises `NotAllowed`, `TerminalState`.
    """
    if late := require_active(referral, "convert", context):
        return late
    if not referral.is_lead:
        raise NotAllowed(f"This referral is a {referral.deal_type} deal already; only a lead is converted.")
    return None


def convert(
    lead: Referral,
    draft: DealDraft,
    catalogue: Catalogue,
    inviter: InvitationFactory,
    context: CommandContext,
) -> Change:
    """The lead as an outgoing deal: same id, customer and timeline. The draft has no faults."""
    deal = replace(
        wanted(lead, draft, catalogue),
        direction="Outgoing",
        sales_stage="Created" if lead.sales_stage == "Accepted" else lead.sales_stage,
        deal_type="Private",  # until the answers and the invitations are in
        consent=draft.consent,
        invite_context=replace(lead.invite_context, help_code=draft.microsoft_code),
    )
    invitations = inviter.invitations(deal, draft.all_invitations)
    deal = record_invited_parties(deal, invitations)
    deal = replace(deal, deal_type=type_of(deal))
    step = ChangeBuilder(
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
    return step.build(context)


def faults_of_conversion(
    lead: Referral, draft: DealDraft, catalogue: Catalogue, today: date
) -> tuple[Fault, ...]:
    """Every fault of the deal that a lead would become; a close date that is not sent is not judged (C6)."""
    return (
        *faults_of_terms(draft.terms, catalogue.decimals, today, "/details"),
        *_missing(draft),
        *faults_of_solutions(draft.terms.solutions, catalogue.solutions, "/details/requirements/solutions"),
        *faults_of_team(draft.team, "/team"),
        *faults_of_removals(lead.team, draft.team),
        *faults_of_partners_deal(draft),
        *faults_of_invitations(draft.invitations, catalogue, today),
    )


def _missing(draft: DealDraft) -> Iterator[Fault]:
    if not draft.team:
        yield Fault("required", "/team", "A deal names at least one person who works on it.")
    if not draft.terms.solutions:
        at = "/details/requirements/solutions"
        yield Fault("required", at, "A deal names at least one solution.")
