"""Routing of Microsoft's invitations to a team of sellers, by the customer's country and industry (rule P3)."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.referral import RoutedTeam


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerTeam:
    """A team of sellers; `members` are email addresses of people in Microsoft's directory."""

    id: str
    name: str
    members: tuple[str, ...] = ()

    def has(self, email: str) -> bool:
        """Whether an address belongs to the team, ignoring case."""
        return email.casefold() in {member.casefold() for member in self.members}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRule:
    """Customers in one of the countries and one of the industries go to a team; an empty list matches all."""

    id: str
    team: str
    countries: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingTable:
    """The first matching rule decides; if none matches, the default team does. `version` counts changes."""

    teams: tuple[SellerTeam, ...] = ()
    rules: tuple[RoutingRule, ...] = ()
    default_team: str | None = None
    version: int = 0

    def team(self, team_id: str | None) -> SellerTeam | None:
        """The team with this id, or None."""
        return next((team for team in self.teams if team.id == team_id), None)

    def teams_of(self, email: str) -> tuple[SellerTeam, ...]:
        """The teams that an address belongs to."""
        return tuple(team for team in self.teams if team.has(email))


NO_ROUTING = RoutingTable()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEvaluation:
    """The evaluation of one rule: whether it matches, and a sentence that says why."""

    rule: RoutingRule
    fits: bool
    why: str


def route(table: RoutingTable, country: str, industries: Iterable[str]) -> RoutedTeam | None:
    """The team for a customer's country (ISO 3166-1 alpha-2) and industries; None if the table has no teams."""
    evaluations = evaluate_rules(table, country, industries)
    rule = next((each.rule for each in evaluations if each.fits), None)
    team = table.team(rule.team if rule else table.default_team)
    if team is None:
        return None
    return RoutedTeam(team=team.id, team_name=team.name, rule=rule.id if rule else None)


def evaluate_rules(
    table: RoutingTable, country: str, industries: Iterable[str]
) -> tuple[RuleEvaluation, ...]:
    """Evaluate every rule, in order."""
    by_folded_name = {industry.casefold(): industry for industry in industries}
    return tuple(_evaluate(rule, country, by_folded_name) for rule in table.rules)


def _evaluate(rule: RoutingRule, country: str, industries: dict[str, str]) -> RuleEvaluation:
    if rule.countries and country not in rule.countries:
        why = (
            f"The customer is in {country or 'no country'}, and the rule is for {', '.join(rule.countries)}."
        )
        return RuleEvaluation(rule=rule, fits=False, why=why)
    shared = [industries[each.casefold()] for each in rule.industries if each.casefold() in industries]
    if rule.industries and not shared:
        given = ", ".join(industries.values()) or "none"
        why = f"The customer's industries are {given}, and the rule is for {', '.join(rule.industries)}."
        return RuleEvaluation(rule=rule, fits=False, why=why)
    matches = [*([country] if rule.countries else []), *shared]
    why = f"It fits {' and '.join(matches)}." if matches else "It fits every customer."
    return RuleEvaluation(rule=rule, fits=True, why=why)
