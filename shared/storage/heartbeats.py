"""Heartbeats: when the sweep last ran, and when the durable engine last ran an activity.

Each process writes a heartbeat at most once a minute, or when its content changes.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.errors import StoreUnavailable
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Tables, Upsert

logger = logging.getLogger(__name__)

WRITE_INTERVAL = timedelta(minutes=1)
MAX_SILENCE = timedelta(minutes=20)
"""Longer than the interval at which the sweep checks a stuck orchestration: an older observation is obsolete."""
_PARTITION, _SWEEP, _ENGINE = "heartbeats", "sweep", "engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepBeat:
    """The last sweep (wall clock).

    `at` is when it ended. `unmoved_since` is since when no woken orchestration has made progress, and `unmoved_at`
    when that was last observed.
    """

    at: datetime
    unmoved_since: datetime | None = None
    unmoved_at: datetime | None = None


_SWEEPS, _TIMES = Codec[SweepBeat](SweepBeat), Codec[datetime](datetime)


class Heartbeats:
    """The repository of heartbeats. Reading raises as `Tables` does.

    A heartbeat that cannot be parsed counts as missing. A failure to write one is only logged, since a missing
    heartbeat is noticed by those who read it.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._swept_at: datetime | None = None
        self._acted_at: datetime | None = None

    async def record_sweep(self, at: datetime, *, moved: int, unmoved: int) -> None:
        """Record the end of a sweep: how many woken orchestrations had made progress, and how many had not."""
        if not moved and not unmoved and self._swept_at and at - self._swept_at < WRITE_INTERVAL:
            return
        try:
            before = await self.sweep()
            outdated = before is None or before.unmoved_at is None or at - before.unmoved_at > MAX_SILENCE
            beat = SweepBeat(at=at) if moved or before is None or outdated else replace(before, at=at)
            if unmoved and not moved:
                beat = replace(beat, unmoved_since=beat.unmoved_since or at, unmoved_at=at)
            await self._tables.write(keys.STATUS, _PARTITION, [Upsert(_SWEEPS.row(_SWEEP, beat))])
            self._swept_at = at
        except StoreUnavailable as error:
            logger.warning("heartbeat_not_written of=sweep: %s", error)

    async def record_engine_activity(self, at: datetime) -> None:
        """Record that the engine ran an activity."""
        if self._acted_at and at - self._acted_at < WRITE_INTERVAL:
            return
        try:
            await self._tables.write(keys.STATUS, _PARTITION, [Upsert(_TIMES.row(_ENGINE, at))])
            self._acted_at = at
        except StoreUnavailable as error:
            logger.warning("heartbeat_not_written of=engine: %s", error)

    async def sweep(self) -> SweepBeat | None:
        """The last heartbeat of the sweep, or None."""
        row = await self._tables.get(keys.STATUS, _PARTITION, _SWEEP)
        return _SWEEPS.readable(row)

    async def engine(self) -> datetime | None:
        """When the engine last ran an activity, or None."""
        row = await self._tables.get(keys.STATUS, _PARTITION, _ENGINE)
        return _TIMES.readable(row)
