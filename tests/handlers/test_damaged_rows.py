"""One row that cannot be read, or is missing, stops what needs it, and nothing else (docs/operations.md)."""

import copy
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.directory.people import put_person
from api.http.operation import Handler
from api.http.response import Response
from api.referrals.engagements import get_engagement
from api.referrals.list import list_referrals
from api.referrals.messages import post_message
from api.referrals.read import get_referral
from api.referrals.transitions import accept_referral, win_referral
from shared.admin.check import unfinished
from shared.admin.directory_import import import_directory
from shared.domain.ids import EngagementId, OrganizationId, ReferralId
from shared.domain.referral import ReferralKey
from shared.errors import RecordUnreadable, StoreUnavailable
from shared.storage import keys
from shared.storage.claims import claim, tables_claim
from shared.storage.codec import Codec
from shared.storage.directory import Directory
from shared.storage.engagements import Engagements, Message
from shared.storage.inquiries import Inquiries
from shared.storage.mail import Gate, MailRecord, MailRecords
from shared.storage.memory_tables import MemoryTables
from shared.storage.profiles import Profiles
from shared.storage.referrals import Referrals
from shared.storage.registrations import QUEUE, Registrations
from shared.storage.tables import Discard, Row, StoredRow, Tables, Upsert
from shared.workflow.observe import observe
from tests.doubles.orchestration import follow
from tests.doubles.played_deal import PlayedDeal
from tests.doubles.played_registration import PlayedRegistration
from tests.doubles.service import NOTHING, dies_after_responses
from tests.doubles.small_world import PEOPLE, WORLD, deal
from tests.examples.referrals import context, step

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
BROKEN = {"json0": '{"name": "Cara Buyer'}
PARTNERS = ("northwind", "fabrikam", "msft")
DECLINED = {"reason": "Other", "notes": "No"}


async def damage(tables: Tables, row: StoredRow, *, missing: bool = False) -> None:
    operation = Discard(row.key) if missing else Upsert(Row(row.key, BROKEN))
    await tables.write(row.table, row.partition, [operation])


async def rows_of(tables: MemoryTables, *names: str) -> list[StoredRow]:
    return [row for name in names for row in [each async for each in tables.scan_table(name)]]


class Story:
    """A deal that Northwind accepted, with two invitations that are open; what is asked of it, and what is told."""

    def __init__(self, tables: MemoryTables | None = None, now: datetime = NOW) -> None:
        self.deal = PlayedDeal(now, tables)
        self.unreadable = 0

    async def begin(self) -> None:
        await self.deal.begin(deal("northwind", "fabrikam"))
        await self.deal.follow("contoso", *PARTNERS)
        assert (await self.deal.ask("nia", "northwind", accept_referral)).status == 200
        await self.deal.follow("contoso", "northwind")
        assert (await self.say("Hello")).status == 201

    async def page(self, who: str) -> Response:
        return await self.deal.request(who, list_referrals)

    async def get(self, who: str, referral_id: str) -> Response:
        return await self.deal.request(who, get_referral, route={"id": referral_id})

    async def engagement(self, who: str) -> Response:
        return await self._about_engagement(who, get_engagement)

    async def say(self, text: str) -> Response:
        return await self._about_engagement("rae", post_message, {"text": text}, {"Idempotency-Key": text})

    async def _about_engagement(
        self, who: str, handler: Handler, body: object = None, headers: Mapping[str, str] = NOTHING
    ) -> Response:
        (row,) = {r.partition for r in await rows_of(self.deal.tables, "engagements")} or {"gone"}
        return await self.deal.request(who, handler, body, route={"engagementId": row}, headers=headers)

    async def tried(self, step: Awaitable[object]) -> object:
        """What may meet the damaged row, and then says so; whatever else is raised, is a defect."""
        try:
            done = await step
        except RecordUnreadable:
            self.unreadable += 1
            return None
        if isinstance(done, Response) and done.status >= 500:
            assert done.status == 500
            assert done.body["error"]["code"] == "recordUnreadable"
            self.unreadable += 1
        return done

    async def turns(self, party: ReferralKey) -> None:
        """What is due on a record, until it waits; a failure ends it, as it ends the look of a sweep."""
        await follow(self.deal.service, self.deal.engine, party, self.deal.now)
        observed = await observe(self.deal.service.referrals, self.deal.service.registrations, party, None)
        assert not observed.plan(self.deal.now).steps, f"{party} found something to do for ever"


@pytest.fixture
async def played() -> MemoryTables:
    story = Story()
    await story.begin()
    return story.deal.tables


def rerun(played: MemoryTables) -> Story:
    return Story(copy.deepcopy(played), NOW + timedelta(hours=1))


async def ids_of(played: MemoryTables) -> dict[str, ReferralId]:
    return {
        row.partition: ReferralId(row.key.removeprefix("d:"))
        for row in await rows_of(played, "referrals")
        if row.key.startswith("d:")
    }


@pytest.mark.parametrize("missing", [False, True], ids=["damaged", "missing"])
async def test_whichever_row_is_lost_all_that_does_not_need_it_goes_on(
    played: MemoryTables, missing: bool
) -> None:
    """Lists always answer; nobody fails in any other way; of other parties each comes to its end."""
    ids = await ids_of(played)
    parties = {o: ReferralKey(organization_id=OrganizationId(o), referral_id=i) for o, i in ids.items()}
    rows = await rows_of(played, "referrals", "engagements", "mail")
    assert len(rows) > 40
    hit = 0
    for row in rows:
        story = rerun(played)
        await damage(story.deal.tables, row, missing=missing)
        for who in ("rae", "nia", "kim", "sam"):
            answer = await story.page(who)
            assert answer.status == 200, (row.key, answer.body)
        for who, organization in (("rae", "contoso"), ("nia", "northwind"), ("kim", "fabrikam")):
            await story.tried(story.get(who, ids[organization]))
            await story.tried(story.engagement(who))
        if row.partition in PARTNERS or row.key.startswith(("p:", "m:", "k:")):
            assert (await story.engagement("rae")).status == 200, row.key
            assert (await story.get("rae", ids["contoso"])).status == 200, row.key
        await story.tried(story.say("Hello"))
        await story.tried(story.say("Anybody there?"))
        story.deal.now += timedelta(days=15)
        for party in parties.values():
            await story.tried(story.turns(party))
        story.deal.now += timedelta(days=1)
        for party in parties.values():
            await story.tried(story.turns(party))
        for organization in PARTNERS:
            if row.key == f"d:{ids[organization]}":
                continue
            stored = await story.deal.service.referrals.get(parties[organization])
            assert stored, (row.key, organization)
            wanted = "Accepted" if organization == "northwind" else "Expired"
            assert stored.value.substatus == wanted, (row.key, organization)
        hit += story.unreadable
    assert bool(hit) != missing


async def test_a_record_that_cannot_be_read_is_told_of_by_a_problem_and_named_in_the_log(
    played: MemoryTables, caplog: pytest.LogCaptureFixture
) -> None:
    story, ids = rerun(played), await ids_of(played)
    row = await story.deal.tables.get("referrals", "fabrikam", f"d:{ids['fabrikam']}")
    assert row
    await damage(story.deal.tables, row)
    with caplog.at_level(logging.ERROR):
        answer = await story.get("kim", ids["fabrikam"])
    assert (answer.status, answer.body["error"]["code"]) == (500, "recordUnreadable")
    assert f"referrals/fabrikam/d:{ids['fabrikam']}" in caplog.text
    assert "Cara" not in caplog.text + str(answer.body)


async def test_a_list_leaves_a_damaged_row_out_and_its_next_step_repairs_it(
    played: MemoryTables, caplog: pytest.LogCaptureFixture
) -> None:
    story, ids = rerun(played), await ids_of(played)
    key = keys.newest(ids["fabrikam"])
    row = await story.deal.tables.get("referrals", "fabrikam", key)
    assert row
    await damage(story.deal.tables, row)
    assert (await story.page("kim")).body["value"] == []
    assert f"row_set_aside The row referrals/fabrikam/{key}" in caplog.text
    assert "Cara" not in caplog.text
    assert (await story.deal.ask("kim", "fabrikam", accept_referral)).status == 200
    assert [each["id"] for each in (await story.page("kim")).body["value"]] == [ids["fabrikam"]]


async def test_the_check_counts_what_cannot_be_read_and_finds_the_rest(played: MemoryTables) -> None:
    story, ids = rerun(played), await ids_of(played)
    tables = story.deal.tables
    before = {party.organization_id for party in await unfinished(tables)}
    for key in (f"d:{ids['fabrikam']}", "q:1"):
        await tables.write("referrals", "fabrikam", [Upsert(Row(key, BROKEN))])
    assert {party.organization_id for party in await unfinished(tables)} == before - {"fabrikam"}
    told: list[RecordUnreadable] = []
    assert len([each async for each in Referrals(tables).scan_all(told.append)]) == len(ids) - 1
    assert [each async for each in Inquiries(tables).scan_all(told.append)] == []
    assert [each.row.rpartition("/")[2] for each in told] == [f"d:{ids['fabrikam']}", "q:1"]


async def test_an_invitation_that_is_lost_before_it_was_sent_keeps_no_other_back_and_is_not_taken_for_sent() -> (
    None
):
    story = Story()
    tables = story.deal.tables
    made = await story.deal.begin(deal("northwind", "fabrikam"))
    contoso = ReferralKey(organization_id=OrganizationId("contoso"), referral_id=ReferralId(made.body["id"]))
    invited = [r for r in await rows_of(tables, "referrals") if r.key.startswith("i:")]
    (lost,) = [r for r in invited if '"fabrikam"' in str(r.values["json0"])]
    for row in await rows_of(tables, "referrals"):
        if row.partition in {"fabrikam", "northwind"}:  # as if nothing had been sent yet
            await damage(tables, row, missing=True)
    (work,) = await story.deal.service.referrals.work(contoso)
    undone = tuple(replace(state, done=False) for state in work.value.tasks)
    await story.deal.service.referrals.save_work(contoso, replace(work.value, tasks=undone), work.etag)
    await damage(tables, lost)
    await story.turns(contoso)
    assert await story.deal.record("northwind")
    (work,) = await story.deal.service.referrals.work(contoso)
    assert [(s.task.kind, s.done) for s in work.value.tasks if s.task.kind == "invite"] == [("invite", False)]
    await tables.write(lost.table, lost.partition, [Upsert(Row(lost.key, lost.values))])
    story.deal.now += timedelta(hours=2)
    await story.turns(contoso)
    assert not (await story.deal.service.referrals.work(contoso))[0].value.open
    assert await story.deal.record("fabrikam")


async def test_a_reminder_whose_work_cannot_be_read_is_not_asked_for_for_ever(played: MemoryTables) -> None:
    """Its label still stands there, so that it would be opened, and refused, again and again."""
    story = rerun(played)
    fabrikam = await story.deal.party("fabrikam")
    story.deal.now += timedelta(days=1)
    await story.turns(fabrikam)
    key = keys.work(fabrikam.referral_id, "reminder-first")
    row = await story.deal.tables.get("referrals", "fabrikam", key)
    assert row
    await damage(story.deal.tables, row)
    await story.turns(fabrikam)
    work = await story.deal.service.referrals.work(fabrikam)
    assert [each.value.label for each in work if each.value.label.startswith("reminder")] == [
        "reminder-first"
    ]


async def test_a_timeline_leaves_out_an_entry_that_cannot_be_read(played: MemoryTables) -> None:
    story, ids = rerun(played), await ids_of(played)
    assert await story.deal.kinds("contoso") == ["created", "partyChanged"]
    row = await story.deal.tables.get("referrals", "contoso", keys.entry(ids["contoso"], 1))
    assert row
    await damage(story.deal.tables, row)
    assert await story.deal.kinds("contoso") == ["partyChanged"]


@pytest.mark.parametrize("missing", [False, True], ids=["damaged", "missing"])
async def test_news_are_told_though_their_entry_is_lost(missing: bool) -> None:
    story = Story()
    await story.begin()
    dies_after_responses(story.deal.service)
    assert (await story.deal.ask("kim", "fabrikam", accept_referral)).status == 200
    fabrikam = await story.deal.party("fabrikam")
    assert any(each.value.open for each in await story.deal.service.referrals.work(fabrikam))
    entries = await story.deal.service.referrals.entries(fabrikam)
    row = await story.deal.tables.get(
        "referrals", "fabrikam", keys.entry(fabrikam.referral_id, entries[-1].sequence)
    )
    assert row
    await damage(story.deal.tables, row, missing=missing)
    await story.turns(fabrikam)
    assert not any(each.value.open for each in await story.deal.service.referrals.work(fabrikam))
    assert (await story.deal.kinds("contoso")).count("partyChanged") == 2


async def test_a_task_that_meets_a_damaged_row_is_put_off_until_it_is_repaired_and_no_other_is(
    played: MemoryTables,
) -> None:
    story = rerun(played)
    tables, referrals = story.deal.tables, story.deal.service.referrals
    contoso, fabrikam = await story.deal.party("contoso"), await story.deal.party("fabrikam")
    assert (await story.deal.ask("kim", "fabrikam", accept_referral)).status == 200
    accepted = await referrals.get(fabrikam)
    assert accepted
    without_team = step(accepted.value, "edited", context(), team=())  # as if an application had accepted
    await referrals.commit(without_team, accepted)
    await tables.write("directory", "profiles:KR", [Upsert(Row("fabrikam", BROKEN))])
    assert (await story.deal.ask("rae", "contoso", win_referral)).status == 200
    await story.turns(contoso)
    open_now = [t.task.kind for w in await referrals.work(contoso) for t in w.value.tasks if not t.done]
    assert open_now == ["notify"]
    assert (await story.deal.kinds("fabrikam"))[-1] == "partyChanged"
    await tables.discard("directory", "profiles:KR", "fabrikam")
    story.deal.now += timedelta(hours=2)
    await story.turns(contoso)
    assert not any(each.value.open for each in await referrals.work(contoso))


async def test_a_damaged_gate_is_open_and_is_closed_anew() -> None:
    tables = MemoryTables()
    records = MailRecords(tables)
    await tables.write("mail", "gate", [Upsert(Row("state", BROKEN))])
    read = await records.gate()
    assert read
    assert read.value.open
    closed = Gate(until=NOW, pause=timedelta(minutes=1))
    await records.save_gate(closed, read)
    again = await records.gate()
    assert again
    assert again.value == closed


async def test_a_key_whose_message_was_lost_says_it_again_once() -> None:
    tables = MemoryTables()
    engagements, one = Engagements(tables), EngagementId("deal")
    message = Message(
        sequence=0, at=NOW, organization_id=OrganizationId("contoso"), author="Rae", text="Hi", key_hash="k"
    )
    first = await engagements.append(one, message)
    for row in await rows_of(tables, "engagements"):
        for missing in (False, True):
            again = copy.deepcopy(tables)
            await damage(again, row, missing=missing)
            damaged = Engagements(again)
            said_twice = [
                await damaged.append(one, message) or await damaged.message_of_key(one, "k") for _ in range(2)
            ]
            assert said_twice[0] == said_twice[1]
            assert said_twice[1] in (await damaged.messages(one, 9)).found
    assert (await engagements.messages(one, 9)).found == (first,)


async def test_an_import_writes_over_what_cannot_be_read() -> None:
    tables = MemoryTables()
    await import_directory(tables, WORLD)
    whole = await rows_of(tables, "directory")
    for row in whole:
        await damage(tables, row)
    await import_directory(tables, WORLD)
    after = {(r.partition, r.key): r.values for r in await rows_of(tables, "directory")}
    assert after == {(r.partition, r.key): r.values for r in whole}


async def test_lists_of_the_directory_leave_out_what_cannot_be_read_and_no_name_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tables = MemoryTables()
    await import_directory(tables, WORLD)
    for row in await rows_of(tables, "directory"):
        if row.key.startswith(("p:rae", "contoso")) or row.partition.startswith("customers:"):
            await damage(tables, row)
    directory, profiles = Directory(tables), Profiles(tables)
    assert [each.id for each in await directory.people(OrganizationId("contoso"))] == ["mia"]
    assert [each.organization_id for each in await profiles.in_country("US")] == ["fabrikam", "northwind"]
    wanted = [("contoso", "US"), ("fabrikam", "US")]
    assert list(await profiles.get_many(wanted)) == [("fabrikam", "US")]
    assert [each.name for each in await directory.customers("Relecloud", "US", None)] == []
    assert "row_set_aside" in caplog.text
    assert "relecloud" not in caplog.text.casefold()


async def test_a_person_who_cannot_be_read_can_be_entered_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story()
    await story.begin()
    service = story.deal.service
    row = await service.tables.get("directory", "contoso", "p:rae")
    assert row
    await service.tables.write("directory", "contoso", [Upsert(Row("p:bob", BROKEN))])
    admin = replace((await service.people.all(OrganizationId("contoso")))[0].person)
    await service.people.put(
        replace(admin, id="ada", email="ada@contoso.com", roles=frozenset({"MpnPartnerAdmin"})), None
    )
    monkeypatch.setitem(PEOPLE, "ada", ("contoso", "ada@contoso.com"))
    name = {"firstName": "Bob", "lastName": "Example"}
    answer = await story.deal.request(
        "ada",
        put_person,
        {**name, "email": "bob@contoso.com", "roles": ["ReferralsUser"]},
        route={"id": "contoso", "oid": "bob"},
    )
    assert answer.status == 201, answer.body


@pytest.mark.parametrize("prefix", ["r:", "s:"], ids=["look-up", "queue"])
async def test_what_reviewers_find_a_registration_by_is_written_anew_when_it_is_filed(prefix: str) -> None:
    played = PlayedRegistration(NOW)
    await played.won()
    record = (await played.records())["IpCoSell"]
    (row,) = [
        r
        for r in await rows_of(played.tables, "reviews")
        if r.key.startswith(prefix) and record["id"] in r.key
    ]
    await damage(played.tables, row)
    registrations = Registrations(played.tables)
    told: list[RecordUnreadable] = []
    assert await registrations.prune(told.append) == 0
    assert told
    party = await played.party("contoso")
    assert party in await unfinished(played.tables)
    assert await played.queue() == [] or prefix == "r:"
    found = next(each for each in await registrations.list_for_deal(party) if each.id == record["id"])
    assert not await registrations.is_indexed(found)
    await registrations.reindex(party, found.id)
    assert await registrations.is_indexed(found)
    assert [each["id"] for each in await played.queue()] == [record["id"]]
    assert await played.tables.get("reviews", QUEUE, row.key)


async def test_a_claim_that_cannot_be_read_is_told_of() -> None:
    tables = MemoryTables()
    await tables.write("claims", "slots", [Upsert(Row("tables", {}))])
    with pytest.raises(RecordUnreadable, match="claims/slots/tables"):
        await claim(tables, tables_claim("TABLES_ENDPOINT"), "Production")


def test_what_is_told_of_an_unreadable_row_holds_nothing_of_what_it_held() -> None:
    codec = Codec[MailRecord](MailRecord)
    for text in (
        '{"reports": {"cara@relecloud.com": "Nowhere"}}',
        '{"recipients": ["cara@relecloud.com"',
        "[7]",
    ):
        row = StoredRow("000001:own", {"json0": text}, "etag", "deal", "mail")
        with pytest.raises(RecordUnreadable, match="mail/deal/000001:own") as told:
            codec.read(row)
        assert "cara" not in f"{told.value!s} {told.value.__cause__} {told.value.__context__}" or (
            told.value.__suppress_context__
        )
        assert "cara" not in str(told.value)


async def test_storage_that_is_away_is_not_taken_for_a_damaged_row() -> None:
    class Away(MemoryTables):
        async def between(self, *_: object, **__: object) -> list[StoredRow]:
            raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        await Engagements(Away()).messages(EngagementId("deal"), 9)
