"""The heartbeat of the sweep: when it last ran. Each process writes it at most once a minute."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.errors import StoreUnavailable
from shared.storage import keys
from shared.storage.codec import Codec
from shared.storage.tables import Tables, Upsert

logger = logging.getLogger(__name__)

WRITE_INTERVAL = timedelta(minutes=1)
_PARTITION, _SWEEP = "heartbeats", "sweep"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepBeat:
    """The last sweep: `at` is when it ended (wall clock)."""

    at: datetime


_SWEEPS = Codec[SweepBeat](SweepBeat)


class Heartbeats:
    """The repository of the heartbeat. Reading raises as `Tables` does.

    A heartbeat that cannot be parsed counts as missing. A failure to write one is only logged, since a missing
    heartbeat is noticed by those who read it.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._swept_at: datetime | None = None

    async def record_sweep(self, at: datetime) -> None:
        """Record the end of a sweep."""
        if self._swept_at and at - self._swept_at < WRITE_INTERVAL:
            return
        try:
            await self._tables.write(keys.STATUS, _PARTITION, [Upsert(_SWEEPS.row(_SWEEP, SweepBeat(at=at)))])
            self._swept_at = at
        except StoreUnavailable as error:
            logger.warning("heartbeat_not_written of=sweep: %s", error)

    async def sweep(self) -> SweepBeat | None:
        """The last heartbeat of the sweep, or None."""
        row = await self._tables.get(keys.STATUS, _PARTITION, _SWEEP)
        return _SWEEPS.readable(row)
