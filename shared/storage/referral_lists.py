"""Lists of an organization's referrals: the rows that serve them, and reading several ranges as one, in order.

A list row repeats the whole record, so a page is one range query. The part of its key after the range's prefix
is its place: places sort alike in all ranges of one order, so ranges merge, and a continuation needs no more.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from shared.domain.referral import Referral
from shared.storage import keys
from shared.storage.codec import MAX_BYTES, Codec
from shared.storage.tables import StoredRow, Tables

T = TypeVar("T")
REFERRALS = Codec[Referral](Referral, limit=MAX_BYTES + 64 * 1024)
"""People's changes are held to the limit; what the clock or another party adds must never fail for its size, and
neither must what a closed deal shows of its registrations."""

MAX_PAGE_ROWS = 1000
"""Rows of one storage page."""
MAX_PAGES = 5
"""How many storage pages one request reads at most, besides the first of each range."""


def list_keys(referral: Referral) -> set[str]:
    """The keys of a referral's list rows."""
    found = {
        keys.newest(referral.id),
        keys.updated_last(referral.updated_at, referral.id),
        keys.updated_first(referral.updated_at, referral.id),
        keys.in_tab(tab_of(referral), referral.status, referral.id),
    }
    if referral.location:
        found.add(keys.of_location(referral.location, referral.id))
    if referral.routed:
        found.add(keys.of_seller_team(referral.routed.team, referral.id))
    return found | {keys.of_member(contact.email, referral.id) for contact in referral.team}


def tab_of(referral: Referral) -> keys.Tab:
    """The tab that a referral stands in (N1)."""
    if referral.is_lead:
        return "lead" if referral.qualification == "Direct" else "qlead"
    return "in" if referral.direction == "Incoming" else "out"


@dataclass(slots=True)
class _Cursor:
    """How far one range is read."""

    prefix: str
    start: str
    end: str
    buffer: deque[StoredRow] = field(default_factory=deque[StoredRow])
    ended: bool = False

    @property
    def wants(self) -> bool:
        return not self.buffer and not self.ended

    @property
    def place(self) -> str:
        return self.buffer[0].key[len(self.prefix) :]


class Scan(Generic[T]):
    """Reads ranges of one partition as one list, from the place `first` on, and after the place `after`.

    `place` is that of the last record given. `complete` tells, once there are no more, whether that was the end of
    the list or only of what one request may read.
    """

    def __init__(
        self,
        tables: Tables,
        partition: str,
        prefixes: tuple[str, ...],
        codec: Codec[T],
        *,
        after: str | None,
        first: str | None = None,
        keys_only: bool = False,
        table: str = keys.REFERRALS,
    ) -> None:
        self._tables = tables
        self._table, self._partition = table, partition
        self._codec = codec
        self._keys_only = keys_only
        self._cursors = [_cursor(prefix, after, first) for prefix in prefixes]
        self._budget = MAX_PAGES - 1 + len(prefixes)
        self.place = after
        self.complete = False

    async def records(self, first_page: int) -> AsyncIterator[T]:
        """The records in order, without those that cannot be read. `first_page` are likely to be enough."""
        async for row in self._rows(first_page):
            if record := self._codec.readable(row):
                yield record

    async def keys(self) -> AsyncIterator[str]:
        """The keys in order, each place once."""
        async for row in self._rows(MAX_PAGE_ROWS):
            yield row.key

    async def _rows(self, first_page: int) -> AsyncIterator[StoredRow]:
        """The rows in order, each place once."""
        size = min(first_page, MAX_PAGE_ROWS)
        while True:
            wanting = [cursor for cursor in self._cursors if cursor.wants]
            if len(wanting) > self._budget:
                return
            self._budget -= len(wanting)
            await asyncio.gather(*(self._fill(cursor, size) for cursor in wanting))
            if wanting:
                size = MAX_PAGE_ROWS
            filled = [cursor for cursor in self._cursors if cursor.buffer]
            if not filled:
                self.complete = True
                return
            self.place = min(cursor.place for cursor in filled)
            same = [cursor.buffer.popleft() for cursor in filled if cursor.place == self.place]
            yield same[0]

    async def _fill(self, cursor: _Cursor, size: int) -> None:
        rows = await self._tables.between(
            self._table, self._partition, cursor.start, cursor.end, size, keys_only=self._keys_only
        )
        cursor.buffer.extend(rows)
        cursor.ended = len(rows) < size
        if rows:
            cursor.start = keys.after(rows[-1].key)


def _cursor(prefix: str, after: str | None, first: str | None) -> _Cursor:
    start, end = keys.starting_with(prefix)
    if first:
        start = f"{prefix}{first}"
    if after:
        start = max(start, keys.after(f"{prefix}{after}"))
    return _Cursor(prefix=prefix, start=start, end=end)
