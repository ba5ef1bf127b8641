"""What was carried out under an idempotency key (C5): a row in the partition of what the request created."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.domain.ids import OrganizationId, ReferralId
from shared.storage import keys
from shared.storage.codec import Codec, Stored
from shared.storage.tables import Insert, Operation, Replace, Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRecord:
    """A request that was carried out under a key: which body, when, and what it created.

    `record_id` is the id of the referral, request for information or registration that the request created or
    changed; `created` are those of the invitations or registrations that it added to a deal.
    """

    organization_id: OrganizationId
    key_hash: str
    body_hash: str
    record_id: Annotated[str, Field(alias="referral_id")]
    at: datetime
    created: Annotated[tuple[str, ...], Field(alias="made")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """The key of a request, to be stored with what the request creates.

    `expired` is what lies under the key and counts no longer.
    """

    record: IdempotencyRecord
    expired: Stored[IdempotencyRecord] | None = None

    def creating(self, record_id: str, created: tuple[str, ...] = ()) -> "RequestKey":
        """The key with what its request creates."""
        return replace(self, record=replace(self.record, record_id=record_id, created=created))

    def operation(self) -> Operation:
        """What stores the record: an insert, or the replacement of one that has expired."""
        row = _RECORDS.row(keys.idempotency(self.record.key_hash), self.record)
        return Replace(row, self.expired.etag) if self.expired else Insert(row)


_RECORDS = Codec[IdempotencyRecord](IdempotencyRecord)


class IdempotencyKeys:
    """The repository of idempotency keys. Its methods raise as `Tables` does, and `RecordUnreadable`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def get(self, organization_id: OrganizationId, key_hash: str) -> Stored[IdempotencyRecord] | None:
        """What was carried out under a key, perhaps longer ago than keys count."""
        partition = keys.partition_of(organization_id, ReferralId(key_hash))
        row = await self._tables.get(keys.REFERRALS, partition, keys.idempotency(key_hash))
        return Stored(_RECORDS.read(row), row.etag) if row else None

    async def is_used(self, key: RequestKey) -> bool:
        """Whether another request of the same key was stored since this one looked."""
        found = await self.get(key.record.organization_id, key.record.key_hash)
        return found is not None and (key.expired is None or found.etag != key.expired.etag)
