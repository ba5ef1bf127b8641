"""The gate of the mail service, a circuit breaker: no mail is sent while the service is down or asks for a pause.

So an outage costs a few attempts, not one for each mail, and other work goes on. After the pause, one trial mail is
sent: if the service answers, the gate opens for all; if not, the pause doubles.

Consecutive failures are counted in the process, so that an accepted mail costs no additional request. The closed gate
is stored in the tables, where every process sees it. An open gate is not read again for `KNOWN_OPEN`.
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
"""This many consecutive failures of the service close the gate."""
FIRST_PAUSE, MAX_PAUSE = timedelta(seconds=30), timedelta(minutes=5)
TRIAL = timedelta(seconds=30)
"""How long all other mails wait for the trial mail: longer than one call to the service."""
SPREAD = timedelta(seconds=30)
"""Waiting mails get a random extra delay up to this, so that they are not all sent at once."""
KNOWN_OPEN = timedelta(seconds=10)
"""By the wall clock: for how long after it read the gate as open a process sends without reading it again.

That is one request in ten seconds instead of one for each mail. The price: after another process has closed the gate,
this one may still try the mails that are under way or begin within that time. The service accepts none of those
either, and after the first failure the gate is read again.
"""
_ATTEMPTS = 5


class MailGate:
    """The gate, with this process's count of failures. Its methods raise `StoreUnavailable`.

    `wall_clock` returns the real time, which limits how long the gate counts as open without being read.
    """

    def __init__(self, records: MailRecords, wall_clock: Callable[[], datetime]) -> None:
        self._records = records
        self._wall_clock = wall_clock
        self._failures = 0
        self._read_open_at: datetime | None = None
        self._changes = 0

    async def enter(self, now: datetime) -> Gate | None:
        """Ask to send. Raises `MailPaused` while the gate is closed, or another trial mail is being sent.

        Returns the gate if this mail is the trial mail, else None: pass that to `answered` or `failed`.
        """
        if self._is_known_open():
            return None
        started, changes = self._wall_clock(), self._changes
        read = await self._records.gate()
        if read is None or read.value.open:
            # What was read is out of date if this process has changed the gate meanwhile.
            self._read_open_at = started if changes == self._changes else None
            return None
        if now < read.value.until:
            raise MailPaused("Sending mail is paused.", read.value.until - now + _spread())
        trial = Gate(until=now + TRIAL, pause=read.value.pause)
        try:
            await self._records.save_gate(trial, read)
        except StoreConflict as conflict:
            raise MailPaused("A trial mail is being sent.", TRIAL + _spread()) from conflict
        return trial

    async def answered(self, trial: Gate | None) -> None:
        """The service answered, even if it rejected the mail: after a trial mail, open the gate for all."""
        self._failures = 0
        if trial:
            await self._change(
                lambda gate: Gate(until=gate.until, pause=timedelta()) if gate == trial else gate
            )

    async def failed(self, trial: Gate | None, failure: MailUnavailable, now: datetime) -> None:
        """The service did not accept a mail: close the gate if it asks for a pause, or seems to be down."""
        self._forget()
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
        """Count a failure; the `FAILURES`th consecutive one closes the gate, if it is not closed yet."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._failures = 0
            first = Gate(until=now + FIRST_PAUSE, pause=FIRST_PAUSE)
            await self._change(lambda gate: first if gate is None or gate.open else gate)

    async def _change(self, decide: Callable[[Gate | None], Gate | None]) -> None:
        """Update the stored gate. After `_ATTEMPTS` conflicts, leave it to the processes that keep changing it."""
        try:
            await self._try_to_change(decide)
        finally:
            self._forget()

    async def _try_to_change(self, decide: Callable[[Gate | None], Gate | None]) -> None:
        for _ in range(_ATTEMPTS):
            read: Stored[Gate] | None = await self._records.gate()
            new = decide(read.value if read else None)
            if new is None or (read and new == read.value):
                return
            try:
                await self._records.save_gate(new, read)
            except StoreConflict:
                continue
            logger.warning("mail_gate %s", "opened" if new.open else f"closed until={new.until.isoformat()}")
            return

    def _is_known_open(self) -> bool:
        read_at = self._read_open_at
        return read_at is not None and timedelta() <= self._wall_clock() - read_at < KNOWN_OPEN

    def _forget(self) -> None:
        """Read the gate before the next mail: it may be closed now."""
        self._read_open_at = None
        self._changes += 1


def _closed_on_demand(gate: Gate | None, trial: Gate | None, until: datetime) -> Gate:
    """The gate after the service asked for a pause: of two such pauses, the longer one counts."""
    if gate is None or gate.open or gate == trial:
        return Gate(until=until, pause=gate.pause if gate and gate.pause else FIRST_PAUSE)
    return Gate(until=max(gate.until, until), pause=gate.pause)


def _spread() -> timedelta:
    return SPREAD * (secrets.randbelow(1001) / 1000)
