"""Whether the service makes progress: the sweep runs, and the durable engine moves what it is woken for."""

from datetime import datetime, timedelta

from shared.storage.heartbeats import EVERY, MAX_SILENCE, SweepBeat

LONGEST_STANDSTILL = timedelta(minutes=5)
"""After which a standstill is a fault."""


def fault_of_progress(
    sweep: SweepBeat | None, engine_acted_at: datetime | None, started_at: datetime, now: datetime
) -> str | None:
    """What stands still, in a sentence, or None; all times are the wall clock's, `started_at` is this process's.

    One record that does not move is no fault of the service: the engine is at work as long as it runs any activity.
    """
    last_sweep = max(sweep.at, started_at) if sweep else started_at
    if now - last_sweep > LONGEST_STANDSTILL:
        return (
            f"The sweep has not run for {_minutes(now - last_sweep)} minutes, so nothing that is due is found. "
            "Look whether timer functions run, and at SWEEP_SCHEDULE."
        )
    if sweep is None or sweep.unmoved_since is None or sweep.unmoved_at is None:
        return None
    since = max(sweep.unmoved_since, started_at)
    seen_lately = now - sweep.unmoved_at <= MAX_SILENCE
    acted_since = engine_acted_at is not None and engine_acted_at >= sweep.unmoved_at - EVERY
    if now - since > LONGEST_STANDSTILL and seen_lately and not acted_since:
        return (
            f"The durable engine has moved nothing for {_minutes(now - since)} minutes, though work is "
            "due. Restart the app; if that does not help, look at the task hub's storage and the host's log."
        )
    return None


def _minutes(since: timedelta) -> int:
    return int(since / timedelta(minutes=1))
