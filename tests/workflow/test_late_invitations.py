"""Invitations that storage takes after the deal went on: what was decided meanwhile reaches them all the same."""

from datetime import timedelta

import pytest

from api.referrals.transitions import accept_referral, lose_referral, win_referral
from tests.doubles.late_tables import LateTables
from tests.doubles.played_deal import PlayedDeal, replacing
from tests.doubles.slow_tables import SlowTables
from tests.doubles.small_world import deal
from tests.examples.referrals import NOW

Q2 = "/consent/consentToShareReferralWithMicrosoftSellers"
LOST = {"reason": "BudgetNotAdequate"}
SOON = timedelta(minutes=5)


async def begun(
    *slow: str, partners: tuple[str, ...] = ("northwind",), microsoft: bool = False
) -> PlayedDeal:
    """A deal whose creator was answered, though the invitations to these are not in yet."""
    played = PlayedDeal(NOW, SlowTables(*slow))
    await played.begin(deal(*partners, microsoft=microsoft))
    await played.follow("contoso")
    for partner in slow:
        assert await played.tables.between("referrals", partner, "d:", "d;") == []
    return played


async def arrives(played: PlayedDeal) -> None:
    """What the handler of the creation sent arrives at last, before the orchestration sends it again."""
    assert isinstance(played.tables, SlowTables)
    await played.tables.catch_up()


async def open_tasks(played: PlayedDeal) -> list[str]:
    rows = await played.service.referrals.work(await played.party("contoso"))
    return [state.task.kind for row in rows for state in row.value.tasks if not state.done]


async def test_an_invitation_that_arrives_after_its_deal_was_lost_is_withdrawn() -> None:
    """L8."""
    played = await begun("northwind")
    assert (await played.ask("rae", "contoso", lose_referral, LOST)).status == 200
    await played.follow("contoso")
    assert {"invite", "withdraw"} <= set(await open_tasks(played))
    await arrives(played)
    assert (await played.record("northwind")).state == "New/Pending"
    played.now += SOON
    await played.follow("contoso", "northwind")
    record = await played.record("northwind")
    assert record.status_reason
    assert (record.state, record.status_reason.code) == ("Closed/Expired", "DealClosed")
    assert await played.kinds("northwind") == ["received", "withdrawn"]
    assert await open_tasks(played) == []


async def test_an_invitation_that_is_sent_again_after_its_deal_was_lost_begins_closed() -> None:
    """L8, C2: and the put-off withdrawal finds nothing more to do."""
    played = await begun("northwind")
    await played.ask("rae", "contoso", lose_referral, LOST)
    await played.follow("contoso")
    assert isinstance(played.tables, SlowTables)
    played.tables.slow.clear()
    played.now += SOON
    await played.follow("contoso", "northwind")
    assert await played.kinds("northwind") == ["withdrawn"]
    assert await open_tasks(played) == []
    assert not played.mail.told()


async def test_one_that_is_late_keeps_no_other_from_being_withdrawn() -> None:
    """L8: whichever of them comes first."""
    played = await begun("fabrikam", partners=("fabrikam", "northwind"))
    await played.ask("rae", "contoso", lose_referral, LOST)
    await played.follow("contoso")
    assert (await played.record("northwind")).state == "Closed/Expired"
    assert await played.kinds("northwind") == ["received", "withdrawn"]


async def test_an_invitation_of_microsofts_that_arrives_after_the_win_hears_of_it_and_stays_open() -> None:
    """L7, L8."""
    played = await begun("msft", partners=(), microsoft=True)
    assert (await played.ask("rae", "contoso", win_referral)).status == 200
    await played.follow("contoso")
    await arrives(played)
    played.now += SOON
    await played.follow("contoso", "msft")
    assert (await played.record("msft")).state == "New/Pending"
    assert await played.kinds("msft") == ["received", "partyChanged"]
    assert await open_tasks(played) == []


async def test_an_invitation_that_arrives_after_the_deal_became_another_type_learns_of_it() -> None:
    """T1."""
    played = await begun("northwind")
    assert (await played.edit("rae", "contoso", replacing(Q2, True))).status == 204
    await played.follow("contoso")
    await arrives(played)
    assert (await played.record("northwind")).deal_type == "PartnerToPartner"
    played.now += SOON
    await played.follow("contoso", "northwind")
    assert (await played.record("northwind")).deal_type == "PartnerLed"
    assert await open_tasks(played) == []


@pytest.mark.parametrize("days", [1, 13])
async def test_what_waits_for_an_invitation_waits_as_long_as_storage_is_away(days: int) -> None:
    played = await begun("northwind")
    await played.ask("rae", "contoso", lose_referral, LOST)
    for _ in range(days * 24):
        played.now += timedelta(hours=1)
        await played.follow("contoso")
    assert {"invite", "withdraw"} <= set(await open_tasks(played))
    await arrives(played)
    played.now += timedelta(hours=2)
    await played.follow("contoso")
    assert await played.kinds("northwind") == ["received", "withdrawn"]


async def test_news_that_storage_takes_without_an_answer_is_told_once() -> None:
    """L7, L9: though it lands only when the record is read for the next attempt."""
    tables = LateTables()
    played = PlayedDeal(NOW, tables)
    await played.begin()
    await played.follow("contoso", "northwind")
    await played.ask("nia", "northwind", accept_referral)
    tables.delay_next = True
    await played.follow("northwind")
    assert await played.kinds("contoso") == ["created", "partyChanged"]
