"""Purge finished orchestrations from the task hub, which otherwise keeps their history forever.

Nothing needs them: all data is in the tables, and waking a record without an instance starts one. Failed instances
are kept, so that problems can be seen.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.errors import EngineUnavailable

logger = logging.getLogger(__name__)

RETENTION = timedelta(days=1)
"""How long a finished instance is kept, from the start of its last turn."""
MAX_PAGES = 10
"""How many pages of up to 100 instances one run purges."""
LONGEST_RUN = timedelta(minutes=2)
"""Time limit of a run: well below functionTimeout, which would end everything that the worker does."""


class FinishedInstances(Protocol):
    """The durable engine as the purge uses it. Both methods raise `EngineUnavailable` if it does not respond."""

    async def finished(self, before: datetime) -> list[str]:
        """The ids of one page of instances that were created before a time and have finished without failing."""
        ...

    async def purge(self, instance_id: str) -> bool:
        """Remove a finished instance; False if it is gone or runs again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """Removes finished instances; the next run continues where one stops. `wall_clock` limits a run."""

    wall_clock: Callable[[], datetime]

    async def run(self, engine: FinishedInstances, now: datetime) -> int:
        """Run the purge; returns how many instances it removed. `now` is the engine's time.

        Raises `EngineUnavailable` if the engine does not list the finished instances.
        """
        end = self.wall_clock() + LONGEST_RUN
        removed = 0
        for _ in range(MAX_PAGES):
            found = await self._page(engine, now - RETENTION, end)
            removed += found
            if not found or self.wall_clock() >= end:  # if none was removed, the next page would be the same
                break
        logger.info("purged instances=%d", removed)
        return removed

    async def _page(self, engine: FinishedInstances, before: datetime, end: datetime) -> int:
        removed = 0
        for instance_id in await engine.finished(before):
            if self.wall_clock() >= end:
                break
            try:
                removed += await engine.purge(instance_id)
            except EngineUnavailable as failed:  # one failure must not stop the others
                logger.warning("purge_failed instance=%s: %s", instance_id, failed)
        return removed
