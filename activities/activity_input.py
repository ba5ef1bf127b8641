"""What an orchestration hands to an activity: ids and times as text, by name; and which time an activity goes by."""

from datetime import datetime
from typing import Dict  # noqa: UP035 - see below

from shared import clock

# An annotation that the platform's indexer takes: it refuses `dict[str, str]`, and with it the whole app.
ActivityInput = Dict[str, str]  # noqa: UP006


def orchestration_time(sent: ActivityInput) -> datetime:
    """The orchestration's time."""
    return datetime.fromisoformat(sent["now"])


def earlier_time(sent: ActivityInput) -> datetime:
    """The earlier of the orchestration's time and this worker's own: what it shows has come by both clocks (L4).

    A host whose clock is fast makes nothing early; one whose clock is slow makes things late by as much.
    """
    return min(orchestration_time(sent), clock.now())
