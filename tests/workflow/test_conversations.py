"""Messages reach people: records move at once, one mail for ten minutes, whatever dies meanwhile (M10, N7, N8)."""

import copy
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from api.referrals.list import list_referrals
from api.referrals.messages import mark_messages_read, post_message
from api.referrals.my_work import get_my_work
from api.referrals.read import get_referral
from api.referrals.transitions import accept_referral, decline_referral
from shared.errors import StoreUnavailable
from tests.doubles.dying_handlers import with_dying_handlers
from tests.doubles.ending_tables import EndingTables
from tests.doubles.played_deal import PlayedDeal
from tests.doubles.small_world import deal
from tests.examples.referrals import NOW

MINUTE = timedelta(minutes=1)


class Talk(PlayedDeal):
    """Rae's deal, in which Northwind takes part, Fabrikam has declined, and Microsoft has not answered."""

    async def start(self) -> None:
        await self.begin(deal("northwind", "fabrikam"))
        await self.answer("nia", "northwind", accept_referral, {})
        await self.answer("kim", "fabrikam", decline_referral, {"reason": "Other", "notes": "No."})
        await self.sweep(0)
        self.mail.taken.clear()

    async def answer(self, who: str, organization: str, handler: Any, body: object) -> None:
        answer = await self.ask(who, organization, handler, body)
        assert answer.status == 200, answer.body

    async def route(self) -> dict[str, str]:
        return {"engagementId": (await self.record("contoso")).engagement_id}

    async def post(self, who: str, text: str = "Hello", status: int = 201) -> None:
        answer = await self.request(who, post_message, {"text": text}, route=await self.route())
        assert answer.status == status, answer.body

    async def read(self, who: str, sequence: Any, status: int = 204) -> None:
        answer = await self.request(who, mark_messages_read, {"sequence": sequence}, route=await self.route())
        assert answer.status == status, answer.body

    async def unread(self, who: str, organization: str) -> int:
        """As the record shows it, the list and, if it is on the person's list of work, that."""
        one = (await self.ask(who, organization, get_referral)).body
        listed = (await self.request(who, list_referrals)).body["value"]
        (same,) = [each for each in listed if each["id"] == one["id"]]
        assert one["unreadMessages"] == same["unreadMessages"]
        work = (await self.request(who, get_my_work)).body["value"]
        assert [each["why"] for each in work] == ["readMessages"] * bool(one["unreadMessages"])
        return one["unreadMessages"]

    async def sweep(self, minutes: float) -> None:
        """So much later, both clocks."""
        self.now += minutes * MINUTE
        self.engine.now = self.now
        await self.service.sweep.run(self.engine, self.now)

    def told(self) -> Sequence[tuple[str, list[str]]]:
        """Who was mailed, and what."""
        mails = [each for each in self.mail.taken.values() if each.message == "newMessages"]
        return [
            (", ".join(each.recipients), [line[2:] for line in each.text.splitlines() if line[:1] == ">"])
            for each in mails
        ]


@pytest.fixture
async def talk() -> Talk:
    played = Talk(NOW)
    await played.start()
    return played


async def test_the_other_parties_teams_are_mailed_once_for_ten_minutes(talk: Talk) -> None:
    await talk.post("rae", "First")
    await talk.sweep(5)
    await talk.post("rae", "Second")
    assert talk.told() == []
    await talk.sweep(5)
    rae = "Rae Example:"
    both = ("nia@northwindtraders.com", [rae, "First", "", rae, "Second"])
    assert talk.told() == [both], "nobody of those who declined or have not answered, and not the author"
    await talk.sweep(5)
    assert talk.told() == [both], "the second was told with the first"
    await talk.post("nia", "Third")
    await talk.sweep(9)
    assert talk.told() == [both]
    await talk.sweep(1)
    assert talk.told() == [both, ("rae@contoso.com", ["Nia Example:", "Third"])]
    await talk.sweep(60)
    assert len(talk.told()) == 2


async def test_what_is_written_after_a_mail_waits_ten_minutes_of_its_own(talk: Talk) -> None:
    """Though the intents of messages that were told with others come due meanwhile."""
    await talk.post("rae", "First")
    await talk.sweep(5)
    await talk.post("rae", "Second")
    await talk.sweep(5)
    await talk.sweep(2)
    await talk.post("rae", "Third")
    for minutes, mails in ((3, 1), (6, 1), (1, 2)):
        await talk.sweep(minutes)
        assert len(talk.told()) == mails, minutes


async def test_each_party_is_told_what_the_others_wrote(talk: Talk) -> None:
    await talk.answer("sam", "msft", accept_referral, {})
    for who in ("rae", "nia", "sam"):
        await talk.post(who, f"By {who}")
    await talk.sweep(10)
    told = {to: [line for line in lines if line.startswith("By")] for to, lines in talk.told()}
    assert told == {
        "rae@contoso.com": ["By nia", "By sam"],
        "nia@northwindtraders.com": ["By rae", "By sam"],
        "sam@microsoft.com": ["By rae", "By nia"],
    }


async def test_a_mail_shows_the_latest_five_and_the_beginning_of_a_long_one(talk: Talk) -> None:
    for number in range(6):
        await talk.post("rae", f"Number {number}")
    await talk.post("rae", "word " * 1_500)
    await talk.sweep(10)
    ((_, lines),) = talk.told()
    assert [line for line in lines if line.startswith("Number")] == [f"Number {n}" for n in range(2, 6)]
    assert " ".join(lines).count("word") == 200
    assert lines[-1].endswith("…")


async def test_unread_messages_are_counted_for_each_person_until_they_are_read(talk: Talk) -> None:
    assert await talk.unread("nia", "northwind") == 0
    await talk.post("rae")
    await talk.post("rae")
    assert (await talk.unread("nia", "northwind"), await talk.unread("rae", "contoso")) == (2, 0)
    await talk.read("nia", 1)
    assert await talk.unread("nia", "northwind") == 1
    await talk.read("nia", 2)
    await talk.read("nia", 1)
    assert await talk.unread("nia", "northwind") == 0, "going back has no effect"
    await talk.post("nia")
    assert (await talk.unread("nia", "northwind"), await talk.unread("rae", "contoso")) == (0, 1)
    await talk.read("nia", 4, status=422)
    await talk.read("nia", -1, status=422)
    await talk.read("nia", "2", status=422)
    await talk.read("kim", 1, status=422)
    await talk.read("dee", 1, status=404)
    kim = await talk.ask("kim", "fabrikam", get_referral)
    assert kim.body["unreadMessages"] == 0


async def test_a_message_moves_the_records_of_those_who_read_it_and_their_order(talk: Talk) -> None:
    before = {
        each: (await talk.record(each)).updated_at for each in ("contoso", "northwind", "fabrikam", "msft")
    }
    talk.now += MINUTE
    await talk.post("rae")
    after = {each: (await talk.record(each)).updated_at for each in before}
    assert {each for each in before if after[each] != before[each]} == {"contoso", "northwind"}


@pytest.mark.parametrize("writes", range(9))
async def test_whatever_dies_the_mail_comes_once_if_the_message_is_there(writes: int) -> None:
    """The post: announced, stored, read by its author, shown to both. The telling: begun, planned, sent, ended."""
    tables = EndingTables()
    talk = Talk(NOW, tables)
    await talk.start()
    tables.left = writes
    posted = await talk.request("rae", post_message, {"text": "Hello"}, route=await talk.route())
    assert posted.status == (201 if writes >= 2 else 503)
    for _ in range(2):
        with suppress(StoreUnavailable):
            await talk.sweep(10)
    tables.left = None
    for _ in range(6):
        await talk.sweep(40)
    wanted = [("nia@northwindtraders.com", ["Rae Example:", "Hello"])] if writes >= 2 else []
    assert talk.told() == wanted
    if wanted:
        assert await talk.unread("nia", "northwind") == 1


async def test_a_handler_that_dies_after_its_response_leaves_all_to_the_sweep(talk: Talk) -> None:
    talk.service = with_dying_handlers(talk.service)
    await talk.post("rae")
    assert await talk.unread("nia", "northwind") == 0
    await talk.sweep(10)
    assert len(talk.told()) == 1
    assert await talk.unread("nia", "northwind") == 1


async def test_while_the_mail_service_is_away_messages_wait_and_come_once(talk: Talk) -> None:
    talk.mail.away = True
    await talk.post("rae", "First")
    await talk.sweep(10)
    await talk.post("rae", "Second")
    for _ in range(3):
        await talk.sweep(20)
    assert talk.told() == []
    talk.mail.away = False
    for _ in range(8):
        await talk.sweep(20)
    texts = sorted(line for _, lines in talk.told() for line in lines if line in {"First", "Second"})
    assert texts == ["First", "Second"]


async def test_a_mail_that_is_refused_for_good_is_in_the_readers_timeline(talk: Talk) -> None:
    talk.mail.refuses = {"nia@northwindtraders.com"}
    await talk.post("rae")
    await talk.sweep(10)
    assert (await talk.kinds("northwind"))[-1] == "mailFailed"
    before = copy.copy(await talk.kinds("northwind"))
    await talk.sweep(30)
    assert await talk.kinds("northwind") == before
