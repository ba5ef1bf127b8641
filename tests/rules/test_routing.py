"""Which team an invitation of Microsoft goes to (P3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.routing import RoutingRule, RoutingTable, SellerTeam, evaluate_rules, route

TEAMS = tuple(SellerTeam(id=each, name=each.title()) for each in ("asia", "farms", "rest"))
TABLE = RoutingTable(
    teams=TEAMS,
    rules=(
        RoutingRule(id="korean farms", team="farms", countries=("KR",), industries=("Farming",)),
        RoutingRule(id="asia", team="asia", countries=("KR", "JP")),
        RoutingRule(id="farms", team="farms", industries=("Farming", "Fishing")),
    ),
    default_team="rest",
)


@pytest.mark.parametrize(
    ("country", "industries", "team", "rule"),
    [
        ("KR", ("farming",), "farms", "korean farms"),
        ("KR", ("Retail",), "asia", "asia"),
        ("JP", ("Farming",), "asia", "asia"),
        ("US", ("Retail", "FISHING"), "farms", "farms"),
        ("US", (), "rest", None),
    ],
)
def test_the_first_rule_that_fits_wins_else_the_default(
    country: str, industries: tuple[str, ...], team: str, rule: str | None
) -> None:
    routed = route(TABLE, country, industries)
    assert routed
    assert (routed.team, routed.team_name, routed.rule) == (team, team.title(), rule)


def test_without_teams_nothing_is_routed() -> None:
    assert route(RoutingTable(), "US", ()) is None


def test_a_rule_says_why_it_fits_or_not() -> None:
    looked_at = evaluate_rules(TABLE, "JP", ("Farming",))
    assert [each.fits for each in looked_at] == [False, True, True]
    for each, names in zip(looked_at, (("JP", "KR"), ("JP",), ("Farming",)), strict=True):
        assert all(name in each.why for name in names), each.why


@given(st.sampled_from(["KR", "JP", "US", ""]), st.lists(st.sampled_from(["Farming", "fishing", "Retail"])))
def test_the_winner_is_the_first_that_was_said_to_fit(country: str, industries: list[str]) -> None:
    routed = route(TABLE, country, industries)
    fitting = [each.rule.id for each in evaluate_rules(TABLE, country, industries) if each.fits]
    assert routed
    assert routed.rule == (fitting[0] if fitting else None)
