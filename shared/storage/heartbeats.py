"""Heartbeats: when the sweep ran last, and when the durable engine last did anything for us.

Each process writes a heartbeat at most once a minute unless there is something new in it.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.errors import StoreUnavailable
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Tables, Upsert

logger = logging.getLogger(__name__)

EVERY = timedelta(minutes=1)
MAX_SILENCE = timedelta(minutes=20)
"""More than the sweep leaves between two looks at what does not move: what it saw before that is over."""
_PARTITION, _SWEEP, _ENGINE = "heartbeats", "sweep", "engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepBeat:
    """When a sweep ended last; since when no orchestration that was woken has moved, and when that was seen last.

    All of the wall clock.
    """

    at: datetime
    unmoved_since: datetime | None = None
    unmoved_at: datetime | None = None


_SWEEPS, _TIMES = Codec[SweepBeat](SweepBeat), Codec[datetime](datetime)


class Heartbeats:
    """The repository of heartbeats, and what this process wrote last. Reading raises as `Tables` does.

    One that cannot be read counts as none, and is written over.

    A heartbeat that cannot be written is logged: whoever looks for it finds that it is missing.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._swept_at: datetime | None = None
        self._acted_at: datetime | None = None

    async def swept(self, at: datetime, *, moved: int, unmoved: int) -> None:
        """A sweep ended, which found so many that had moved since they were woken, and so many that had not."""
        if not moved and not unmoved and self._swept_at and at - self._swept_at < EVERY:
            return
        try:
            before = await self.sweep()
            outdated = before is None or before.unmoved_at is None or at - before.unmoved_at > MAX_SILENCE
            beat = SweepBeat(at=at) if moved or before is None or outdated else replace(before, at=at)
            if unmoved and not moved:
                beat = replace(beat, unmoved_since=beat.unmoved_since or at, unmoved_at=at)
            await self._tables.write(keys.STATUS, _PARTITION, [Upsert(_SWEEPS.row(_SWEEP, beat))])
            self._swept_at = at
        except StoreUnavailable as failed:
            logger.warning("heartbeat_not_written of=sweep: %s", failed)

    async def record_engine_activity(self, at: datetime) -> None:
        """The engine ran an activity."""
        if self._acted_at and at - self._acted_at < EVERY:
            return
        try:
            await self._tables.write(keys.STATUS, _PARTITION, [Upsert(_TIMES.row(_ENGINE, at))])
            self._acted_at = at
        except StoreUnavailable as failed:
            logger.warning("heartbeat_not_written of=engine: %s", failed)

    async def sweep(self) -> SweepBeat | None:
        """The sweep's last heartbeat."""
        row = await self._tables.get(keys.STATUS, _PARTITION, _SWEEP)
        return _SWEEPS.readable(row)

    async def engine(self) -> datetime | None:
        """When the engine last ran an activity."""
        row = await self._tables.get(keys.STATUS, _PARTITION, _ENGINE)
        return _TIMES.readable(row)
