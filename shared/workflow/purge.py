"""The purge: finished orchestrations leave the task hub, which otherwise keeps their history for ever.

Those that failed stay: they are how one sees that something is wrong.

Nothing needs them: the record's truth is in the tables, and whoever wakes a record whose instance is gone starts it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.errors import EngineUnavailable

logger = logging.getLogger(__name__)

RETENTION = timedelta(days=1)
"""How long a finished instance can be looked at, from its last beginning."""
MAX_PAGES = 10
"""Of at most 100 instances each: what one run takes on."""
LONGEST_RUN = timedelta(minutes=2)
"""After which no further instance is begun: well below functionTimeout, which ends all that the worker does."""


class FinishedInstances(Protocol):
    """The durable engine, as the purge uses it. Both methods raise `EngineUnavailable` when it does not answer."""

    async def finished(self, before: datetime) -> list[str]:
        """The ids of one page of instances that were created before a moment and have finished without failing."""
        ...

    async def purge(self, instance_id: str) -> bool:
        """Remove a finished instance; False if it is gone or runs again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """Removes finished instances, the next run what this one leaves. `wall_clock` bounds a run."""

    wall_clock: Callable[[], datetime]

    async def run(self, engine: FinishedInstances, now: datetime) -> int:
        """One run; says how many instances it removed. `now` is the engine's time.

        Raises `EngineUnavailable` if the engine does not tell which are finished.
        """
        end = self.wall_clock() + LONGEST_RUN
        removed = 0
        for _ in range(MAX_PAGES):
            found = await self._page(engine, now - RETENTION, end)
            removed += found
            if not found or self.wall_clock() >= end:  # after none, the next page would be the same one again
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
            except EngineUnavailable as failed:  # one that fails must not keep us from the next
                logger.warning("purge_failed instance=%s: %s", instance_id, failed)
        return removed
