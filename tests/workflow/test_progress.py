"""When a standstill is a fault: nothing sweeps, or nothing that is woken moves and the engine does nothing else."""

from datetime import timedelta

import pytest

from shared.storage.heartbeats import SweepBeat
from shared.workflow.progress import fault_of_progress
from tests.examples.referrals import NOW

MINUTE = timedelta(minutes=1)
LONG_AGO = NOW - timedelta(days=1)


def beat(ago: float, since: float | None = None, seen: float = 1) -> SweepBeat:
    return SweepBeat(
        at=NOW - ago * MINUTE,
        unmoved_since=None if since is None else NOW - since * MINUTE,
        unmoved_at=None if since is None else NOW - seen * MINUTE,
    )


@pytest.mark.parametrize("sweep", [None, beat(6)], ids=["never", "six minutes ago"])
def test_a_sweep_that_does_not_run_is_a_fault_once_the_process_is_old_enough(sweep: SweepBeat | None) -> None:
    fault = fault_of_progress(sweep, NOW, LONG_AGO, NOW)
    assert fault
    assert "sweep has not run" in fault
    assert fault_of_progress(sweep, NOW, NOW - 4 * MINUTE, NOW) is None


@pytest.mark.parametrize(
    ("sweep", "record_engine_activity", "stands_still"),
    [
        (beat(1), None, False),
        (beat(1, since=6), None, True),
        (beat(1, since=6), 6, True),
        (beat(1, since=6, seen=3), 2, False),
        (beat(1, since=60, seen=15), 16, False),
        (beat(1, since=4), None, False),
        (beat(1, since=60, seen=30), None, False),
    ],
    ids=[
        "nothing was due",
        "nothing moved",
        "nor was any activity run",
        "one record stands still, and the engine works on others",
        "the engine did something since, and then there was nothing to do",
        "not for long",
        "what stood still is done by now",
    ],
)
def test_an_engine_that_moves_nothing_is_a_fault(
    sweep: SweepBeat, record_engine_activity: float | None, stands_still: bool
) -> None:
    acted_at = None if record_engine_activity is None else NOW - record_engine_activity * MINUTE
    fault = fault_of_progress(sweep, acted_at, LONG_AGO, NOW)
    assert ("durable engine has done nothing" in (fault or "")) == stands_still


def test_a_standstill_that_a_restart_has_ended_is_not_held_against_the_new_process() -> None:
    assert fault_of_progress(beat(1, since=60), None, NOW - 4 * MINUTE, NOW) is None
    assert fault_of_progress(beat(1, since=60), None, NOW - 6 * MINUTE, NOW)
