"""The gate of the mail service: while the service asks for a pause, hangs or fails whatever it is sent, nobody sends.

So a service that is down costs a few attempts, not one for each mail, and what else is to be done goes on. After a
pause one mail goes first: if the service answers it, all may send; if not, the pause doubles.

Failures in a row are counted in the process, so that a mail that is taken costs no request more; that the gate is
closed, and for how long, stands in the tables, where every process sees it.
"""

import logging
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from shared.errors import MailPaused, MailServiceDown, MailUnavailable, StoreConflict
from shared.storage.codec import Stored
from shared.storage.mail import Gate, MailRecords

logger = logging.getLogger(__name__)

FAILURES = 3
"""So many in a row, none of which is one mail's own, close the gate."""
FIRST_PAUSE, MAX_PAUSE = timedelta(seconds=30), timedelta(minutes=5)
TRIAL = timedelta(seconds=30)
"""For how long all others wait for the mail that goes first: longer than one call to the service takes."""
SPREAD = timedelta(seconds=30)
"""Over so long those are spread that wait for the gate, so that they do not all come at one instant."""
_ATTEMPTS = 5


class MailGate:
    """The gate as one process sees it. Its methods raise `StoreUnavailable`."""

    def __init__(self, records: MailRecords) -> None:
        self._records = records
        self._failures = 0

    async def enter(self, now: datetime) -> Gate | None:
        """Ask to send. Raises `MailPaused` while the gate is closed, or somebody else goes first.

        Gives the gate if this mail is the one that goes first, else None; tell `answered` or `failed` of it.
        """
        read = await self._records.gate()
        if read is None or read.value.open:
            return None
        if now < read.value.until:
            raise MailPaused("No mail is sent for now.", read.value.until - now + _spread())
        trial = Gate(until=now + TRIAL, pause=read.value.pause)
        try:
            await self._records.save_gate(trial, read)
        except StoreConflict as conflict:
            raise MailPaused("Another mail goes first.", TRIAL + _spread()) from conflict
        return trial

    async def answered(self, trial: Gate | None) -> None:
        """The service has answered, be it with a refusal: if this mail went first, open the gate for all."""
        self._failures = 0
        if trial:
            await self._change(
                lambda gate: Gate(until=gate.until, pause=timedelta()) if gate == trial else gate
            )

    async def failed(self, trial: Gate | None, failure: MailUnavailable, now: datetime) -> None:
        """The service did not take a mail: close the gate if it asks for it, or seems to take none at all."""
        if failure.retry_after:
            self._failures = 0
            until = now + failure.retry_after
            await self._change(lambda gate: _closed_on_demand(gate, trial, until))
        elif not isinstance(failure, MailServiceDown):
            await self.answered(trial)
        elif trial:
            pause = min(2 * trial.pause, MAX_PAUSE)
            await self._change(lambda _: Gate(until=now + pause, pause=pause))
        else:
            await self._count(now)

    async def _count(self, now: datetime) -> None:
        """Of ten attempts that fail at once, the third closes the gate; the others find it closed."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._failures = 0
            first = Gate(until=now + FIRST_PAUSE, pause=FIRST_PAUSE)
            await self._change(lambda gate: first if gate is None or gate.open else gate)

    async def _change(self, decide: Callable[[Gate | None], Gate | None]) -> None:
        """Change the gate as it is; where it keeps changing, others close and open it as well as we would."""
        for _ in range(_ATTEMPTS):
            read: Stored[Gate] | None = await self._records.gate()
            wanted = decide(read.value if read else None)
            if wanted is None or (read and wanted == read.value):
                return
            try:
                await self._records.save_gate(wanted, read)
            except StoreConflict:
                continue
            logger.warning(
                "mail_gate %s", "opened" if wanted.open else f"closed until={wanted.until.isoformat()}"
            )
            return


def _closed_on_demand(gate: Gate | None, trial: Gate | None, until: datetime) -> Gate:
    """Of two pauses that the service asked for, the longer one counts."""
    if gate is None or gate.open or gate == trial:
        return Gate(until=until, pause=gate.pause if gate and gate.pause else FIRST_PAUSE)
    return Gate(until=max(gate.until, until), pause=gate.pause)


def _spread() -> timedelta:
    return SPREAD * (secrets.randbelow(1001) / 1000)
