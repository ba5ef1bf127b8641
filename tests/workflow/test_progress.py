"""When a standstill is a fault: nothing sweeps."""

from datetime import timedelta

import pytest

from shared.storage.heartbeats import SweepBeat
from shared.workflow.progress import fault_of_progress
from tests.examples.referrals import NOW

MINUTE = timedelta(minutes=1)
LONG_AGO = NOW - timedelta(days=1)


def beat(ago: float) -> SweepBeat:
    return SweepBeat(at=NOW - ago * MINUTE)


@pytest.mark.parametrize("sweep", [None, beat(6)], ids=["never", "six minutes ago"])
def test_a_sweep_that_does_not_run_is_a_fault_once_the_process_is_old_enough(sweep: SweepBeat | None) -> None:
    fault = fault_of_progress(sweep, LONG_AGO, NOW)
    assert fault
    assert "sweep has not run" in fault
    assert fault_of_progress(sweep, NOW - 4 * MINUTE, NOW) is None
    assert fault_of_progress(sweep, NOW - 6 * MINUTE, NOW)


@pytest.mark.parametrize("ago", [0, 1, 5])
def test_a_sweep_that_ran_in_the_last_five_minutes_is_no_fault(ago: float) -> None:
    assert fault_of_progress(beat(ago), LONG_AGO, NOW) is None


def test_a_fault_says_for_how_long_and_what_to_check() -> None:
    fault = fault_of_progress(beat(17), LONG_AGO, NOW)
    assert fault
    assert "17 minutes" in fault
    assert "SWEEP_SCHEDULE" in fault
