"""Mail records on the twin and on Azurite: each way to find them is one request, and a message is planned once."""

from dataclasses import replace
from uuid import uuid4

import pytest

from shared.domain.ids import OrganizationId, ReferralId, operation_within, uuid7
from shared.domain.referral import ReferralKey
from shared.errors import StoreConflict
from shared.storage.azure_tables import AzureTables
from shared.storage.codec import Stored
from shared.storage.mail import MailRecord, MailRecords
from shared.storage.memory_tables import MemoryTables
from shared.storage.tables import Tables
from tests.examples.referrals import NOW

MESSAGE = "000001:invitee:own:"


def new_referral() -> ReferralId:
    return ReferralId(uuid7(NOW, uuid4().bytes))


def mail(referral_id: ReferralId, key: str = f"{MESSAGE}00", **fields: object) -> MailRecord:
    record = MailRecord(
        referral_id=referral_id,
        key=key,
        operation_id=operation_within(referral_id, key),
        message="invited",
        reader=ReferralKey(organization_id=OrganizationId("fabrikam"), referral_id=referral_id),
        recipients=("kim@fabrikam.com",),
        subject="s",
        text="t",
        html="h",
        planned_at=NOW,
    )
    return replace(record, **fields)  # type: ignore[arg-type]


def requests(tables: Tables) -> int:
    assert isinstance(tables, MemoryTables | AzureTables)
    return tables.requests


async def test_a_message_is_inserted_with_one_request_and_each_way_to_find_its_mails_is_one_too(
    tables: Tables,
) -> None:
    records, referral_id = MailRecords(tables), new_referral()
    message = [mail(referral_id, f"{MESSAGE}{number:02d}") for number in range(3)]
    other = mail(referral_id, "000002:inviter:own:00")
    before = requests(tables)
    inserted = await records.insert(message)
    await records.insert([other])
    assert [stored.value for stored in inserted] == message
    assert [s.value for s in await records.list_for_message(referral_id, MESSAGE)] == message
    assert [s.value for s in await records.list_for_referral(referral_id)] == [*message, other]
    found = await records.get_by_operation(message[1].operation_id)
    assert found
    assert found.value == message[1]
    assert requests(tables) - before == 5


async def test_what_an_insertion_and_an_update_return_can_be_updated_without_reading_it(
    tables: Tables,
) -> None:
    records, referral_id = MailRecords(tables), new_referral()
    (first, second) = await records.insert([mail(referral_id), mail(referral_id, f"{MESSAGE}01")])
    before = requests(tables)
    for stored in (first, second):
        sending = await records.save(replace(stored.value, state="sending"), stored.etag)
        await records.save(replace(sending.value, state="accepted"), sending.etag)
        with pytest.raises(StoreConflict):
            await records.save(replace(sending.value, state="refused"), stored.etag)
    assert {s.value.state for s in await records.list_for_referral(referral_id)} == {"accepted"}
    assert requests(tables) - before <= 2 * 4 + 1, "a write that fails looks whether it was stored"


async def test_a_message_is_planned_once_whatever_its_recipients_have_become(tables: Tables) -> None:
    """Somebody else takes mail by now, in another language: nobody gets a second one."""
    records, referral_id = MailRecords(tables), new_referral()
    await records.insert([mail(referral_id)])
    again = [mail(referral_id, f"{MESSAGE}{number:02d}", recipients=("lee@x.com",)) for number in range(2)]
    with pytest.raises(StoreConflict):
        await records.insert(again)
    assert [s.value.recipients for s in await records.list_for_referral(referral_id)] == [
        ("kim@fabrikam.com",)
    ]


async def test_referrals_of_one_partition_are_told_apart(tables: Tables) -> None:
    """Two ids of the same millisecond can share their next 12 bits."""
    records, one = MailRecords(tables), new_referral()
    other = ReferralId(one[:19] + ("0" if one[19] != "8" else "9") + one[20:])
    assert one[:19] == other[:19]
    for referral_id in (one, other):
        await records.insert([mail(referral_id)])
        assert [s.value.referral_id for s in await records.list_for_referral(referral_id)] == [referral_id]
    for referral_id in (one, other):
        found = await records.get_by_operation(mail(referral_id).operation_id)
        assert found
        assert found.value.referral_id == referral_id


async def test_an_operation_that_is_no_mails_is_not_found(tables: Tables) -> None:
    records, referral_id = MailRecords(tables), new_referral()
    await records.insert([mail(referral_id)])
    for strange in (operation_within(referral_id, "x"), str(uuid4()), "unknown", "", "../mail?"):
        assert await records.get_by_operation(strange) is None


class Silent(MemoryTables):
    """Tables that store what is written, and do not say its ETag."""

    async def write(self, table: str, partition: str, operations: object) -> tuple[str | None, ...]:
        assert isinstance(operations, list)
        return tuple(None for _ in await super().write(table, partition, operations))


async def test_where_storage_does_not_say_an_etag_the_record_is_read() -> None:
    records, referral_id = MailRecords(Silent()), new_referral()
    (stored,) = await records.insert([mail(referral_id)])
    for state in ("sending", "accepted"):
        stored = await records.save(replace(stored.value, state=state), stored.etag)  # type: ignore[arg-type]
    assert [s.value.state for s in await records.list_for_referral(referral_id)] == ["accepted"]


async def test_a_record_that_changed_before_its_etag_was_read_is_not_taken_for_ones_own() -> None:
    """A delivery report may come in between."""
    records, record = MailRecords(Silent()), mail(new_referral())
    read = records.get

    async def get(referral_id: ReferralId, key: str) -> Stored[MailRecord] | None:
        records.get = read  # type: ignore[method-assign]
        stored = await read(referral_id, key)
        assert stored
        await records.save(replace(stored.value, reports={"kim@fabrikam.com": "Bounced"}), stored.etag)
        return await read(referral_id, key)

    records.get = get  # type: ignore[method-assign]
    with pytest.raises(StoreConflict):
        await records.insert([record])
