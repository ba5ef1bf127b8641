"""Records as rows: JSON split over string properties, since one property holds at most 32 K characters."""

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
"""A record's limit, in UTF-8. List rows repeat it, and what that takes on the wire has a limit too: `sizes`."""
_CHUNK = 16_000  # characters; at worst twice as many UTF-16 units, which is the limit of one property


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A record as read, and the tag that writing it back needs."""

    value: T
    etag: str


SetAside = Callable[[RecordUnreadable], None]
"""What is told of a row that cannot be read where the rest goes on without it."""


def log_set_aside(unreadable: RecordUnreadable) -> None:
    """Tell the log of a row that is left out."""
    logger.warning("row_set_aside %s", unreadable)


class Codec(Generic[T]):
    """Turns one type of record into rows and back. Reading validates what was stored."""

    def __init__(self, record_type: type[T], limit: int = MAX_BYTES) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(record_type)
        self._limit = limit

    def values(self, record: T) -> dict[str, Value]:
        """The properties that hold a record. Raises `RecordTooLarge`."""
        data = self._adapter.dump_json(record, by_alias=True)
        if len(data) > self._limit:
            raise RecordTooLarge(len(data), self._limit)
        text = data.decode()
        return {f"json{i // _CHUNK}": text[i : i + _CHUNK] for i in range(0, len(text), _CHUNK)}

    def row(self, key: str, record: T) -> Row:
        """The row that holds a record under a key."""
        return Row(key, self.values(record))

    def read(self, row: StoredRow) -> T:
        """The record that a row holds. Raises `RecordUnreadable`."""
        try:
            return self._adapter.validate_json(_joined(row.values))
        except ValidationError as invalid:
            place = f"{row.table}/{row.partition}/{without_names(row.key)}"
            raise RecordUnreadable(place, _why(invalid)) from None  # its text quotes what is stored

    def readable(self, row: StoredRow | None, set_aside: SetAside = log_set_aside) -> T | None:
        """The record that a row holds; None without a row, or if it cannot be read, which is logged."""
        try:
            return self.read(row) if row else None
        except RecordUnreadable as unreadable:
            set_aside(unreadable)
            return None

    def each_readable(self, rows: Iterable[StoredRow], set_aside: SetAside = log_set_aside) -> list[T]:
        """The records that rows hold, in their order, without those that cannot be read, which are logged."""
        found = (self.readable(row, set_aside) for row in rows)
        return [record for record in found if record is not None]


def _joined(values: Mapping[str, Value]) -> str:
    chunks: list[str] = []
    while (chunk := values.get(f"json{len(chunks)}")) is not None:
        chunks.append(str(chunk))
    return "".join(chunks)


def _why(invalid: ValidationError) -> str:
    """What is wrong and in which field; no value, and no place within the field, which may be an address."""
    first = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
    field = f" at {first['loc'][0]}" if first["loc"] else ""
    return f"{first['type']}{field}"
