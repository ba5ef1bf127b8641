"""Records as rows: JSON split over string properties, since one property holds at most 32 K characters."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from shared.errors import RecordTooLarge
from shared.storage.tables import Row, StoredRow, Value

T = TypeVar("T")

MAX_BYTES = 48 * 1024
"""A record's limit, in UTF-8. List rows repeat it, and what that takes on the wire has a limit too: `sizes`."""
_CHUNK = 16_000  # characters; at worst twice as many UTF-16 units, which is the limit of one property


class Codec(Generic[T]):
    """Turns one type of record into rows and back. Reading validates what was stored."""

    def __init__(self, record_type: type[T], limit: int = MAX_BYTES) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(record_type)
        self._limit = limit

    def values(self, record: T) -> dict[str, Value]:
        """The properties that hold a record. Raises `RecordTooLarge`."""
        data = self._adapter.dump_json(record)
        if len(data) > self._limit:
            raise RecordTooLarge(len(data), self._limit)
        text = data.decode()
        return {f"json{i // _CHUNK}": text[i : i + _CHUNK] for i in range(0, len(text), _CHUNK)}

    def row(self, key: str, record: T) -> Row:
        """The row that holds a record under a key."""
        return Row(key, self.values(record))

    def read(self, row: StoredRow) -> T:
        """The record that a row holds."""
        return self._adapter.validate_json(_joined(row.values))


def _joined(values: Mapping[str, Value]) -> str:
    chunks: list[str] = []
    while (chunk := values.get(f"json{len(chunks)}")) is not None:
        chunks.append(str(chunk))
    return "".join(chunks)
