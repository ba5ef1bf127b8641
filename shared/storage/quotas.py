"""What organizations have used of their quotas (rules U1, U2), counted from rows that lie in order of time.

A process remembers a count for a minute, and adds what it does itself. So an ordinary step reads nothing more, and
several processes together can exceed a quota by what they do within a minute.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta

from shared.domain.ids import EngagementId, OrganizationId
from shared.domain.quotas import DAY, HOUR, Quota
from shared.settings import Limits
from shared.storage import keys
from shared.storage.tables import Tables

COUNT_TTL = timedelta(minutes=1)
"""How long a process uses a count that it has read."""
MAX_COUNTS = 1000
"""How many counts a process remembers; the one that was used least recently is forgotten first."""

Counts = tuple[int, int]
"""How much is used in the period that `Quota` limits, and in all."""
Read = Callable[[], Awaitable[Counts]]


class Quotas:
    """Takes room out of quotas. Its methods raise as `Tables` does.

    Each is a context: what is taken counts for other requests of this process at once, and is given back if the
    block raises. A quota whose limit is 0 reads nothing.
    """

    def __init__(self, tables: Tables, limits: Limits) -> None:
        self._tables = tables
        self._invitations = Quota(limits.invitations_per_day, DAY)
        self._inquiries = Quota(limits.inquiries_per_day, DAY)
        self._messages = Quota(limits.messages_per_hour, HOUR)
        self._messages_in_all = limits.messages_per_deal
        self._usages: OrderedDict[tuple[str, ...], _Usage] = OrderedDict()

    @asynccontextmanager
    async def invitations(
        self, organization_id: OrganizationId, number: int, now: datetime
    ) -> AsyncIterator[None]:
        """Room for so many invitations of an organization on the day of `now`. Raises `QuotaReached` (U1)."""
        quota = self._invitations

        async def read() -> Counts:
            between = keys.inviting_between(quota.begin(now), quota.end(now))
            partition = keys.partition_of(organization_id)
            rows = await self._keys(keys.REFERRALS, partition, between, quota.limit)
            return sum(map(keys.invitations_in, rows)), 0

        if not quota.limit or not number:
            yield
            return
        async with self._taken(quota, ("invitations", organization_id), number, now, read):
            yield

    @asynccontextmanager
    async def inquiry(self, organization_id: OrganizationId, now: datetime) -> AsyncIterator[None]:
        """Room for a request for information of an application on the day of `now`. Raises `QuotaReached` (U1)."""
        quota = self._inquiries

        async def read() -> Counts:
            between = keys.inquiries_between(quota.begin(now), quota.end(now))
            partition = keys.partition_of(organization_id)
            return len(await self._keys(keys.REFERRALS, partition, between, quota.limit)), 0

        if not quota.limit:
            yield
            return
        async with self._taken(quota, ("inquiries", organization_id), 1, now, read):
            yield

    @asynccontextmanager
    async def message(
        self, engagement_id: EngagementId, organization_id: OrganizationId, now: datetime
    ) -> AsyncIterator[int]:
        """Room for a message of a party in the hour of `now`; gives how many it has written in the deal before.

        Raises `QuotaReached` (U2). One request counts for both limits. The number is 0 without a limit on it.
        """
        quota, in_all = self._messages, self._messages_in_all
        since = keys.messages_of_party_since(organization_id, quota.begin(now))
        start, end = keys.messages_of_party(organization_id)

        async def read() -> Counts:
            between = (start, end) if in_all else (since, end)
            rows = await self._keys(keys.ENGAGEMENTS, engagement_id, between, in_all or quota.limit)
            return sum(key >= since for key in rows), len(rows)

        if not quota.limit and not in_all:
            yield 0
            return
        async with self._taken(quota, ("messages", engagement_id, organization_id), 1, now, read) as usage:
            yield usage.in_all - 1 if in_all else 0

    async def _keys(self, table: str, partition: str, between: tuple[str, str], limit: int) -> list[str]:
        rows = await self._tables.between(table, partition, *between, limit, keys_only=True)
        return [row.key for row in rows]

    @asynccontextmanager
    async def _taken(
        self, quota: Quota, of: tuple[str, ...], number: int, now: datetime, read: Read
    ) -> AsyncIterator["_Usage"]:
        usage = self._usage((*of, quota.begin(now).isoformat()))
        await usage.refresh(now, read)
        quota.require_room(usage.in_period, number, now)
        with usage.taken(number):
            yield usage

    def _usage(self, of: tuple[str, ...]) -> "_Usage":
        usage = self._usages.setdefault(of, _Usage())
        self._usages.move_to_end(of)
        if len(self._usages) > MAX_COUNTS:
            self._usages.popitem(last=False)
        return usage


class _Usage:
    """What is used of a quota in one period, as far as this process knows."""

    def __init__(self) -> None:
        self._stored: Counts = (0, 0)
        self._taken = 0
        self._in_progress = 0
        self._read_at: datetime | None = None
        self._reading = asyncio.Lock()

    @property
    def in_period(self) -> int:
        return self._stored[0] + self._taken

    @property
    def in_all(self) -> int:
        return self._stored[1] + self._taken

    async def refresh(self, now: datetime, read: Read) -> None:
        """Read the counts again if they are too old. Requests at the same time share one look."""
        async with self._reading:
            if self._read_at is not None and abs(now - self._read_at) < COUNT_TTL:
                return
            finished = self._taken - self._in_progress
            self._stored = await read()
            self._taken -= finished  # what this process had stored before it looked is among what it read
            self._read_at = now

    @contextmanager
    def taken(self, number: int) -> Iterator[None]:
        """Count so many more; given back if the block raises, since then nothing is stored as far as is known."""
        self._taken += number
        self._in_progress += number
        try:
            yield
        except BaseException:
            self._taken -= number
            raise
        finally:
            self._in_progress -= number
