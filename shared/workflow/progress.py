"""Check that the service makes progress: the sweep runs, and the durable engine does the work it is woken for."""

from datetime import datetime, timedelta

from shared.storage.heartbeats import MAX_SILENCE, WRITE_INTERVAL, SweepBeat

LONGEST_STANDSTILL = timedelta(minutes=5)
"""How long progress may be missing until that is a fault."""


def fault_of_progress(
    sweep: SweepBeat | None, engine_acted_at: datetime | None, started_at: datetime, now: datetime
) -> str | None:
    """The problem in a sentence, or None. All times are the wall clock's; `started_at` is that of this process.

    A single stuck record is no fault of the service: the engine is working as long as it runs any activity.
    """
    last_sweep = max(sweep.at, started_at) if sweep else started_at
    if now - last_sweep > LONGEST_STANDSTILL:
        return (
            f"The sweep has not run for {_minutes(now - last_sweep)} minutes, so due work is not found. "
            "Check that timer functions run, and the setting SWEEP_SCHEDULE."
        )
    if sweep is None or sweep.unmoved_since is None or sweep.unmoved_at is None:
        return None
    since = max(sweep.unmoved_since, started_at)
    seen_recently = now - sweep.unmoved_at <= MAX_SILENCE
    acted_since = engine_acted_at is not None and engine_acted_at >= sweep.unmoved_at - WRITE_INTERVAL
    if now - since > LONGEST_STANDSTILL and seen_recently and not acted_since:
        return (
            f"The durable engine has done nothing for {_minutes(now - since)} minutes, although work is due. "
            "Restart the app; if that does not help, check the task hub's storage and the host's log."
        )
    return None


def _minutes(since: timedelta) -> int:
    return int(since / timedelta(minutes=1))
