"""The clock of the real engine moves from due time to due time, as devhost's does."""

import re
import struct
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import ServiceRequestError

from localcloud.platform.engine_clock import LONGEST_GAP, NO_SHIFT, ClockFiles, ClockRefusal, EngineClock
from localcloud.platform.task_hub import Look
from localcloud.server import running

DAY = timedelta(days=1)


class TimersAhead:
    """A hub whose timers fire once the clock has passed them; it records when they fired."""

    def __init__(self, *due: datetime) -> None:
        self.due = list(due)
        self.fired: list[datetime] = []
        self.clock: EngineClock
        self.busy = ""

    async def look(self) -> Look:
        now = self.clock.now()
        for due in [due for due in self.due if due <= now]:
            self.due.remove(due)
            self.fired.append(now)
        return Look(self.busy, tuple(sorted(self.due)), len(self.fired))


class Clocked:
    """An engine clock on such a hub, with its files."""

    def __init__(self, folder: Path, *due: datetime, shifts: bool = True) -> None:
        self.engine = folder / "clock-shift"
        self.engine.write_bytes(NO_SHIFT)
        self.files = ClockFiles(folder / "clock-offset", self.engine if shifts else None)
        self.hub = TimersAhead(*due)
        self.ran: list[datetime] = []

        async def run_timers() -> None:
            self.ran.append(self.clock.now())

        self.clock = self.hub.clock = EngineClock(self.files, self.hub, run_timers, timeout=2)

    async def advance(self, ahead: timedelta) -> datetime:
        return await self.clock.advance(lambda now: now + ahead)


def around(moment: datetime, expected: datetime) -> bool:
    return timedelta() <= moment - expected < timedelta(seconds=30)


async def test_each_due_time_on_the_way_is_stopped_at(tmp_path: Path) -> None:
    begun = datetime.now(UTC)
    clocked = Clocked(tmp_path, begun + 3 * DAY, begun + DAY, begun + 20 * DAY)
    now = await clocked.advance(14 * DAY)
    assert around(now, begun + 14 * DAY)
    assert len(clocked.hub.fired) == 2
    for fired, due in zip(clocked.hub.fired, (begun + DAY, begun + 3 * DAY), strict=True):
        assert around(fired, due)
    assert clocked.hub.due == [begun + 20 * DAY]


async def test_timer_functions_run_once_at_the_end_of_a_short_way(tmp_path: Path) -> None:
    begun = datetime.now(UTC)
    clocked = Clocked(tmp_path, begun + LONGEST_GAP / 2)
    await clocked.advance(LONGEST_GAP)
    (ran,) = clocked.ran
    assert around(ran, begun + LONGEST_GAP)


async def test_timer_functions_run_again_and_again_on_a_long_way(tmp_path: Path) -> None:
    """What the sweep alone does comes on time, also where no timer of the engine is due."""
    begun = datetime.now(UTC)
    clocked = Clocked(tmp_path, begun + DAY / 3)
    await clocked.advance(2 * DAY)
    assert len(clocked.hub.fired) == 1
    for number, ran in enumerate(clocked.ran, start=1):
        assert around(ran, begun + number * LONGEST_GAP)
    assert len(clocked.ran) == 2 * DAY / LONGEST_GAP


async def test_an_advance_by_nothing_runs_what_is_due_and_does_not_move_the_clock(tmp_path: Path) -> None:
    clocked = Clocked(tmp_path, datetime.now(UTC))
    await clocked.advance(timedelta())
    assert len(clocked.hub.fired) == 1
    assert (clocked.ran, clocked.files.offset(), clocked.engine.read_bytes()) == ([], timedelta(), NO_SHIFT)


async def test_app_and_engine_are_shifted_alike(tmp_path: Path) -> None:
    clocked = Clocked(tmp_path)
    inode = clocked.engine.stat().st_ino
    await clocked.advance(DAY)
    (shift,) = struct.unpack("<q", clocked.engine.read_bytes())
    assert int(clocked.files.app.read_text()) == shift
    assert abs(timedelta(microseconds=shift) - DAY) < timedelta(seconds=30)
    assert clocked.engine.stat().st_ino == inode  # written in place: running processes have it mapped


async def test_without_a_clock_library_what_is_due_is_done_and_the_clock_is_not_moved(
    tmp_path: Path,
) -> None:
    clocked = Clocked(tmp_path, datetime.now(UTC), shifts=False)
    with pytest.raises(ClockRefusal, match="keeps real time") as refusal:
        await clocked.advance(DAY)
    assert refusal.value.status == 409
    assert len(clocked.hub.fired) == 1
    await clocked.advance(timedelta())
    assert clocked.files.offset() == timedelta()


async def test_the_wait_for_endless_work_times_out(tmp_path: Path) -> None:
    clocked = Clocked(tmp_path)
    clocked.hub.busy = "3 calls"
    with pytest.raises(ClockRefusal, match=r"After 2 s the task hub still has 3 calls\. The log"):
        await clocked.advance(DAY)


async def test_a_timer_that_never_fires_is_named(tmp_path: Path) -> None:
    clocked = Clocked(tmp_path)
    stuck = datetime.now(UTC) - DAY

    async def look() -> Look:
        return Look("", (stuck,), 1)

    clocked.hub.look = look
    with pytest.raises(ClockRefusal, match=rf"a timer of {re.escape(stuck.isoformat())} that has not fired"):
        await clocked.advance(DAY)


async def test_unreachable_storage_is_reported(tmp_path: Path) -> None:
    clocked = Clocked(tmp_path)

    async def look() -> Look:
        raise ServiceRequestError("refused")

    clocked.hub.look = look
    with pytest.raises(ClockRefusal, match="The storage of the task hub does not respond"):
        await clocked.advance(DAY)


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    clocked = Clocked(tmp_path)
    async with (
        running(tmp_path / "data", engine_clock=clocked.clock) as cloud,
        aiohttp.ClientSession(cloud.url) as session,
    ):
        yield session


async def test_the_clock_is_shown_and_moved_over_http_as_on_devhost(http: aiohttp.ClientSession) -> None:
    async def now(method: str, body: Any = None) -> datetime:
        async with http.request(method, "/admin/devhost/clock", json=body) as answer:
            assert answer.status == 200
            return datetime.fromisoformat((await answer.json())["now"])

    begun = await now("GET")
    assert around(await now("POST", {"advance": "P1D"}), begun + DAY)
    to = (begun + 5 * DAY).isoformat()
    assert around(await now("POST", {"to": to}), begun + 5 * DAY)


@pytest.mark.parametrize(
    "body",
    [
        *({}, [], {"advance": "soon"}, {"advance": 5}, {"advance": "-P1D"}, {"to": "2020-01-01T00:00:00Z"}),
        *({"to": "2030-01-01T00:00:00"}, {"to": None}, {"advance": "P9999999D"}),
        {"advance": "P1D", "to": "2099-01-01T00:00:00Z"},
    ],
)
async def test_an_impossible_move_is_refused_with_a_reason(http: aiohttp.ClientSession, body: Any) -> None:
    async with http.post("/admin/devhost/clock", json=body) as answer:
        assert (answer.status, bool((await answer.json())["error"])) == (400, True)
