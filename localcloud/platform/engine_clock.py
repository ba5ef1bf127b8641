"""Moves the clock of the real durable engine and of the app on it, from due time to due time.

The engine and the storage emulator read their shift from a file that `libshifted_clock.so` (beside `func`) maps
into them: 8 bytes, microseconds. The app reads the same shift from CLOCK_OFFSET_FILE (`shared/clock.py`).
"""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import isodate
from aiohttp import web
from azure.core.exceptions import AzureError

from localcloud.clocks import Clock, read_offset, utc_text, wall_clock
from localcloud.platform.task_hub import Observable, TaskHub, until_quiet
from localcloud.private_files import replace_private

NO_SHIFT = struct.pack("<q", 0)
STORAGE_SETTING = "AzureWebJobsStorage"
HUB_SETTING, HUB = "AzureFunctionsJobHost__extensions__durableTask__hubName", "cosellreferrals"
"""The setting with the task hub's name, and the name if it is not set."""

_PATH = "/admin/devhost/clock"
_USAGE = 'Send {"advance": "P14D"} (an ISO 8601 duration) or {"to": "2027-01-01T00:00:00Z"}.'
_TIMEOUT = aiohttp.ClientTimeout(total=300, sock_connect=5)
# The engine hides a timer's message by whole seconds.
_JUST_PAST = timedelta(seconds=1)
LONGEST_GAP = timedelta(hours=12)
"""While the clock moves, timer functions run at least so often, as if time had passed; as on devhost."""


class ClockRefusal(Exception):
    """The clock was not moved, or what became due was not done in time; `status` is 400 or 409."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class ClockFiles:
    """The files that hold the shift; `engine` is None if the engine keeps real time."""

    app: Path
    engine: Path | None

    def offset(self) -> timedelta:
        return read_offset(self.app)

    def set_offset(self, offset: timedelta) -> None:
        """Write the app's file first: the engine must never be ahead of the app."""
        microseconds = offset // timedelta(microseconds=1)
        replace_private(self.app, str(microseconds).encode("ascii"))
        if self.engine is not None:
            with self.engine.open("r+b") as file:  # in place: it is mapped into running processes
                file.write(struct.pack("<q", microseconds))


class EngineClock:
    """Moves the clock, and waits for what became due, at most `timeout` seconds after each step.

    `run_timers` runs all timer functions of the app once.
    """

    def __init__(
        self,
        files: ClockFiles,
        hub: Observable,
        run_timers: Callable[[], Awaitable[None]],
        *,
        timeout: float = 120.0,
        wall: Clock = wall_clock,
    ) -> None:
        self._files = files
        self._hub = hub
        self._run_timers = run_timers
        self._timeout = timeout
        self._wall = wall
        self._moving = asyncio.Lock()

    def now(self) -> datetime:
        """Return the time of the app and the engine."""
        return self._wall() + self._files.offset()

    async def advance(self, target: Callable[[datetime], datetime]) -> datetime:
        """Move to `target(now)`, stopping at each due time in between; returns the new time. Raises ClockRefusal.

        Timer functions run at the end, and on the way at least once in each `LONGEST_GAP`.
        """
        async with self._moving:
            timers = await self._settled()
            to = target(self.now())
            if to <= self.now():
                return self.now()
            self._require_clock()
            gap_ends = self.now() + LONGEST_GAP
            while (step := min([gap_ends, *(due + _JUST_PAST for due in timers[:1])])) < to:
                self._move(step)
                timers = await self._settled()
                if self.now() >= gap_ends:
                    await self._run_timers()
                    timers = await self._settled()
                    gap_ends = self.now() + LONGEST_GAP
            self._move(to)
            await self._settled()
            await self._run_timers()
            await self._settled()
            return self.now()

    async def _settled(self) -> tuple[datetime, ...]:
        """Wait until everything that is due is done; return the due times that are ahead."""
        end = asyncio.get_running_loop().time() + self._timeout
        overdue = ""
        try:
            while True:
                look = await until_quiet(self._hub, end - asyncio.get_running_loop().time())
                if not look.timers or look.timers[0] > self.now():
                    return look.timers
                overdue = f"a timer of {look.timers[0].isoformat()} that has not fired"
                await asyncio.sleep(0.05)
        except TimeoutError as late:
            raise ClockRefusal(
                409,
                f"After {self._timeout:.0f} s the task hub still has {overdue or late}. The log of the host may say "
                "why; ask again to go on waiting.",
            ) from late
        except AzureError as failed:
            raise ClockRefusal(
                409,
                f"The storage of the task hub does not respond: {type(failed).__name__}. Start it and ask again.",
            ) from failed

    def _require_clock(self) -> None:
        if self._files.engine is None:
            raise ClockRefusal(
                409, "There is no library beside this func that shifts its clock; the engine keeps real time."
            )

    def _move(self, to: datetime) -> None:
        if to > self.now():
            self._files.set_offset(to - self._wall())


@asynccontextmanager
async def engine_clock(host: str, files: ClockFiles, storage: str, hub: str) -> AsyncIterator[EngineClock]:
    """Connect to the engine of the host at this URL; `storage` is the connection string of its task hub."""
    task_hub = TaskHub(storage, hub)
    async with aiohttp.ClientSession(host, timeout=_TIMEOUT) as http:

        async def run_timers() -> None:
            await _run_timers(http)

        try:
            yield EngineClock(files, task_hub, run_timers)
        finally:
            await task_hub.close()


async def _run_timers(http: aiohttp.ClientSession) -> None:
    """Run each timer function once through the host's admin API. Raises ClockRefusal if that fails."""
    try:
        async with http.get("/admin/functions") as answer:
            functions = await answer.json(content_type=None)
        for function in functions:
            kinds = [binding["type"] for binding in function["config"]["bindings"]]
            if "timerTrigger" in kinds:
                path = f"/admin/functions/{function['name']}"
                async with http.post(path, json={"input": ""}, raise_for_status=True):
                    pass
    except (aiohttp.ClientError, TimeoutError) as failed:
        raise ClockRefusal(409, f"The host does not run its timer functions: {failed}") from failed


class ClockApi:
    """`/admin/devhost/clock` for a service on the real host: the same as devhost's, without `timers`."""

    def __init__(self, clock: EngineClock) -> None:
        self._clock = clock

    def routes(self) -> list[web.RouteDef]:
        return [web.get(_PATH, self.show), web.post(_PATH, self.advance)]

    async def show(self, _: web.Request) -> web.Response:
        return _now(self._clock.now())

    async def advance(self, request: web.Request) -> web.Response:
        """Advance the clock; respond once everything that became due is done, or with 400 or 409 and the reason."""
        try:
            return _now(await self._clock.advance(_target(await request.text(), self._clock.now())))
        except ClockRefusal as refusal:
            return web.json_response({"error": str(refusal)}, status=refusal.status)


def _target(text: str, now: datetime) -> Callable[[datetime], datetime]:
    try:
        body: dict[str, Any] = json.loads(text)
        if len(body) != 1:
            raise ClockRefusal(400, _USAGE)
        if "advance" in body:
            ahead = isodate.parse_duration(body["advance"])  # type: ignore[no-untyped-call]
            return _forwards(lambda begin: begin + ahead, now)
        moment = datetime.fromisoformat(body["to"])
        return _forwards(lambda _: moment, now)
    except (ValueError, TypeError, KeyError, OverflowError) as failure:
        raise ClockRefusal(400, _USAGE) from failure


def _forwards(target: Callable[[datetime], datetime], now: datetime) -> Callable[[datetime], datetime]:
    if target(now) < now:
        raise ClockRefusal(400, f"The clock only goes forward; it is {now.isoformat()}.")
    return target


def _now(moment: datetime) -> web.Response:
    return web.json_response({"now": utc_text(moment)})
