"""The purge: finished orchestrations leave the engine in bounded steps; what runs again stays."""

from datetime import datetime, timedelta

import pytest

from shared.errors import EngineUnavailable
from shared.workflow.purge import LONGEST_RUN, MAX_PAGES, RETENTION, Purge
from tests.examples.referrals import NOW

PAGE = 100
WALL = NOW - timedelta(days=9)
"""The real time; the engine's was moved ahead of it."""
OLD = NOW - RETENTION - timedelta(seconds=1)


class FakeInstances:
    """Finished instances and when they were created, told in pages; each purge takes its time."""

    def __init__(self, takes: timedelta = timedelta()) -> None:
        self.instances: dict[str, datetime] = {}
        self.started_again: set[str] = set()
        self.away_for: set[str] = set()
        self.is_away = False
        self.clock = WALL
        self.listed = 0
        self._takes = takes

    def add(self, count: int) -> None:
        self.instances.update({f"{index:05d}": OLD for index in range(count)})

    async def finished(self, before: datetime) -> list[str]:
        if self.is_away:
            raise EngineUnavailable("away")
        self.listed += 1
        return [name for name, created in self.instances.items() if created < before][:PAGE]

    async def purge(self, instance_id: str) -> bool:
        self.clock += self._takes
        if instance_id in self.away_for:
            raise EngineUnavailable("away")
        if instance_id in self.started_again:
            return False
        return self.instances.pop(instance_id, None) is not None


async def run(engine: FakeInstances) -> int:
    return await Purge(wall_clock=lambda: engine.clock).run(engine, NOW)


@pytest.mark.parametrize(
    ("age", "kept"),
    [
        (RETENTION, True),
        (RETENTION + timedelta(seconds=1), False),
        (timedelta(), True),
        (timedelta(days=365), False),
    ],
)
async def test_a_finished_instance_is_kept_for_a_day(age: timedelta, kept: bool) -> None:
    engine = FakeInstances()
    engine.instances = {"one": NOW - age}
    assert (await run(engine), "one" in engine.instances) == (0 if kept else 1, kept)


@pytest.mark.parametrize(
    ("count", "removed"),
    [
        (0, 0),
        (PAGE, PAGE),
        (PAGE + 1, PAGE + 1),
        (MAX_PAGES * PAGE, MAX_PAGES * PAGE),
        (MAX_PAGES * PAGE + 1, MAX_PAGES * PAGE),
    ],
)
async def test_a_run_takes_so_many_pages_and_leaves_the_rest_to_the_next(count: int, removed: int) -> None:
    engine = FakeInstances()
    engine.add(count)
    assert await run(engine) == removed
    assert await run(engine) == count - removed
    assert engine.instances == {}


async def test_a_run_ends_in_time_whatever_a_purge_takes() -> None:
    takes = timedelta(seconds=10)
    engine = FakeInstances(takes)
    engine.add(2 * PAGE)
    assert await run(engine) == LONGEST_RUN / takes  # 12 of them in two minutes
    assert engine.clock == WALL + LONGEST_RUN
    assert engine.listed == 1


async def test_an_instance_that_was_started_again_stays_and_does_not_hold_up_the_others() -> None:
    engine = FakeInstances()
    engine.add(PAGE + 50)
    engine.started_again = {"00000", "00099"}
    assert await run(engine) == PAGE + 50 - 2
    assert set(engine.instances) == engine.started_again


async def test_one_that_cannot_be_purged_does_not_hold_up_the_others() -> None:
    engine = FakeInstances()
    engine.add(3)
    engine.away_for = {"00001"}
    assert await run(engine) == 2
    assert set(engine.instances) == {"00001"}


async def test_a_page_of_which_nothing_goes_is_not_asked_for_again() -> None:
    engine = FakeInstances(takes=timedelta(milliseconds=1))
    engine.add(PAGE)
    engine.started_again = set(engine.instances)
    assert await run(engine) == 0
    assert engine.clock - WALL == timedelta(milliseconds=PAGE)


async def test_an_engine_that_cannot_list_instances_is_reported() -> None:
    engine = FakeInstances()
    engine.is_away = True
    with pytest.raises(EngineUnavailable):
        await run(engine)
