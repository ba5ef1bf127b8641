"""Check that the service makes progress: the sweep runs, which does what is due."""

from datetime import datetime, timedelta

from shared.storage.heartbeats import SweepBeat

LONGEST_STANDSTILL = timedelta(minutes=5)
"""How long progress may be missing until that is a fault."""


def fault_of_progress(sweep: SweepBeat | None, started_at: datetime, now: datetime) -> str | None:
    """The problem in a sentence, or None. All times are the wall clock's; `started_at` is that of this process."""
    last_sweep = max(sweep.at, started_at) if sweep else started_at
    if now - last_sweep <= LONGEST_STANDSTILL:
        return None
    minutes = int((now - last_sweep) / timedelta(minutes=1))
    return (
        f"The sweep has not run for {minutes} minutes, so what is due is not done. "
        "Check that timer functions run, and the setting SWEEP_SCHEDULE."
    )
