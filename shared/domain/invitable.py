"""Who can be invited into a deal, and when (rule T3)."""

from shared.domain.deal_type import UPGRADES, Upgrade
from shared.domain.referral import InvitedParty, Referral
from shared.domain.refusals import NotAllowed
from shared.domain.vocabulary import MICROSOFT

MAX_INVITATIONS_PER_DEAL = 100
"""How many invitations a deal can send in total, so that its work always fits into one row."""
ENDED = frozenset({"Declined", "Expired"})
_NEVER_AGAIN = frozenset({"AbuseSpamOrPhishing", "NotACustomer"})


def why_not(deal: Referral, upgrade: Upgrade) -> str | None:
    """Why an Active deal does not allow an upgrade; None if it does (T3)."""
    if not deal.belongs_to_creator:
        return _why_not_creator(deal)
    if deal.is_lead:
        return "This is a lead: convert it into a deal first."
    if upgrade != "invitePartner" and deal.organization_id == MICROSOFT:
        return "Microsoft created this deal and already takes part in it."
    if UPGRADES[deal.deal_type][upgrade] is None:
        return f"A {deal.deal_type} deal does not allow this."
    if upgrade == "inviteMicrosoft":
        return why_not_again(MICROSOFT, deal.invited)
    return None


def why_not_again(organization_id: str, invited: tuple[InvitedParty, ...]) -> str | None:
    """Why an organization cannot be invited (again) into a deal; None if it can (T3).

    The record's own `invited` can lag behind the invitees': bring it up to date before.
    """
    if len(invited) >= MAX_INVITATIONS_PER_DEAL:
        return f"This deal has reached its limit of {MAX_INVITATIONS_PER_DEAL} invitations."
    own = [invitation for invitation in invited if invitation.party.organization_id == organization_id]
    for earlier in own:
        if earlier.reason in _NEVER_AGAIN:
            return f"{earlier.organization_name} declined as {earlier.reason}, so you cannot invite it again."
    if own and own[-1].substatus not in ENDED:
        state = (
            "has not answered its invitation yet" if own[-1].substatus == "Pending" else "already takes part"
        )
        return f"{own[-1].organization_name} {state}."
    return None


def require_invitable(deal: Referral, organizations: tuple[str, ...]) -> None:
    """Raise `NotAllowed` if an Active deal cannot invite all of these organizations (T3).

    Bring `deal.invited` up to date before.
    """
    if not deal.belongs_to_creator:
        raise NotAllowed(_why_not_creator(deal))
    for organization_id in organizations:
        upgrade: Upgrade = "inviteMicrosoft" if organization_id == MICROSOFT else "invitePartner"
        reason = why_not(deal, upgrade) or why_not_again(organization_id, deal.invited)
        if reason:
            raise NotAllowed(reason)


def _why_not_creator(deal: Referral) -> str:
    creator = deal.invite_context.invited_by_name or deal.creator.organization_id
    return f"Only {creator}, which created the deal, can invite others into it."
