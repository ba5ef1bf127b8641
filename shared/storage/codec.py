"""Records as rows: JSON, split into string properties because one property holds at most 32 K characters."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from shared.errors import RecordTooLarge, RecordUnreadable
from shared.storage.keys import without_names
from shared.storage.tables import Row, StoredRow, Value

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_BYTES = 48 * 1024
"""The limit of a record in UTF-8. List rows repeat the record, and `sizes` limits the whole transaction."""
_CHUNK = 16_000  # characters: up to 32,000 UTF-16 units, just below the limit of one property


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A record as read, and the ETag that replacing it needs."""

    value: T
    etag: str


SetAside = Callable[[RecordUnreadable], None]
"""Called for each row that cannot be parsed and is skipped."""


def log_set_aside(unreadable: RecordUnreadable) -> None:
    """Log a row that is skipped."""
    logger.warning("row_set_aside %s", unreadable)


class Codec(Generic[T]):
    """Converts one type of record to rows and back. Reading validates the stored JSON."""

    def __init__(self, record_type: type[T], limit: int = MAX_BYTES) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(record_type)
        self._limit = limit

    def values(self, record: T) -> dict[str, Value]:
        """The properties of a row for a record. Raises `RecordTooLarge`."""
        data = self._adapter.dump_json(record, by_alias=True)
        if len(data) > self._limit:
            raise RecordTooLarge(len(data), self._limit)
        return values_of(data.decode())

    def row(self, key: str, record: T) -> Row:
        """The row for a record. Raises `RecordTooLarge`."""
        return Row(key, self.values(record))

    def read(self, row: StoredRow) -> T:
        """The record of a row. Raises `RecordUnreadable`."""
        try:
            return self._adapter.validate_json(text_of(row.values))
        except ValidationError as invalid:
            location = f"{row.table}/{row.partition}/{without_names(row.key)}"
            raise RecordUnreadable(location, _why(invalid)) from None  # its message quotes stored data

    def readable(self, row: StoredRow | None, set_aside: SetAside = log_set_aside) -> T | None:
        """The record of a row; None without a row, or if it cannot be parsed, which `set_aside` reports."""
        try:
            return self.read(row) if row else None
        except RecordUnreadable as unreadable:
            set_aside(unreadable)
            return None

    def each_readable(self, rows: Iterable[StoredRow], set_aside: SetAside = log_set_aside) -> list[T]:
        """The records of rows in order, without those that cannot be parsed, which `set_aside` reports."""
        records = (self.readable(row, set_aside) for row in rows)
        return [record for record in records if record is not None]


def values_of(text: str) -> dict[str, Value]:
    """The properties of a row for a record in JSON."""
    return {f"json{i // _CHUNK}": text[i : i + _CHUNK] for i in range(0, len(text), _CHUNK)}


def text_of(values: Mapping[str, Value]) -> str:
    """The record in JSON from the properties of its row."""
    chunks: list[str] = []
    while (chunk := values.get(f"json{len(chunks)}")) is not None:
        chunks.append(str(chunk))
    return "".join(chunks)


def _why(invalid: ValidationError) -> str:
    """The kind of error and the top-level field: no value and no nested path, which can be an email address."""
    first = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
    field = f" at {first['loc'][0]}" if first["loc"] else ""
    return f"{first['type']}{field}"
