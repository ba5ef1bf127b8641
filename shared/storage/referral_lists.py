"""Lists of an organization's referrals: their list rows, and reading several ranges as one sorted list.

A list row repeats the whole record, so a page is one range query. The part of its key after the prefix is its place:
all ranges of an order use the same places, so ranges can be merged, and a place is all that a continuation needs.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from shared.domain.permissions import emails_of_asked
from shared.domain.referral import Referral
from shared.domain.search_words import words_of
from shared.storage import keys
from shared.storage.codec import MAX_BYTES, Codec
from shared.storage.tables import StoredRow, Tables

T = TypeVar("T")
REFERRALS = Codec[Referral](Referral, limit=MAX_BYTES + 64 * 1024)
"""`MAX_BYTES` limits the changes by people. Changes by the system, by other parties and by registrations use the
extra room, because they must never fail for their size."""

MAX_PAGE_ROWS = 1000
"""The number of rows of one storage page."""
MAX_PAGES = 5
"""The maximum number of storage pages that one scan reads, besides the first page of each range."""


def list_keys(referral: Referral) -> set[str]:
    """The keys of a referral's list rows."""
    list_rows = {
        keys.newest(referral.id),
        keys.updated_last(referral.updated_at, referral.id),
        keys.updated_first(referral.updated_at, referral.id),
        keys.in_tab(tab_of(referral), referral.status, referral.id),
    }
    if referral.location:
        list_rows.add(keys.of_location(referral.location, referral.id))
    if referral.routed:
        list_rows.add(keys.of_seller_team(referral.routed.team, referral.id))
    people = {contact.email.casefold() for contact in referral.team} | emails_of_asked(referral)
    return list_rows | {keys.of_member(email, referral.id) for email in people}


def word_keys(referral: Referral) -> set[str]:
    """The keys of the rows by which a referral is found by a word (N4)."""
    return {keys.of_word(word, referral.id) for word in words_of(referral)}


def tab_of(referral: Referral) -> keys.Tab:
    """The tab that lists a referral (N1)."""
    if referral.is_lead:
        return "lead" if referral.qualification == "Direct" else "qlead"
    return "in" if referral.direction == "Incoming" else "out"


@dataclass(slots=True)
class _Cursor:
    """The read position in one range."""

    prefix: str
    start: str
    end: str
    buffer: deque[StoredRow] = field(default_factory=deque[StoredRow])
    ended: bool = False

    @property
    def needs_rows(self) -> bool:
        return not self.buffer and not self.ended

    @property
    def place(self) -> str:
        return self.buffer[0].key[len(self.prefix) :]


class Scan(Generic[T]):
    """Reads ranges of one partition as one list, from the place `first`, and after the place `after`.

    `place` is the place of the last record. `complete` shows at the end whether the scan reached the end of the list;
    otherwise it reached the limit of one request.
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
        table: str = keys.REFERRALS,
    ) -> None:
        self._tables = tables
        self._table, self._partition = table, partition
        self._codec = codec
        self._cursors = [_cursor(prefix, after, first) for prefix in prefixes]
        self._budget = MAX_PAGES - 1 + len(prefixes)
        self.place = after
        self.complete = False

    async def records(self, first_page: int) -> AsyncIterator[T]:
        """The records in order, without rows that cannot be parsed. `first_page`: how many rows to read first."""
        async for row in self._rows(first_page):
            if record := self._codec.readable(row):
                yield record

    async def is_at_end(self) -> bool:
        """Whether nothing follows what was read, also where the limit of one request ended the scan just there."""
        for cursor in self._cursors:
            if cursor.buffer:
                return False
            if not cursor.ended:
                await self._fill(cursor, 1, keys_only=True)
        return not any(cursor.buffer for cursor in self._cursors)

    async def count(self) -> int:
        """The number of rows, read by their keys alone, in ranges that have no record in common.

        If it is not `complete`, it is at least `MAX_PAGES * MAX_PAGE_ROWS`: of the pages read, at most one of each
        ended range was not full. `place` is then the last place of all that was read.
        """
        counted = 0
        while open_ranges := [cursor for cursor in self._cursors if not cursor.ended]:
            if len(open_ranges) > self._budget:
                return counted
            self._budget -= len(open_ranges)
            await asyncio.gather(
                *(self._fill(cursor, MAX_PAGE_ROWS, keys_only=True) for cursor in open_ranges)
            )
            for cursor in open_ranges:
                counted += len(cursor.buffer)
                if cursor.buffer:
                    last = cursor.buffer[-1].key[len(cursor.prefix) :]
                    self.place = max(self.place or last, last)
                    cursor.buffer.clear()
        self.complete = True
        return counted

    async def _rows(self, first_page: int) -> AsyncIterator[StoredRow]:
        """The rows in order, one for each place."""
        size = min(first_page, MAX_PAGE_ROWS)
        while True:
            empty = [cursor for cursor in self._cursors if cursor.needs_rows]
            if len(empty) > self._budget:
                return
            if empty:
                self._budget -= len(empty)
                await asyncio.gather(*(self._fill(cursor, size) for cursor in empty))
                size = MAX_PAGE_ROWS
            ready = [cursor for cursor in self._cursors if cursor.buffer]
            if not ready:
                self.complete = True
                return
            self.place = min(cursor.place for cursor in ready)
            same = [cursor.buffer.popleft() for cursor in ready if cursor.place == self.place]
            yield same[0]

    async def _fill(self, cursor: _Cursor, size: int, *, keys_only: bool = False) -> None:
        rows = await self._tables.between(
            self._table, self._partition, cursor.start, cursor.end, size, keys_only=keys_only
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
