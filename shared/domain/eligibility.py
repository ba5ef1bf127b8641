"""Whether a deal can be registered, rule by rule, and what would have to happen (rules G1, G2)."""

from dataclasses import dataclass
from typing import Literal

from shared.domain.invitable import why_not_again
from shared.domain.referral import Referral, Solution
from shared.domain.vocabulary import ISV_CONNECT, MICROSOFT

RuleId = Literal["dealType", "incentiveSolution", "statusWon", "microsoftEngaged"]
ACCEPTED_ONCE = frozenset({"Accepted", "Won", "Lost"})
"""What says of a party that it accepted its invitation, however it went on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityRule:
    """One condition: whether it holds, and why not and what would have to happen."""

    id: RuleId
    passed: bool
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """All conditions; a deal is eligible when all hold (G1)."""

    rules: tuple[EligibilityRule, ...]

    @property
    def eligible(self) -> bool:
        """Whether the deal can be registered."""
        return all(rule.passed for rule in self.rules)

    @property
    def missing(self) -> str:
        """What keeps the deal from being registered, in sentences."""
        return " ".join(rule.explanation for rule in self.rules if not rule.passed)


MicrosoftParticipation = Literal["takesPart", "invited", "none", "never", "hidden"]
"""Microsoft's part in a deal: it takes part, may still accept, may be invited, or will never take part (T3).

Or the reader is not told of it (V1).
"""


def eligibility(deal: Referral, microsoft: MicrosoftParticipation) -> Eligibility:
    """The conditions as they are now; they can be asked at any time in the life of a deal."""
    return Eligibility(
        rules=(
            _deal_type(deal),
            _incentive_solution(deal),
            _status_won(deal),
            _microsoft_engaged(deal, microsoft),
        )
    )


def microsoft_participation(deal: Referral, creator: Referral) -> MicrosoftParticipation:
    """Microsoft's part as the creator's record says, whose `invited` is as true as the caller made it.

    Whoever has not accepted, or did not go on, is not told of the other parties (V1).
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
    """The deal's solutions that are registered, each once and by itself: those with an incentive."""
    found = (s for s in deal.terms.solutions if s.has_ip_incentive or ISV_CONNECT in s.incentives)
    return tuple({solution.id: solution for solution in found}.values())


def unregistered(deal: Referral) -> tuple[Solution, ...]:
    """Those of them that have no registration yet, not even a draft."""
    done = {registered.solution_id for registered in deal.registrations}
    return tuple(solution for solution in registrable(deal) if solution.id not in done)


def may_show_eligible(deal: Referral) -> bool:
    """Whether it matters if the deal is eligible: something can be registered, or nothing but drafts is (G2)."""
    return bool(unregistered(deal)) or all(each.status == "Draft" for each in deal.registrations)


def may_become_registrable(deal: Referral) -> bool:
    """Whether a won deal's milestone may come by somebody else's step, such as Microsoft's acceptance (G1)."""
    return deal.substatus == "Won" and bool(registrable(deal)) and not deal.registrations


def warnings(deal: Referral) -> tuple[str, ...]:
    """What one should know of a deal from the start: a private one with an IP incentive is never registered (G1)."""
    incentive = any(solution.has_ip_incentive for solution in deal.terms.solutions)
    return ("privateNotRegistrable",) if deal.deal_type == "Private" and incentive else ()


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
    named = [solution.name for solution in registrable(deal) if solution.has_ip_incentive]
    if named:
        explanation = f"Solutions with an IP incentive: {', '.join(named)}."
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
    """What would have to happen for Microsoft to take part."""
    if microsoft == "hidden":
        return "Microsoft's part in the deal shows once you work on it."
    if microsoft == "invited":
        return "Microsoft has not accepted its invitation yet: ask its sellers to accept it."
    if microsoft == "never":
        return "Microsoft does not take part, and cannot be invited any more, so this cannot change."
    if deal.belongs_to_creator:
        return "Microsoft does not take part, and no invitation of it is open: invite it again."
    return "Microsoft does not take part: ask the deal's creator to invite it."
