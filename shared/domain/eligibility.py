"""Whether a deal can be registered, condition by condition, and what is missing (rules G1, G2)."""

from dataclasses import dataclass
from typing import Literal

from shared.domain.invitable import why_not_again
from shared.domain.referral import Referral, Solution
from shared.domain.vocabulary import ISV_CONNECT, MICROSOFT, RegistrationKind

RuleId = Literal["dealType", "incentiveSolution", "statusWon", "microsoftEngaged"]
ACCEPTED_ONCE = frozenset({"Accepted", "Won", "Lost"})
"""The substatuses of a party that accepted its invitation, whatever happened later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityRule:
    """One condition: whether it holds; if not, the explanation says why and what to do."""

    id: RuleId
    passed: bool
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """All conditions; a deal is eligible if all of them hold (G1)."""

    rules: tuple[EligibilityRule, ...]

    @property
    def eligible(self) -> bool:
        """Whether the deal can be registered."""
        return all(rule.passed for rule in self.rules)

    @property
    def missing(self) -> str:
        """The explanations of the conditions that do not hold."""
        return " ".join(rule.explanation for rule in self.rules if not rule.passed)


MicrosoftParticipation = Literal["takesPart", "invited", "none", "never", "hidden"]
"""Whether Microsoft takes part in a deal, may still accept, may be invited, or can never take part (T3).

`hidden`: the reader may not know (V1).
"""


def eligibility(deal: Referral, microsoft: MicrosoftParticipation) -> Eligibility:
    """The conditions as they are now, for a deal in any state."""
    return Eligibility(
        rules=(
            _deal_type(deal),
            _incentive_solution(deal),
            _status_won(deal),
            _microsoft_engaged(deal, microsoft),
        )
    )


def microsoft_participation(deal: Referral, creator: Referral) -> MicrosoftParticipation:
    """Whether Microsoft takes part, from the creator's record; bring its `invited` up to date before.

    A party that has not accepted, or has declined, does not see the other parties (V1).
    """
    if not deal.belongs_to_creator and (
        deal.accepted_at is None or deal.substatus in {"Declined", "Expired"}
    ):
        return "hidden"
    if creator.organization_id == MICROSOFT:
        return "takesPart"
    states = {i.substatus for i in creator.invited if i.party.organization_id == MICROSOFT}
    if states & ACCEPTED_ONCE:
        return "takesPart"
    if "Pending" in states:
        return "invited"
    return "never" if creator.is_closed or why_not_again(MICROSOFT, creator.invited) else "none"


def registrable(deal: Referral) -> tuple[Solution, ...]:
    """The distinct solutions of a deal that can be registered: those with an incentive."""
    solutions = (s for s in deal.terms.solutions if s.has_ip_incentive or ISV_CONNECT in s.incentives)
    return tuple({solution.id: solution for solution in solutions}.values())


def kinds_of(solution: Solution) -> tuple[RegistrationKind, ...]:
    """The kinds of records that the registration of a solution creates (G4)."""
    isv: tuple[RegistrationKind, ...] = ("IsvConnect",) if ISV_CONNECT in solution.incentives else ()
    return (*isv, "IpCoSell") if solution.has_ip_incentive else isv


def unregistered_kinds(deal: Referral, solution: Solution) -> tuple[RegistrationKind, ...]:
    """The kinds of records that a solution lacks: all of them, or those whose drafts were deleted (G2, G4)."""
    registered = {each.kind for each in deal.registrations if each.solution_id == solution.id}
    return tuple(kind for kind in kinds_of(solution) if kind not in registered)


def unregistered(deal: Referral) -> tuple[Solution, ...]:
    """The registrable solutions that lack a record of some kind, a draft counting as one."""
    return tuple(solution for solution in registrable(deal) if unregistered_kinds(deal, solution))


def may_show_eligible(deal: Referral) -> bool:
    """Whether the deal may show as eligible: a solution is unregistered, or all registrations are drafts (G2)."""
    return bool(unregistered(deal)) or all(each.status == "Draft" for each in deal.registrations)


def may_become_registrable(deal: Referral) -> bool:
    """Whether another party's change, such as Microsoft's acceptance, can make this won deal eligible (G1)."""
    return deal.substatus == "Won" and bool(registrable(deal)) and not deal.registrations


def wants_registration(deal: Referral) -> bool:
    """Whether a deal that became eligible still waits for a registration of some solution: a draft is none (M12)."""
    made = {(each.solution_id, each.kind) for each in deal.registrations if each.status != "Draft"}
    wanted = {(solution.id, kind) for solution in registrable(deal) for kind in kinds_of(solution)}
    return deal.eligible_at is not None and not wanted <= made


def may_be_eligible_once_won(deal: Referral) -> bool:
    """Whether its type and solutions let a partner's deal be registered, whatever Microsoft does (G1, M12)."""
    has_incentive = any(solution.has_ip_incentive for solution in deal.terms.solutions)
    return has_incentive and deal.deal_type in {"CoSell", "PartnerLed"} and deal.organization_id != MICROSOFT


def _deal_type(deal: Referral) -> EligibilityRule:
    if deal.deal_type in {"CoSell", "PartnerLed"}:
        explanation = f"The deal is {deal.deal_type}."
        return EligibilityRule(id="dealType", passed=True, explanation=explanation)
    upgrade = "invite Microsoft or share it with Microsoft's sellers."
    upgrade = upgrade if deal.belongs_to_creator else f"ask its creator to {upgrade}"
    todo = {
        "Private": f"Before you win it, {upgrade}",
        "PartnerToPartner": f"Before you win it, {upgrade}",
        "Lead": "Convert it into a deal before you win it.",
    }.get(deal.deal_type, "Deals of this type are not registered.")
    if deal.is_closed:
        todo = "The deal is closed, so this cannot change any more."
    explanation = f"Only CoSell and PartnerLed deals are registered, and this is {deal.deal_type}. {todo}"
    return EligibilityRule(id="dealType", passed=False, explanation=explanation)


def _incentive_solution(deal: Referral) -> EligibilityRule:
    names = [solution.name for solution in registrable(deal) if solution.has_ip_incentive]
    if names:
        explanation = f"Solutions with an IP incentive: {', '.join(names)}."
        return EligibilityRule(id="incentiveSolution", passed=True, explanation=explanation)
    todo = "It is closed without one." if deal.is_closed else "Name one before you win the deal."
    explanation = f"None of the deal's solutions has an IP incentive. {todo}"
    return EligibilityRule(id="incentiveSolution", passed=False, explanation=explanation)


def _status_won(deal: Referral) -> EligibilityRule:
    if deal.substatus == "Won":
        return EligibilityRule(id="statusWon", passed=True, explanation="Your deal is won.")
    if deal.is_closed:
        explanation = f"Your deal was closed as {deal.substatus}; only a won deal is registered."
    elif deal.status == "New":
        explanation = "Your deal is not won yet: accept it first, and mark it as won in the end."
    else:
        explanation = "Your deal is not won yet: mark it as won."
    return EligibilityRule(id="statusWon", passed=False, explanation=explanation)


def _microsoft_engaged(deal: Referral, microsoft: MicrosoftParticipation) -> EligibilityRule:
    if deal.deal_type != "CoSell":
        explanation = "Microsoft's acceptance is asked for in CoSell deals alone."
        return EligibilityRule(id="microsoftEngaged", passed=True, explanation=explanation)
    if microsoft == "takesPart":
        explanation = "Microsoft takes part in the deal."
        return EligibilityRule(id="microsoftEngaged", passed=True, explanation=explanation)
    return EligibilityRule(id="microsoftEngaged", passed=False, explanation=_until_engaged(deal, microsoft))


def _until_engaged(deal: Referral, microsoft: MicrosoftParticipation) -> str:
    """Why Microsoft does not take part, and what to do about it."""
    if microsoft == "hidden":
        return "Microsoft's part in the deal shows once you work on it."
    if microsoft == "invited":
        return "Microsoft has not accepted its invitation yet: ask its sellers to accept it."
    if microsoft == "never":
        return "Microsoft does not take part, and cannot be invited any more, so this cannot change."
    if deal.belongs_to_creator:
        return "Microsoft does not take part, and no invitation of it is open: invite it again."
    return "Microsoft does not take part: ask the deal's creator to invite it."
