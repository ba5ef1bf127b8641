"""Writes that must not be lost: repeated while the disk is full or fails, until the host stops."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

from devhost.meter import WorkMeter
from devhost.store import Store
from devhost.store.failures import may_pass

_log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
"""Seconds between two attempts, doubled from the first to the longest."""


class RepeatedWrites:
    """Writes to the store. While one waits for the disk, requests to move the clock fail instead of waiting."""

    def __init__(
        self, store: Store, meter: WorkMeter, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """`sleep` takes seconds."""
        self._store = store
        self._meter = meter
        self._sleep = sleep

    async def write(
        self, unit: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a unit of `devhost.store.writes` until it is on disk. Raises errors that waiting does not cure.

        If it is cancelled, as at the stop of the host, nothing is written; the work is done again at the next start.
        """
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._store.write(unit, *args, **kwargs)
            except sqlite3.Error as failure:
                if not may_pass(failure):
                    raise
                _log.error("store.waits_for_the_disk error=%s again_in_seconds=%.1f", failure, pause)
                with self._meter.held_up(str(failure)):
                    await self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
