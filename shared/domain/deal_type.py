"""The type of a deal and its upgrades: they follow from Q1, Q2, the invitations and solutions (rules T1 to T5)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from shared.domain.referral import Referral
from shared.domain.vocabulary import MICROSOFT, NO_HELP, DealType, HelpCode

Upgrade = Literal["inviteMicrosoft", "invitePartner", "shareWithMicrosoft"]
"""How the creator of a deal can bring more parties into it; the names are those of `allowedActions`."""

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
            "inviteMicrosoft": "CoSell",  # again, after it declined or its invitation expired
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
"""The type of an open deal after each upgrade by its creator (T2, T3); None where the type forbids the upgrade."""


def deal_type(
    *, help_code: HelpCode, microsoft_may_view: bool, partners_invited: bool, assessment: bool
) -> DealType:
    """The type that follows from Q1, Q2, the invitations and the solutions (T1)."""
    if assessment:
        return "SolutionAssessment"
    if help_code != NO_HELP:
        return "CoSell"
    if microsoft_may_view:
        return "PartnerLed"
    return "PartnerToPartner" if partners_invited else "Private"


def type_of(deal: Referral) -> DealType:
    """The type of a deal, from its creator's record. A deal that Microsoft created is CoSell (T4).

    A lead stays a lead until it is converted (R7).
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
