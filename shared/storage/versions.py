"""Records of the directory that are replaced version by version: profiles, stage maps and the routing table."""

from typing import Protocol, TypeVar

from shared.errors import StoreConflict
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Insert, Operation, Replace, Tables


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=_Versioned)


async def put_next_version(tables: Tables, codec: Codec[V], partition: str, key: str, record: V) -> None:
    """Store a record over its previous version; version 1 is over a missing row, or over version 0.

    Raises `StoreConflict` if another version is stored, `RecordTooLarge`, `RecordUnreadable`.
    """
    row = codec.row(key, record)
    stored = await tables.get(keys.DIRECTORY, partition, key)
    stored_version = codec.read(stored).version if stored else 0
    if stored_version != record.version - 1:
        raise StoreConflict(f"version {stored_version} is stored, and not version {record.version - 1}")
    operation: Operation = Replace(row, stored.etag) if stored else Insert(row)
    await tables.write(keys.DIRECTORY, partition, [operation])
