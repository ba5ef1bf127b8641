"""What can be done to a referral now: the same rules that enforce it (`allowedActions`, `editableFields`)."""

from datetime import datetime

from shared.domain.deal_type import Upgrade
from shared.domain.invitable import why_not
from shared.domain.invitation_rules import missing_for_microsoft
from shared.domain.lifecycle import is_overdue
from shared.domain.referral import Referral
from shared.domain.sales_stage import has_every_stage
from shared.domain.vocabulary import NO_HELP

L2_FIELDS = frozenset(
    {
        "name",
        "terms.deal_value",
        "terms.currency",
        "terms.closing_at",
        "notes",
        "external_reference_id",
        "campaign_id",
        "team",
    }
)
"""What an acceptance may say besides (L2)."""
_UPGRADES: tuple[Upgrade, ...] = ("inviteMicrosoft", "invitePartner", "shareWithMicrosoft")


def allowed_actions(referral: Referral, now: datetime) -> tuple[str, ...]:
    """What the record's state, direction and type allow at `now`, in the words of `allowedActions`.

    Whoever sees a referral may act on it (V6), so this is the same for every reader. `referral.invited` decides
    whether Microsoft can be invited again, so it is as true as the caller made it.
    """
    if referral.is_closed or is_overdue(referral, now):
        return ()
    if referral.status == "New":
        return ("accept", "decline")
    winning = ("win",) if has_every_stage(referral) else ()
    upgrades = tuple(upgrade for upgrade in _UPGRADES if _is_open(referral, upgrade))
    converting = ("convert",) if referral.is_lead else ()
    return ("edit", "stage", *winning, "lose", *upgrades, "message", *converting)


def editable_fields(referral: Referral, now: datetime) -> frozenset[str]:
    """The fields that an edit may change now, parts by their own names, such as `terms.currency` (E1, E4, T5)."""
    if referral.status != "Active" or is_overdue(referral, now):
        return frozenset()
    found = L2_FIELDS | {"customer.team", "sales_stage"}
    if referral.deal_type != "SolutionAssessment":
        found |= {"terms.solutions"}
    own = referral.belongs_to_creator and not referral.is_lead
    return found | (_editable_by_creator(referral) if own else frozenset())


def _editable_by_creator(deal: Referral) -> frozenset[str]:
    """Consent can be given later, and is not withdrawn once the contact is shared; the answers go upwards only."""
    shared = bool(deal.invited)
    found: set[str] = set()
    if not (shared and deal.consent.share_contact):
        found.add("consent.share_contact")
    if not (shared and deal.consent.contact):
        found.add("consent.contact")
    if why_not(deal, "shareWithMicrosoft") is None:
        found.add("consent.microsoft_may_view")
    if deal.invite_context.help_code == NO_HELP and why_not(deal, "inviteMicrosoft") is None:
        found |= {"invite_context.help_code", "invite_context.notes"}
    return frozenset(found)


def _is_open(deal: Referral, upgrade: Upgrade) -> bool:
    if upgrade == "inviteMicrosoft" and missing_for_microsoft(deal):
        return False
    return why_not(deal, upgrade) is None
