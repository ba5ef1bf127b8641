"""The mail about an invitation names whom to talk to: people of the inviter and, if shared, of the customer (C2)."""

from typing import Any

import pytest

from tests.doubles.played_deal import PlayedDeal
from tests.doubles.small_world import deal
from tests.examples.referrals import NOW


async def invitation(made: dict[str, Any]) -> tuple[str, str]:
    """Text and HTML of Northwind's mail."""
    played = PlayedDeal(NOW)
    await played.begin(made)
    (mail,) = [
        each for each in played.mail.taken.values() if each.recipients == ("nia@northwindtraders.com",)
    ]
    return mail.text, mail.html


@pytest.mark.parametrize("shared", [False, True])
async def test_the_customers_contact_is_named_with_consent_alone(shared: bool) -> None:
    made = {
        **deal("northwind", microsoft=False),
        "consent": {"consentToToShareInfoWithOthers": shared},
    }
    for part in await invitation(made):
        assert ("cara@relecloud.com" in part) is shared
        assert "rae@contoso.com" in part


async def test_the_team_is_the_one_named_in_the_invitation_and_its_first_are_shown() -> None:
    made = deal("northwind", microsoft=False)
    member = made["team"][0]
    team = [{**member, "email": f"person{number}@contoso.com"} for number in range(7)]
    made["invitations"][0]["team"] = team
    for part in await invitation(made):
        assert "person4@contoso.com" in part
        assert "person5@contoso.com" not in part
        assert "rae@contoso.com" not in part
