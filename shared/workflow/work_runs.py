"""Runs over work rows, and over the rows of the steps that those cause, with a shared memory of what was read."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.referral import ReferralKey
from shared.domain.work import Work
from shared.storage.codec import Stored
from shared.storage.intents import IntentPlace
from shared.storage.known_referrals import KnownReferrals
from shared.workflow.announce import place_of_done
from shared.workflow.commit import Committed, complete_all
from shared.workflow.perform import TRANSIENT, Performer, Prepared, WorkRun
from shared.workflow.wake import Orchestrations

logger = logging.getLogger(__name__)

_ROWS_AT_ONCE = 10


@dataclass(slots=True, kw_only=True)
class WorkRuns:
    """Performs work rows at the time `now` (domain clock).

    `places` are those of the intents of steps that the work caused and whose own work is done: they are not needed
    any more. All rows together have the time of one run (`perform.LONGEST_RUN`), from `started` on (wall clock).
    """

    performer: Performer
    engine: Orchestrations
    known: KnownReferrals
    now: datetime
    started: datetime
    places: list[IntentPlace] = field(default_factory=list[IntentPlace])

    async def perform(
        self,
        record: ReferralKey,
        row: Stored[Work],
        *,
        since: int | None = None,
        prepared: Prepared | None = None,
    ) -> Stored[Work] | None:
        """Perform a row, and then the rows of the steps that it causes; returns the row with the progress.

        `since` is the moment of `known` right after the commit of the row, None if it is not known to be new. Returns
        None if the row as stored is not known any more, and must be read again. A failure with a row of another
        record is left to the intent that announced it. Raises `StoreUnavailable`.
        """
        run = WorkRun(
            performer=self.performer,
            engine=self.engine,
            record=record,
            row=row,
            known=self.known,
            since=since,
            now=self.now,
            started=self.started,
            prepared=prepared or Prepared(),
        )
        is_stored = await run.perform()
        await self._perform_caused(run.caused)
        return run.row if is_stored else None

    async def _perform_caused(self, steps: Sequence[Committed]) -> None:
        slots = asyncio.Semaphore(_ROWS_AT_ONCE)

        async def perform(step: Committed) -> None:
            self.known.wrote(step.after, step.etag, step.change.entries)
            since = self.known.moment
            if step.work is None:
                return
            async with slots:
                try:
                    row = await self.perform(step.after.key, step.work, since=since)
                except TRANSIENT as failed:
                    logger.warning("work_left referral=%s: %s", step.after.id, failed)
                    return
            if row and (place := place_of_done(row.value)):
                self.places.append(place)

        await complete_all(map(perform, steps))
