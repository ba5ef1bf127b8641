"""The repositories on the twin and on Azurite: whole steps, lists for each reader (V4, N4), idempotency (C5)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.change import CommandContext, EntryDraft, created
from shared.domain.directory import Person
from shared.domain.ids import (
    EngagementId,
    LocationId,
    OperationId,
    OrganizationId,
    PersonId,
    ReferralId,
    uuid7,
)
from shared.domain.lifecycle import record_failed_mail
from shared.domain.referral import Referral, StatusReason
from shared.domain.timeline import Actor
from shared.domain.vocabulary import CLOSING_REASONS
from shared.domain.work import Publish
from shared.errors import RecordTooLarge, StoreConflict
from shared.storage import keys, referral_lists
from shared.storage.azure_tables import AzureTables
from shared.storage.codec import Codec, Stored
from shared.storage.engagements import Engagements, Message
from shared.storage.memory_tables import MemoryTables
from shared.storage.referral_lists import Scan
from shared.storage.referrals import Referrals
from shared.storage.tables import Operation, StoredRow, Tables
from tests.examples.referrals import NOW, begun, contact, invited, referral, step
from tests.examples.referrals import context as example_act


def context(operation: str, now: datetime = NOW) -> CommandContext:
    return CommandContext(actor=Actor(organization_id=None), now=now, operation_id=OperationId(operation))


def numbered(organization: str, index: int, **fields: object):
    identifier = ReferralId(uuid7(NOW + timedelta(seconds=index), bytes([index]) * 16))
    return referral(id=identifier, organization_id=OrganizationId(organization), **fields)


SAID = Message(sequence=0, at=NOW, organization_id=OrganizationId("contoso"), author="Rae", text="Hi")


class TextCounting(MemoryTables):
    """Counts the messages whose texts are read, and the rows that ranges give."""

    texts, rows = 0, 0

    async def get(self, table: str, partition: str, key: str) -> StoredRow | None:
        self.texts += key.startswith(keys.MESSAGES)
        return await super().get(table, partition, key)

    async def between(self, *arguments: Any, keys_only: bool = False) -> list[StoredRow]:
        found = await super().between(*arguments, keys_only=keys_only)
        self.texts += sum(bool(row.values) and row.key.startswith(keys.MESSAGES) for row in found)
        self.rows += len(found)
        return found


async def test_a_step_is_stored_whole(tables: Tables, partition: str) -> None:
    repository = Referrals(tables)
    new = numbered(partition, 1)
    await repository.commit(begun(new), None)
    stored = await repository.get(new.key)
    assert stored
    assert stored.value == new
    accepted = step(new, "accepted", context("op-2"), (Publish(),), status="Active", substatus="Accepted")
    await repository.commit(accepted, stored)
    after = await repository.get(new.key)
    assert after
    assert (after.value.state, after.value.version, after.value.sequence) == ("Active/Accepted", 2, 2)
    assert [entry.kind for entry in await repository.entries(new.key)] == ["received", "accepted"]
    assert [row.value.label for row in await repository.work(new.key)] == ["000002"], "no work without tasks"
    with pytest.raises(StoreConflict):
        await repository.commit(step(new, "declined", context("op-3")), stored)
    assert (await repository.entry(new.key, 2)).operation_id == "op-2"


async def test_lists_follow_the_record_and_hold_no_stale_row(tables: Tables, partition: str) -> None:
    repository = Referrals(tables)
    rae, ulf = contact("rae@contoso.com"), contact("ULF@contoso.com")
    new = numbered(partition, 1, team=(rae, ulf), location=LocationId("seattle"))
    await repository.commit(begun(new), None)
    ulfs, seattle = keys.member_prefix("ulf@CONTOSO.com"), keys.location_prefix(LocationId("seattle"))
    assert await _ids(repository, partition, ulfs) == [new.id]
    stored = await repository.get(new.key)
    later = context("op-2", NOW + timedelta(hours=1))
    await repository.commit(
        step(new, "accepted", later, team=(rae,), status="Active", substatus="Accepted"), stored
    )
    assert await _ids(repository, partition, ulfs) == []
    for prefix in (seattle, keys.ALL, keys.UPDATED_LAST, keys.UPDATED_FIRST, keys.tab_prefix("in", "Active")):
        assert await _ids(repository, partition, prefix) == [new.id]
    assert await _ids(repository, partition, keys.tab_prefix("in", "New")) == []


async def test_list_rows_that_are_missing_keep_no_step_from_being_taken(
    tables: Tables, partition: str
) -> None:
    repository = Referrals(tables)
    new = numbered(partition, 1, team=(contact("rae@contoso.com"),), location=LocationId("seattle"))
    await repository.commit(begun(new), None)
    for key in referral_lists.list_keys(new):
        await tables.discard(keys.REFERRALS, partition, key)
    stored = await repository.get(new.key)
    later = context("op-2", NOW + timedelta(hours=1))
    accepted = step(new, "accepted", later, team=(), status="Active", substatus="Accepted")
    await repository.commit(accepted, stored)
    after = await repository.get(new.key)
    assert after
    assert after.value == accepted.after
    left = {row.key for row in await tables.between(keys.REFERRALS, partition, "", "~")}
    assert {key for key in left if key.startswith(("n:", "u:", "c:", "s:", "l:", "m:"))} == (
        referral_lists.list_keys(after.value)
    )


async def test_news_of_mails_leave_the_list_rows_alone(tables: Tables, partition: str) -> None:
    if not isinstance(tables, MemoryTables):
        pytest.skip("operations are counted where they can be seen")
    repository = Referrals(tables)
    new = numbered(partition, 1)
    await repository.commit(begun(new), None)
    stored = await repository.get(new.key)
    rows = {row.key: row.etag async for row in tables.scan_table(keys.REFERRALS)}
    failed = record_failed_mail(new, "accepted", "a@b.co", "Bounced", context("op-2"))
    await repository.commit(failed, stored)
    after = {row.key: row.etag async for row in tables.scan_table(keys.REFERRALS)}
    assert {key for key in rows if after[key] != rows[key]} == {keys.document(new.id)}


async def test_a_scoped_reader_gets_its_locations_merged_newest_first_in_pages(
    tables: Tables, partition: str
) -> None:
    repository = Referrals(tables)
    places = ["seattle", "munich", "seoul"]
    made = [numbered(partition, i, location=LocationId(places[i % 3])) for i in range(9)]
    for each in made:
        await repository.commit(begun(each), None)
    scope = tuple(keys.location_prefix(LocationId(place)) for place in ("seattle", "munich"))
    wanted = [each.id for each in reversed(made) if each.location != "seoul"]
    assert await _ids(repository, partition, *scope) == wanted
    scan = repository.scan(OrganizationId(partition), scope)
    first = [each.id async for each in _first(scan, 4)]
    assert first + await _ids(repository, partition, *scope, after=scan.place) == wanted
    assert await _ids(repository, partition, keys.ALL) == [each.id for each in reversed(made)]
    assert await _ids(repository, partition, keys.OLDEST) == [each.id for each in made]


async def test_rows_that_two_ranges_share_come_once(tables: Tables, partition: str) -> None:
    repository = Referrals(tables)
    made = [numbered(partition, i, location=LocationId("seattle")) for i in range(3)]
    for each in made:
        await repository.commit(begun(each), None)
    both = (keys.ALL, keys.location_prefix(LocationId("seattle")))
    assert await _ids(repository, partition, *both) == [each.id for each in reversed(made)]


async def test_a_request_reads_a_bounded_number_of_storage_pages_and_says_that_there_is_more(
    tables: Tables, partition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(referral_lists, "MAX_PAGE_ROWS", 2)
    repository = Referrals(tables)
    for index in range(13):
        await repository.commit(begun(numbered(partition, index)), None)
    scan = repository.scan(OrganizationId(partition), (keys.ALL,))
    found = [each async for each in scan.records(1)]
    assert (len(found), scan.complete) == (1 + 2 * (referral_lists.MAX_PAGES - 1), False)
    rest = repository.scan(OrganizationId(partition), (keys.ALL,), after=scan.place)
    assert len([each async for each in rest.records(50)]) == 13 - len(found)
    assert rest.complete


async def test_a_page_costs_one_request(tables: MemoryTables | AzureTables, partition: str) -> None:
    repository = Referrals(tables)
    for index in range(12):
        await repository.commit(begun(numbered(partition, index)), None)
    before = tables.requests
    scan = repository.scan(OrganizationId(partition), (keys.ALL,))
    assert len([each async for each in _first(scan, 5)]) == 5
    assert tables.requests - before == 1


async def test_marks_are_ones_own(tables: Tables, partition: str) -> None:
    """N2: marking twice is once, unmarking removes."""
    repository = Referrals(tables)
    rae, ana = (person(name, partition) for name in ("rae", "ana"))
    new = numbered(partition, 1)
    for _ in range(2):
        await repository.mark_favorite(rae, new.key)
    assert await repository.favorites(rae) == {new.id}
    assert await repository.is_favorite(rae, new.key)
    assert await repository.favorites(ana) == frozenset()
    for _ in range(2):
        await repository.unmark_favorite(rae, new.key)
    assert await repository.favorites(rae) == frozenset()


async def test_messages_are_numbered_without_gaps_whoever_writes_at_once(
    tables: Tables, partition: str
) -> None:
    """E3: append-only; one key, one message."""
    repository = Engagements(tables)
    engagement = EngagementId(f"m-{partition}")
    said = Message(sequence=0, at=NOW, organization_id=OrganizationId("contoso"), author="Rae", text="Hi")
    await asyncio.gather(*(repository.append(engagement, said) for _ in range(5)))
    keyed = replace(said, key_hash="k", text="Once")
    once = [await repository.append(engagement, keyed) for _ in range(2)]
    messages = (await repository.messages(engagement, 9)).found
    assert [message.sequence for message in messages] == [6, 5, 4, 3, 2, 1]
    assert once == [messages[0], None]
    assert await repository.message_of_key(engagement, "k") == messages[0]


async def test_of_messages_said_at_once_under_one_key_one_is_kept(tables: Tables, partition: str) -> None:
    """C5, E3."""
    repository = Engagements(tables)
    engagement = EngagementId(f"o-{partition}")
    keyed = replace(SAID, key_hash="k")
    kept = await asyncio.gather(*(repository.append(engagement, keyed) for _ in range(4)))
    (message,) = (await repository.messages(engagement, 9)).found
    assert set(kept) == {message, None}
    assert await repository.message_of_key(engagement, "k") == message


async def test_a_conversation_is_read_from_its_end_part_by_part(tables: Tables, partition: str) -> None:
    """E3: across the lengths of numbers, and though a message was lost."""
    repository, engagement = Engagements(tables), EngagementId(f"c-{partition}")
    for _ in range(12):
        await repository.append(engagement, SAID)
    await tables.discard(keys.ENGAGEMENTS, engagement, keys.message(8))
    parts: list[list[int]] = []
    before: int | None = None
    while not parts or before is not None:
        part = await repository.messages(engagement, 4, before)
        parts.append([message.sequence for message in part.found])
        before = part.before
    assert parts == [[12, 11, 10, 9], [7, 6, 5, 4], [3, 2, 1]]


async def test_a_message_costs_the_same_however_many_there_are() -> None:
    """Its number comes from the key of the last one, and no text is read but that of a repetition."""
    tables = TextCounting()
    repository, engagement = Engagements(tables), EngagementId("deal")
    costs: set[int] = set()
    for number in range(1200):
        before = tables.requests
        await repository.append(engagement, replace(SAID, key_hash=f"k{number}"))
        costs.add(tables.requests - before)
    assert costs == {3}, "its key, the last sequence, the transaction"
    assert (tables.texts, tables.rows) == (0, 1199)
    await repository.append(engagement, replace(SAID, key_hash="k7"))
    assert tables.texts == 1


async def test_a_part_of_a_conversation_is_one_request_for_its_messages_and_one_more() -> None:
    tables = TextCounting()
    repository, engagement = Engagements(tables), EngagementId("deal")
    for _ in range(300):
        await repository.append(engagement, SAID)
    tables.requests = tables.rows = 0
    part = await repository.messages(engagement, 100, 250)
    assert (len(part.found), part.before) == (100, 150)
    assert (tables.requests, tables.rows) == (1, 101)


async def test_a_record_that_is_too_large_is_refused_before_anything_is_sent(
    tables: Tables, partition: str
) -> None:
    repository = Referrals(tables)
    large = numbered(partition, 1, team=tuple(contact(f"{'x' * 1200}{i}@contoso.com") for i in range(50)))
    with pytest.raises(RecordTooLarge):
        await repository.commit(begun(large), None)
    assert await repository.get(large.key) is None


def of_fifty(partition: str, notes: int) -> Referral:
    """A record that 56 rows repeat, with notes of so many syllables of six bytes on the wire."""
    team = tuple(contact(f"{index}@contoso.com") for index in range(50))
    heard = invited(*(numbered("fabrikam", index) for index in range(20)))
    return numbered(partition, 1, team=team, invited=heard, notes="가" * notes)


async def test_a_record_whose_rows_are_too_large_on_the_wire_is_refused_before_anything_is_sent(
    partition: str,
) -> None:
    class Untouched(MemoryTables):
        async def write(
            self, table: str, partition: str, operations: Sequence[Operation]
        ) -> tuple[str | None, ...]:
            pytest.fail("something was sent")

    large = of_fifty(partition, 11_000)
    assert Codec[Referral](Referral).values(large)  # it fits by itself
    for change, read in (
        (begun(large), None),
        (step(large, "edited", example_act(), notes="가" * 12_000), Stored(large, "etag")),
    ):
        with pytest.raises(RecordTooLarge):
            await Referrals(Untouched()).commit(change, read)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_what_comes_without_people_to_rows_at_the_limit_is_stored(
    tables: Tables, partition: str
) -> None:
    """L4, L7: no end and no news fails for its size, whatever people sent before."""

    async def sent(repository: Referrals, notes: int) -> None:
        await repository.commit(begun(of_fifty(partition, notes)), None)

    repository, longest = Referrals(tables), max(CLOSING_REASONS, key=len)
    await sent(repository, await most(sent))
    stored = await repository.get(numbered(partition, 1).key)
    heard = tuple(replace(each, substatus="Declined", reason=longest) for each in stored.value.invited)
    reason, over = StatusReason(code=longest), {"status": "Closed", "substatus": "Expired"}
    ended = step(
        stored.value, "expired", context("op-2"), **over, invited=heard, status_reason=reason, closed_at=NOW
    )
    await repository.commit(ended, stored)
    assert (await repository.get(stored.value.key)).value.state == "Closed/Expired"


async def test_an_invitation_leaves_room_for_its_answer(tables: Tables, partition: str) -> None:
    """L2: who was invited can accept, whatever the inviter wrote."""

    async def sent(repository: Referrals, notes: int) -> None:
        invitation = numbered(f"{partition}-invitee", 2, notes="x" * notes)
        await repository.commit(replace(begun(numbered(partition, 1)), invitations=(invitation,)), None)

    repository = Referrals(tables)
    await sent(repository, await most(sent))
    (invitation,) = await repository.invitations(numbered(partition, 1).key)
    await repository.commit(created(invitation, (EntryDraft(kind="received"),), context("op-2"), ()), None)
    over = {"status": "Active", "substatus": "Accepted", "accepted_at": NOW}
    accepted = step(invitation, "accepted", example_act(), **over, external_reference_id="x" * 100)
    await repository.commit(accepted, await repository.get(invitation.key))
    assert (await repository.get(invitation.key)).value.state == "Active/Accepted"


async def test_news_of_as_many_parties_as_a_record_can_name_are_stored(
    tables: Tables, partition: str
) -> None:
    """L7."""

    def naming(many: int) -> Referral:
        return numbered(partition, 1, invited=invited(*(numbered("f", 2, organization_name="F"),) * many))

    async def sent(repository: Referrals, many: int) -> None:
        await repository.commit(begun(naming(many)), None)

    repository, longest = Referrals(tables), max(CLOSING_REASONS, key=len)
    await sent(repository, await most(sent))
    stored = await repository.get(numbered(partition, 1).key)
    heard = tuple(replace(each, substatus="Declined", reason=longest) for each in stored.value.invited)
    assert len(heard) > 200
    await repository.commit(step(stored.value, "partyChanged", context("op-2"), invited=heard), stored)
    assert (await repository.get(stored.value.key)).value.invited == heard


async def most(sent: Callable[[Referrals, int], Awaitable[None]]) -> int:
    """How many characters can be sent at most."""
    fits, too_large = 0, 60_000
    while too_large - fits > 1:
        middle = (fits + too_large) // 2
        try:
            await sent(Referrals(MemoryTables()), middle)
            fits = middle
        except RecordTooLarge:
            too_large = middle
    return fits


async def test_what_the_clock_adds_to_a_record_at_the_limit_is_stored(tables: Tables, partition: str) -> None:
    repository = Referrals(tables)
    full = numbered(partition, 1, notes="x" * 47_400)
    await repository.commit(begun(full), None)
    stored = await repository.get(full.key)
    by_the_clock = step(full, "expired", context("op-2"), status="Closed", substatus="Expired", closed_at=NOW)
    more = replace(by_the_clock, after=replace(by_the_clock.after, notes="x" * 48_800))
    await repository.commit(more, stored)
    assert (await repository.get(full.key)).value.state == "Closed/Expired"


async def test_membership_is_written_freely_and_read_in_order(tables: Tables, partition: str) -> None:
    repository = Engagements(tables)
    deal = numbered(partition, 1, engagement_id=EngagementId(partition))
    invited = [numbered("fabrikam", 2), numbered("northwind", 3)]
    assert await repository.get(deal.engagement_id) is None
    for _ in range(2):
        await repository.join(deal, invited)
    membership = await repository.get(deal.engagement_id)
    assert membership
    assert membership.creator == deal.key
    assert membership.invited == tuple(each.key for each in invited)


async def _ids(repository: Referrals, partition: str, *prefixes: str, after: str | None = None) -> list[str]:
    scan = repository.scan(OrganizationId(partition), prefixes, after=after)
    found: list[str] = [each.id async for each in scan.records(50)]
    assert scan.complete
    return found


async def _first(scan: Scan[Referral], count: int) -> AsyncIterator[Referral]:
    async for each in scan.records(count):
        yield each
        count -= 1
        if count == 0:
            return


def person(name: str, organization: str) -> Person:
    return Person(
        id=PersonId(name),
        organization_id=OrganizationId(organization),
        email=f"{name}@contoso.com",
        first_name=name,
        last_name=name,
        roles=frozenset(),
    )
