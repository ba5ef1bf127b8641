"""Idempotency keys (C5): a row in the partition of the record that the request created."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.domain.ids import OrganizationId
from shared.storage import keys
from shared.storage.codec import Codec, Stored
from shared.storage.tables import Insert, Operation, Replace, Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRecord:
    """A request that was executed with a key: the hash of its body, when, and its result.

    `record_id` is the id of the referral, request for information or registration that the request created or
    changed; `created` are the ids of the invitations or registrations that it added to a deal.
    """

    organization_id: OrganizationId
    key_hash: str
    body_hash: str
    record_id: Annotated[str, Field(alias="referral_id")]
    at: datetime
    created: Annotated[tuple[str, ...], Field(alias="made")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """The key of a request, to be stored in the transaction of the request.

    `expired` is the stored record of an earlier request with this key that has expired.
    """

    record: IdempotencyRecord
    expired: Stored[IdempotencyRecord] | None = None

    def with_result(self, record_id: str, created: tuple[str, ...] = ()) -> "RequestKey":
        """The key with the result of its request."""
        return replace(self, record=replace(self.record, record_id=record_id, created=created))

    def operation(self) -> Operation:
        """The operation that stores the record: insert it, or replace the expired one."""
        row = _RECORDS.row(keys.idempotency(self.record.key_hash), self.record)
        return Replace(row, self.expired.etag) if self.expired else Insert(row)


_RECORDS = Codec[IdempotencyRecord](IdempotencyRecord)


class IdempotencyKeys:
    """The repository of idempotency keys. Its methods raise as `Tables` does, and `RecordUnreadable`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, organization_id: OrganizationId, key_hash: str) -> Stored[IdempotencyRecord] | None:
        """The request that was executed with a key, even if the key has expired; or None."""
        partition = keys.partition_of(organization_id)
        row = await self._tables.get(keys.REFERRALS, partition, keys.idempotency(key_hash))
        return Stored(_RECORDS.read(row), row.etag) if row else None

    async def is_used(self, key: RequestKey) -> bool:
        """Whether another request with the same key has been stored since this one read it."""
        found = await self.get(key.record.organization_id, key.record.key_hash)
        return found is not None and (key.expired is None or found.etag != key.expired.etag)
