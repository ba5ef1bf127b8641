"""The actions and edits that a referral allows now (`allowedActions`, `editableFields`), by the rules themselves."""

from datetime import datetime

from shared.domain.deal_type import Upgrade
from shared.domain.invitable import why_not
from shared.domain.invitation_rules import missing_for_microsoft
from shared.domain.lead import contact_alert
from shared.domain.lifecycle import is_overdue
from shared.domain.referral import Referral
from shared.domain.sales_stage import has_every_stage
from shared.domain.vocabulary import NO_HELP

ACCEPTANCE_FIELDS = frozenset(
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
"""The fields that an acceptance can set (L2)."""
_UPGRADES: tuple[Upgrade, ...] = ("inviteMicrosoft", "invitePartner", "shareWithMicrosoft")


def names_own_solution(referral: Referral) -> bool:
    """Whether the record shows that its organization has a co-sell-ready solution: it names one (T3, T6)."""
    return any(solution.kind == "MyCompany" for solution in referral.terms.solutions)


def allowed_actions(
    referral: Referral, now: datetime, *, co_sell_ready: bool | None = None
) -> tuple[str, ...]:
    """The actions that the state, direction and type allow at `now`, by their names in `allowedActions`.

    Everybody who sees a referral may act on it (V6), so the result is the same for every reader. Whether Microsoft
    can be invited again depends on `referral.invited`: bring it up to date before you call this. `co_sell_ready` says
    whether the organization has a co-sell-ready solution in the catalogue; None if only the record is known.
    """
    ready = names_own_solution(referral) if co_sell_ready is None else co_sell_ready
    if referral.is_closed or is_overdue(referral, now):
        return ()
    contacted = ("contacted",) if contact_alert(referral, now) else ()
    if referral.status == "New":
        return ("accept", "decline", *contacted)
    win = ("win",) if has_every_stage(referral) else ()
    upgrades = tuple(upgrade for upgrade in _UPGRADES if _is_open(referral, upgrade, ready))
    convert = ("convert",) if referral.is_lead else ()
    return ("edit", "stage", *win, "lose", *upgrades, "message", *convert, *contacted)


def editable_fields(referral: Referral, now: datetime) -> frozenset[str]:
    """The fields that an edit may change now; nested fields are named like `terms.currency` (E1, E4, T5)."""
    if referral.status != "Active" or is_overdue(referral, now):
        return frozenset()
    fields = ACCEPTANCE_FIELDS | {"customer.team", "sales_stage"}
    if referral.deal_type != "SolutionAssessment":
        fields |= {"terms.solutions"}
    is_own_deal = referral.belongs_to_creator and not referral.is_lead
    return fields | (_editable_by_creator(referral) if is_own_deal else frozenset())


def _editable_by_creator(deal: Referral) -> frozenset[str]:
    """Consent cannot be withdrawn once the contact is shared, and Q1 and Q2 can only change from no to yes."""
    is_shared = bool(deal.invited)
    fields: set[str] = set()
    if not (is_shared and deal.consent.share_contact):
        fields.add("consent.share_contact")
    if not (is_shared and deal.consent.contact):
        fields.add("consent.contact")
    if why_not(deal, "shareWithMicrosoft") is None:
        fields.add("consent.microsoft_may_view")
    if deal.invite_context.help_code == NO_HELP and why_not(deal, "inviteMicrosoft") is None:
        fields |= {"invite_context.help_code", "invite_context.notes"}
    return frozenset(fields)


def _is_open(deal: Referral, upgrade: Upgrade, co_sell_ready: bool) -> bool:
    if upgrade == "inviteMicrosoft" and (missing_for_microsoft(deal) or not co_sell_ready):
        return False
    return why_not(deal, upgrade) is None
