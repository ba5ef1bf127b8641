"""Find: words, filters and orders together, as a naive evaluation would (N4, V4)."""

import copy
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.referrals.create import create_referral
from api.referrals.edit import patch_referral
from api.referrals.list import list_referrals
from shared.domain.ids import ReferralId
from shared.domain.referral import Referral
from shared.domain.search_words import fold, has_words, words_in
from shared.storage import keys
from shared.storage.memory_tables import MemoryTables
from shared.storage.migrations import migrate
from shared.storage.referrals import Referrals
from shared.storage.tables import Row, Upsert
from tests.doubles.mail_service import MemoryMailService
from tests.doubles.played_deal import PlayedDeal, replacing
from tests.doubles.service import ask, service_on
from tests.doubles.small_world import deal, import_small_world
from tests.examples.referrals import NOW
from tests.examples.stored_data import data_of_version_3

MEMBER = deal()["team"][0]


class Searched(PlayedDeal):
    """Contoso's deals, a minute after one another."""

    async def deal(self, name: str, **fields: Any) -> str:
        self.now += timedelta(minutes=1)
        body = {**deal(microsoft=False), "name": name, **fields}
        made = await self.request("rae", create_referral, body)
        assert made.status == 201, made.body
        return made.body["id"]

    async def rename(self, referral_id: str, *changes: dict[str, Any]) -> None:
        self.now += timedelta(minutes=1)
        headers = {"If-Match": "*"}
        answer = await self.request(
            "rae", patch_referral, list(changes), route={"id": referral_id}, headers=headers
        )
        assert answer.status in {200, 204}, answer.body

    async def pages(self, who: str = "rae", **options: str) -> list[str]:
        """The names on all pages, one after the other."""
        params, names = {f"${name}": value for name, value in options.items()}, list[str]()
        for _ in range(100):
            answer = await self.request(who, list_referrals, params=params)
            assert answer.status == 200, answer.body
            names += [each["name"] for each in answer.body["value"]]
            if (link := answer.body.get("@odata.nextLink")) is None:
                return names
            params = dict(parse_qsl(urlsplit(link).query))
        raise AssertionError("the pages have no end")


@pytest.fixture
async def deals() -> Searched:
    played = Searched(NOW)
    await import_small_world(played.tables)
    return played


async def test_words_find_names_customers_crm_ids_and_campaigns_by_their_starts(deals: Searched) -> None:
    await deals.deal("Crème Brûlée for Łódź", externalReferenceId="CRM-4711", campaignId="Autumn-26")
    await deals.deal("Another")
    for words in ("creme", "BRUL lodz", "relecl CRÈME", "4711", "crm-47", "autumn 26 creme"):
        assert await deals.pages(search=words) == ["Crème Brûlée for Łódź"], words
    assert await deals.pages(search="rele") == ["Another", "Crème Brûlée for Łódź"]
    for words in ("reme", "creme another", "4712"):
        assert await deals.pages(search=words) == [], words
    assert await deals.pages(search="rele", filter="startswith(name,'ano')") == ["Another"]
    assert await deals.pages(search="rele", orderby="createdDateTime asc", top="1") == [
        "Crème Brûlée for Łódź",
        "Another",
    ]


async def test_a_search_without_words_is_refused_in_words(deals: Searched) -> None:
    for words in ("", "--", "x " * 200, " ".join("abcdefghijk")):
        answer = await deals.request("rae", list_referrals, params={"$search": words})
        assert answer.status == 400, words
        assert "$search takes 1 to 10 words" in answer.body["error"]["message"]


async def test_an_edit_is_found_by_its_new_words_alone_and_what_may_not_be_seen_is_not_found(
    deals: Searched,
) -> None:
    one = await deals.deal("First name")
    await deals.rename(one, replacing("/name", "Second name"), replacing("/externalReferenceId", "X9"))
    assert await deals.pages(search="first") == []
    assert await deals.pages(search="second x9") == ["Second name"]
    assert await deals.pages("mia", search="second") == [], "V4"
    assert await deals.pages("kim", search="second") == [], "V1"


async def test_a_row_that_is_left_of_a_word_shows_nothing(deals: Searched) -> None:
    """As after tables were restored from different days."""
    one = await deals.deal("Present")
    left = Upsert(Row(keys.of_word("past", ReferralId(one)), {}))
    await deals.tables.write("referrals", "contoso", [left])
    assert await deals.pages(search="past") == []
    assert await deals.pages(search="pres") == ["Present"]


async def test_words_that_a_step_has_no_room_for_follow_as_work(deals: Searched) -> None:
    """Another name, and 25 of 50 people replaced by others."""

    def team(first: int) -> list[dict[str, Any]]:
        others = [{**MEMBER, "email": f"person{n}@contoso.com"} for n in range(first, first + 49)]
        return [MEMBER, *others]

    long = " ".join(f"early{n}" for n in range(20))
    one = await deals.deal(long, team=team(0))
    assert await deals.pages(search="early3") == [long]
    later = " ".join(f"later{n}" for n in range(20))
    await deals.rename(one, replacing("/name", later), replacing("/team", team(25)))
    assert await deals.pages(search="later3") == [later]
    assert await deals.pages(search="early3") == []
    rows = await deals.tables.between("referrals", "contoso", "z:early", "z:early~")
    assert rows == [], "and nothing is left of the earlier words"


async def test_words_that_are_written_late_are_those_of_the_record_at_the_end(
    deals: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit brings a word back while the work of an earlier one takes its row away."""

    def team(first: int) -> list[dict[str, Any]]:
        others = [{**MEMBER, "email": f"person{n}@contoso.com"} for n in range(first, first + 49)]
        return [MEMBER, *others]

    early, later = (" ".join(f"{word}{n}" for n in range(20)) for word in ("early", "later"))
    one = await deals.deal(early, team=team(0))
    index_words, renamed = Referrals.index_words, False

    async def in_between(self: Referrals, record: Referral, earlier: Any) -> None:
        nonlocal renamed
        if not renamed:
            renamed, deals.waits = True, False  # nobody waits here for the work that this is part of
            await deals.rename(one, replacing("/name", "early3 again"))
            deals.waits = True
        await index_words(self, record, earlier)

    monkeypatch.setattr(Referrals, "index_words", in_between)
    await deals.rename(one, replacing("/name", later), replacing("/team", team(25)))
    assert await deals.pages(search="early3 again") == ["early3 again"]


async def test_other_orders_sort_all_that_match_and_go_on_from_page_to_page(deals: Searched) -> None:
    values = {"Éclair": 30, "apple": 5.5, "Zebra": 100, "apple pie": 7}
    for name, value in values.items():
        details = {**deal()["details"], "dealValue": value}
        await deals.deal(name, details=details)
    by_name = ["apple", "apple pie", "Éclair", "Zebra"]
    by_value = sorted(values, key=lambda name: values[name])
    for top in ("1", "3", "100"):
        assert await deals.pages(orderby="name", top=top) == by_name
        assert await deals.pages(orderby="name desc", top=top) == by_name[::-1]
        assert await deals.pages(orderby="details/dealValue asc", top=top) == by_value
        assert await deals.pages(orderby="details/dealValue desc", top=top, search="a") == [
            *("apple pie", "apple")
        ]
    assert await deals.pages(filter="details/dealValue gt 5.5 and details/dealValue lt 100") == [
        *("apple pie", "Éclair")
    ]
    assert await deals.pages(filter="details/dealValue eq 5.50") == ["apple"]
    assert (
        await deals.pages(filter="closedDateTime eq null and contactAlert eq null", orderby="name") == by_name
    )
    assert await deals.pages(filter="salesStage eq 'created'", orderby="name") == by_name


@pytest.mark.parametrize("orderby", ["createdDateTime desc", "createdDateTime asc", "updatedDateTime desc"])
@pytest.mark.parametrize("first", [True, False])
async def test_pages_go_on_where_they_ended_however_each_of_them_is_read(
    deals: Searched, monkeypatch: pytest.MonkeyPatch, orderby: str, first: bool
) -> None:
    """A word can become too common, or rare again, between two pages."""
    names = [f"Deal {number}" for number in range(6)]
    for name in names:
        await deals.deal(name)
    found_by, by_words = Referrals.found_by, first

    async def now_and_then(self: Referrals, *asked: Any) -> list[ReferralId] | None:
        nonlocal by_words
        by_words = not by_words
        return await found_by(self, *asked) if by_words else None

    monkeypatch.setattr(Referrals, "found_by", now_and_then)
    wanted = names if orderby.endswith("asc") else names[::-1]
    assert await deals.pages(search="deal", orderby=orderby, top="1") == wanted


async def test_a_name_of_letters_that_stand_for_many_is_sorted_page_by_page(deals: Searched) -> None:
    names = [str(number) + "\ufdfa" * 90 for number in range(3)]
    for name in names:
        await deals.deal(name)
    assert await deals.pages(orderby="name", top="1") == names


async def test_counts_and_pages_agree_on_what_a_search_finds(deals: Searched) -> None:
    for number in range(7):
        await deals.deal(f"Alpha {number}" if number % 2 else f"Beta {number}")
    params = {"$search": "alpha rele", "$count": "true", "$top": "2"}
    answer = await deals.request("rae", list_referrals, params=params)
    assert (answer.body["@odata.count"], len(answer.body["value"])) == (3, 2)
    assert await deals.pages(search="alpha", top="2") == ["Alpha 5", "Alpha 3", "Alpha 1"]
    assert await deals.pages(search="alpha", skip="1", top="1") == ["Alpha 3", "Alpha 1"]
    changed = {"$search": "beta", "$skiptoken": answer.body["@odata.nextLink"].rpartition("skiptoken=")[2]}
    assert (await deals.request("rae", list_referrals, params=changed)).status == 400


NAMES = st.lists(
    st.text(st.sampled_from("aàbßİ -"), min_size=1, max_size=8).filter(words_in), min_size=1, max_size=6
)


@settings(max_examples=40, deadline=None)
@given(NAMES, st.data())
async def test_whatever_is_created_and_renamed_a_search_finds_what_a_naive_evaluation_finds(
    names: Sequence[str], data: st.DataObject
) -> None:
    played = Searched(NOW)
    await import_small_world(played.tables)
    ids = [await played.deal(name.strip()) for name in names]
    for index in data.draw(st.lists(st.integers(0, len(ids) - 1), max_size=3)):
        name = data.draw(NAMES)[0].strip()
        await played.rename(ids[index], replacing("/name", name))
    records = [each async for each in played.service.referrals.scan_all()]
    for start in {word[:length] for each in records for word in words_in(each.name) for length in (1, 2)}:
        newest = sorted(records, key=lambda each: each.id, reverse=True)
        wanted = [each.name for each in newest if has_words(each, (start,))]
        assert await played.pages(search=start, top="2") == wanted
        by_name = sorted(records, key=lambda each: (fold(each.name), each.id))
        wanted = [each.name for each in by_name if has_words(each, (start,))]
        assert await played.pages(search=start, top="2", orderby="name") == wanted


async def test_what_version_3_stored_is_found_after_the_migration() -> None:
    tables = MemoryTables()
    sample = data_of_version_3()
    await sample.load(tables)
    for _ in range(2):
        await migrate(copy.deepcopy(tables), 3, str, until=4)
    await migrate(tables, 3, str, until=4)
    service = service_on(tables, MemoryMailService())

    async def found(who: str, words: str) -> list[str]:
        params = {"$search": words}
        answer = await ask(service, who, list_referrals, params=params, now=sample.now)
        return [each["name"] for each in answer.body["value"]]

    assert await found("rae", "creme lodz 4711") == ["Crème Brûlée for Łódź"]
    assert await found("kim", "서울 fab") == ["Relecloud 서울"]
    assert await found("kim", "4711") == [], "Contoso's CRM id is Contoso's"
