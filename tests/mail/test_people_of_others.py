"""Mail of one organization goes to no person of another (M11)."""

from typing import Any

import pytest

from api.referrals.transitions import accept_referral
from shared.admin.directory_import import DirectoryDocument, import_directory
from shared.storage.memory_tables import MemoryTables
from tests.doubles.played_deal import PlayedDeal
from tests.doubles.small_world import deal, organization
from tests.examples.referrals import NOW

MEMBER = deal()["team"][0]


def member(email: str) -> dict[str, Any]:
    return {**MEMBER, "email": email}


async def mailed(*team: str, entries: tuple[dict[str, Any], ...] = ()) -> set[str]:
    """Who of the team of a deal hears that Northwind accepted; `entries` are added to the directory before."""
    played = PlayedDeal(NOW, MemoryTables())
    body = {**deal("northwind", microsoft=False), "team": [member(each) for each in team]}
    await played.begin(body)
    if entries:
        await import_directory(
            played.tables, DirectoryDocument.model_validate({"organizations": list(entries)})
        )
    answer = await played.ask("nia", "northwind", accept_referral, {})
    assert answer.status == 200, answer.body
    return {to for each in played.mail.taken.values() if each.message == "accepted" for to in each.recipients}


@pytest.mark.parametrize(
    "foreign", ["nia@northwindtraders.com", "NIA@NorthwindTraders.com", "sam@microsoft.com"]
)
async def test_a_member_whom_the_directory_has_elsewhere_gets_none(foreign: str) -> None:
    assert await mailed("rae@contoso.com", foreign) == {"rae@contoso.com"}


async def test_a_member_in_no_directory_gets_it() -> None:
    assert await mailed("rae@contoso.com", "consultant@example.org") == {
        "rae@contoso.com",
        "consultant@example.org",
    }


def listed(organization_id: str, oid: str, email: str) -> dict[str, Any]:
    """One more organization, or Contoso with another person."""
    entry = organization(organization_id, organization_id.title(), f"{organization_id}-place", "US")
    return {
        **entry,
        "people": [
            {
                "oid": oid,
                "email": email,
                "firstName": "Ann",
                "lastName": "Example",
                "roles": ["ReferralsAdmin"],
                "global": True,
            }
        ],
    }


async def test_who_is_in_both_directories_gets_it() -> None:
    both = "ann@example.org"
    entries = (listed("litware", "ann-l", both), listed("contoso", "ann-c", both))
    assert both in await mailed("rae@contoso.com", both, entries=entries)


async def test_an_address_that_somebody_elsewhere_had_once_is_in_no_directory() -> None:
    before, now = listed("litware", "ann", "ann@example.org"), listed("litware", "ann", "ann@litware.example")
    assert "ann@example.org" not in await mailed("rae@contoso.com", "ann@example.org", entries=(before,))
    assert "ann@example.org" in await mailed("rae@contoso.com", "ann@example.org", entries=(before, now))
