"""Which type a deal is, and what it may become: two answers, the invitations and the solutions (rules T1 to T5)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from shared.domain.referral import Referral
from shared.domain.vocabulary import MICROSOFT, NO_HELP, DealType, HelpCode

Upgrade = Literal["inviteMicrosoft", "invitePartner", "shareWithMicrosoft"]
"""What the creator of a deal can do about who takes part in it, in the words of `allowedActions`."""

UPGRADES: Mapping[DealType, Mapping[Upgrade, DealType | None]] = MappingProxyType(
    {
        "Private": {
            "inviteMicrosoft": "CoSell",
            "invitePartner": "PartnerToPartner",
            "shareWithMicrosoft": "PartnerLed",
        },
        "PartnerLed": {
            "inviteMicrosoft": "CoSell",
            "invitePartner": "PartnerLed",
            "shareWithMicrosoft": None,
        },
        "PartnerToPartner": {
            "inviteMicrosoft": "CoSell",
            "invitePartner": "PartnerToPartner",
            "shareWithMicrosoft": "PartnerLed",
        },
        "CoSell": {
            "inviteMicrosoft": "CoSell",  # again, once it declined or let its time pass
            "invitePartner": "CoSell",
            "shareWithMicrosoft": None,
        },
        "SolutionAssessment": {
            "inviteMicrosoft": None,
            "invitePartner": None,
            "shareWithMicrosoft": None,
        },
        "Lead": {
            "inviteMicrosoft": None,
            "invitePartner": None,
            "shareWithMicrosoft": None,
        },
    }
)
"""What each step makes of an open deal, asked by its creator (T2, T3); None where the type forbids the step."""


def deal_type(
    *, help_code: HelpCode, microsoft_may_view: bool, partners_invited: bool, assessment: bool
) -> DealType:
    """The type that follows from Q1, Q2, the invitations and the solutions (T1 and the table before it)."""
    if assessment:
        return "SolutionAssessment"
    if help_code != NO_HELP:
        return "CoSell"
    if microsoft_may_view:
        return "PartnerLed"
    return "PartnerToPartner" if partners_invited else "Private"


def type_of(deal: Referral) -> DealType:
    """The type of a deal as its creator's record stands; one that Microsoft created is CoSell (T4).

    A lead stays one, whatever its answers, until it is converted (R7).
    """
    if deal.is_lead:
        return "Lead"
    if deal.organization_id == MICROSOFT:
        return "CoSell"
    return deal_type(
        help_code=deal.invite_context.help_code,
        microsoft_may_view=deal.consent.microsoft_may_view,
        partners_invited=any(i.party.organization_id != MICROSOFT for i in deal.invited),
        assessment=any(solution.kind == "SolutionAssessment" for solution in deal.terms.solutions),
    )
