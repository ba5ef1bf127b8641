"""Which type a deal is: two answers, the invitations and the solutions decide it (rules T)."""

from shared.domain.vocabulary import NO_HELP, DealType, HelpCode


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
