"""Limits on the number of requests in a minute: of a person, an organization or an address (docs/security.md).

They are counted in the memory of the process, so several processes admit as many times the limit.
"""

import math
import time
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from shared.settings import Limits


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one request left of its limit in this minute; `seconds` until the next minute begins.

    Without `admitted` the request was one too many.
    """

    admitted: bool
    limit: int
    remaining: int
    seconds: int


class RateLimit:
    """A number of requests in a minute, counted for each key; the minute of a key begins with its first request."""

    def __init__(self, requests: int) -> None:
        """`requests` 0 means no limit."""
        self._item = RateLimitItemPerMinute(requests) if requests else None
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    async def count(self, key: str) -> Allowance | None:
        """Count a request; None without a limit."""
        if self._item is None:
            return None
        admitted = await self._limiter.hit(self._item, key)
        window = await self._limiter.get_window_stats(self._item, key)
        seconds = max(1, math.ceil(window.reset_time - time.time()))
        return Allowance(admitted, self._item.amount, max(0, window.remaining), seconds)


class RateLimits:
    """The limits of a process: for each person, for each organization, and for each address without a token."""

    def __init__(self, limits: Limits) -> None:
        self.person = RateLimit(limits.requests_per_person)
        self.organization = RateLimit(limits.requests_per_organization)
        self.address = RateLimit(limits.requests_per_address)
