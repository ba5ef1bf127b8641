"""What is kept of a request under its key: once, replaced when it has expired, and read from rows of before (C5)."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.ids import OrganizationId
from shared.errors import StoreConflict
from shared.storage import keys
from shared.storage.idempotency import IdempotencyKeys, IdempotencyRecord, RequestKey
from shared.storage.referrals import Referrals
from shared.storage.tables import Insert, Row, Tables
from tests.examples.referrals import NOW, begun
from tests.storage.test_repositories import numbered

OF_BEFORE = (
    '{"organization_id":"contoso","key_hash":"k","body_hash":"b","referral_id":"r",'
    '"at":"2026-11-21T10:00:00Z","made":["one","two"]}'
)
"""A row as every version has written it."""
READ = IdempotencyRecord(
    organization_id=OrganizationId("contoso"),
    key_hash="k",
    body_hash="b",
    record_id="r",
    at=datetime(2026, 11, 21, 10, tzinfo=UTC),
    created=("one", "two"),
)


def record_in(partition: str, at: datetime = NOW) -> IdempotencyRecord:
    return IdempotencyRecord(
        organization_id=OrganizationId(partition), key_hash="k", body_hash="b", record_id="", at=at
    )


async def test_a_key_is_taken_once_and_replaced_only_as_it_was_read(tables: Tables, partition: str) -> None:
    repository, idempotency_keys = Referrals(tables), IdempotencyKeys(tables)
    first, second, third, fourth = (numbered(partition, number) for number in range(1, 5))
    key = RequestKey(record=record_in(partition)).with_result(first.id)
    await repository.commit(begun(first), None, key)
    with pytest.raises(StoreConflict):
        await repository.commit(begun(second), None, key.with_result(second.id))
    assert await repository.get(second.key) is None
    found = await idempotency_keys.get(OrganizationId(partition), "k")
    assert found
    assert found.value == key.record
    later = RequestKey(record=record_in(partition, NOW + timedelta(days=8)), expired=found)
    await repository.commit(begun(third), None, later.with_result(third.id))
    with pytest.raises(StoreConflict):
        await repository.commit(begun(fourth), None, later.with_result(fourth.id))


async def test_a_key_is_used_when_another_request_has_stored_it_since_this_one_looked(
    tables: Tables, partition: str
) -> None:
    repository, idempotency_keys = Referrals(tables), IdempotencyKeys(tables)
    looked_before = RequestKey(record=record_in(partition))
    assert not await idempotency_keys.is_used(looked_before)
    await repository.commit(begun(numbered(partition, 1)), None, looked_before.with_result("one"))
    assert await idempotency_keys.is_used(looked_before)
    expired = await idempotency_keys.get(OrganizationId(partition), "k")
    looked_after = RequestKey(record=record_in(partition), expired=expired)
    assert not await idempotency_keys.is_used(looked_after)
    await repository.commit(begun(numbered(partition, 2)), None, looked_after.with_result("two"))
    assert await idempotency_keys.is_used(looked_after)


async def test_a_record_is_stored_under_the_names_of_before() -> None:
    operation = RequestKey(record=READ).operation()
    assert isinstance(operation, Insert)
    assert operation.row.values == {"json0": OF_BEFORE}


async def test_a_record_of_before_is_read(tables: Tables) -> None:
    document = {**json.loads(OF_BEFORE), "organization_id": "before"}
    row = Row(keys.idempotency("k"), {"json0": json.dumps(document)})
    await tables.write(keys.REFERRALS, "before", [Insert(row)])
    found = await IdempotencyKeys(tables).get(OrganizationId("before"), "k")
    assert found
    assert (found.value.record_id, found.value.created) == (READ.record_id, READ.created)
    assert found.value.at == READ.at


async def test_a_record_that_created_nothing_besides_itself_is_read_too(tables: Tables) -> None:
    """`made` may be missing: what a request added to a deal was not always kept."""
    document = {**json.loads(OF_BEFORE), "organization_id": "first"}
    del document["made"]
    row = Row(keys.idempotency("k"), {"json0": json.dumps(document)})
    await tables.write(keys.REFERRALS, "first", [Insert(row)])
    found = await IdempotencyKeys(tables).get(OrganizationId("first"), "k")
    assert found
    assert found.value.created == ()
