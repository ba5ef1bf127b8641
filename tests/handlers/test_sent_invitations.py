"""Whoever created a deal can look up what it asked each party for (C2, C3, V1)."""

from datetime import timedelta
from typing import Any

import pytest

from api.referrals.engagements import get_engagement
from api.referrals.invitations import create_invitations
from api.referrals.transitions import accept_referral, decline_referral
from shared.storage import keys
from shared.storage.tables import Row, Upsert
from tests.doubles.played_deal import PlayedDeal, replacing
from tests.doubles.service import SETTINGS, service_on
from tests.doubles.small_world import deal
from tests.examples.referrals import NOW

WORDS = "Please bring your field team."


def invitation(partner: str, **fields: Any) -> dict[str, Any]:
    return {**deal(partner)["invitations"][0], "assistanceRequestCode": "QuotesOrLicensing", **fields}


@pytest.fixture
async def played() -> PlayedDeal:
    """Northwind and Microsoft are invited, each with words of its own."""
    body = deal("northwind")
    body["inviteContext"]["notes"] = "Help us close."
    body["invitations"] = [invitation("northwind", notes=WORDS)]
    begun = PlayedDeal(NOW)
    await begun.begin(body)
    await begun.follow("contoso", "northwind", "msft")
    return begun


async def invitations(played: PlayedDeal, who: str) -> dict[str, Any]:
    """What a reader sees of the invitation of each party."""
    route = {"engagementId": (await played.record("contoso")).engagement_id}
    seen = await played.request(who, get_engagement, route=route)
    assert seen.status == 200, seen.body
    return {party["organizationId"]: party["invitation"] for party in seen.body["parties"]}


def sent_to_northwind() -> dict[str, Any]:
    return {
        "dealValue": 500,
        "currency": "USD",
        "closingDateTime": "2027-12-31T00:00:00Z",
        "solutions": [{"id": "SOL-CONTOSO-ERP", "name": "Contoso ERP", "type": "MyCompany"}],
        "notes": WORDS,
        "assistanceRequestCode": "QuotesOrLicensing",
        "invitedDateTime": "2026-11-21T10:00:00Z",
        "invitedBy": "Rae Example",
        "expirationDateTime": "2026-12-05T10:00:00Z",
    }


async def test_the_creator_sees_what_it_sent_to_each_party(played: PlayedDeal) -> None:
    seen = await invitations(played, "rae")
    assert seen["contoso"] is None
    assert seen["northwind"] == sent_to_northwind()
    assert (seen["msft"]["dealValue"], seen["msft"]["notes"]) == (1000, "Help us close.")
    assert seen["msft"]["assistanceRequestCode"] == "GeneralOrOther"


async def test_it_stays_what_was_sent_when_either_side_changes_its_own(played: PlayedDeal) -> None:
    played.now += timedelta(hours=1)
    accepted = await played.ask("nia", "northwind", accept_referral, {"dealValue": 999})
    assert accepted.status == 200, accepted.body
    await played.follow("northwind", "contoso")
    changes = [replacing("/details/currency", "EUR"), replacing("/details/dealValue", 7)]
    assert (await played.edit("nia", "northwind", *changes)).status == 204
    assert (await played.edit("rae", "contoso", replacing("/details/dealValue", 8))).status == 204
    seen = await invitations(played, "rae")
    assert seen["northwind"] == sent_to_northwind()
    assert seen["msft"]["dealValue"] == 1000


async def test_nobody_else_sees_what_was_sent(played: PlayedDeal) -> None:
    assert set((await invitations(played, "nia")).values()) == {None}
    await played.ask("nia", "northwind", accept_referral)
    await played.ask("sam", "msft", accept_referral)
    await played.follow("northwind", "msft", "contoso")
    for who in ("nia", "sam"):
        seen = await invitations(played, who)
        assert seen == dict.fromkeys(("contoso", "northwind", "msft"))


async def test_sellers_who_read_a_partner_led_deal_do_not_see_it() -> None:
    played, body = PlayedDeal(NOW), deal("northwind", microsoft=False)
    body["consent"]["consentToShareReferralWithMicrosoftSellers"] = True
    await played.begin(body)
    assert await invitations(played, "sam") == {"contoso": None, "northwind": None}


async def test_a_repeated_invitation_is_shown_with_what_it_said_and_who_sent_it(played: PlayedDeal) -> None:
    await played.ask("nia", "northwind", decline_referral, {"reason": "TimelineTooShort"})
    await played.follow("northwind", "contoso")
    played.now += timedelta(days=1)
    again = {"invitations": [invitation("northwind", dealValue=640, notes=None)]}
    assert (await played.ask("rae", "contoso", create_invitations, again)).status == 201
    seen = (await invitations(played, "rae"))["northwind"]
    assert (seen["dealValue"], seen["notes"], seen["invitedBy"]) == (640, None, "Rae Example")
    assert seen["invitedDateTime"] == "2026-11-22T10:00:00Z"
    assert seen["expirationDateTime"] == (played.now + SETTINGS.response_window).isoformat().replace(
        "+00:00", "Z"
    )


async def test_a_sender_whose_entry_is_lost_is_null_and_the_rest_is_there(played: PlayedDeal) -> None:
    own = await played.party("contoso")
    await played.tables.discard(keys.REFERRALS, "contoso", keys.entry(own.referral_id, 1))
    seen = (await invitations(played, "rae"))["northwind"]
    assert seen == {**sent_to_northwind(), "invitedBy": None}


async def test_a_damaged_row_of_the_catalogue_hides_nothing_of_the_deal(played: PlayedDeal) -> None:
    """Its solution is shown as it was sent."""
    damaged = Upsert(Row("SOL-CONTOSO-ERP", {"json0": "{"}))
    await played.tables.write("directory", "solutions", [damaged])
    played.service = service_on(played.tables, played.mail)
    seen = await invitations(played, "rae")
    assert [each["id"] for each in seen["northwind"]["solutions"]] == ["SOL-CONTOSO-ERP"]
