"""Who can be brought into a deal, and when (rule T3)."""

from shared.domain.deal_type import UPGRADES, Upgrade
from shared.domain.referral import InvitedParty, Referral
from shared.domain.refusals import NotAllowed
from shared.domain.vocabulary import MICROSOFT

MAX_INVITATIONS_PER_DEAL = 100
"""How often a deal can invite altogether, so that one piece of work always fits into one row."""
ENDED = frozenset({"Declined", "Expired"})
_NEVER_AGAIN = frozenset({"AbuseSpamOrPhishing", "NotACustomer"})


def why_not(deal: Referral, upgrade: Upgrade) -> str | None:
    """Why an Active deal's record does not allow a step about who takes part in it; None if it does (T3)."""
    if not deal.belongs_to_creator:
        return _why_not_creator(deal)
    if deal.is_lead:
        return "This is a lead: convert it into a deal first."
    if upgrade != "invitePartner" and deal.organization_id == MICROSOFT:
        return "Microsoft created this deal and takes part in it already."
    if UPGRADES[deal.deal_type][upgrade] is None:
        return f"A {deal.deal_type} deal does not allow it."
    if upgrade == "inviteMicrosoft":
        return why_not_again(MICROSOFT, deal.invited)
    return None


def why_not_again(organization_id: str, invited: tuple[InvitedParty, ...]) -> str | None:
    """Why an organization cannot be invited (again) into a deal; None if it can (T3).

    `invited` is as true as the caller made it: the record's own may lag behind the invitees'.
    """
    if len(invited) >= MAX_INVITATIONS_PER_DEAL:
        return f"This deal has sent {MAX_INVITATIONS_PER_DEAL} invitations, and more are not possible."
    mine = [invitation for invitation in invited if invitation.party.organization_id == organization_id]
    for earlier in mine:
        if earlier.reason in _NEVER_AGAIN:
            return f"{earlier.organization_name} declined this deal as {earlier.reason}, so it is not asked again."
    if mine and mine[-1].substatus not in ENDED:
        state = (
            "has not answered its invitation yet" if mine[-1].substatus == "Pending" else "takes part already"
        )
        return f"{mine[-1].organization_name} {state}."
    return None


def require_invitable(deal: Referral, organizations: tuple[str, ...]) -> None:
    """Refuse what T3 forbids: to be asked of an Active deal whose `invited` was just brought up to date.

    Raises `NotAllowed`.
    """
    if not deal.belongs_to_creator:
        raise NotAllowed(_why_not_creator(deal))
    for organization_id in organizations:
        upgrade: Upgrade = "inviteMicrosoft" if organization_id == MICROSOFT else "invitePartner"
        reason = why_not(deal, upgrade) or why_not_again(organization_id, deal.invited)
        if reason:
            raise NotAllowed(reason)


def _why_not_creator(deal: Referral) -> str:
    return f"Only {deal.creator.organization_id}, which created the deal, decides who takes part in it."
