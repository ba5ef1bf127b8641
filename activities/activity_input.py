"""The input of activities, ids and times as text by name, and the time that an activity uses."""

from datetime import datetime
from typing import Dict  # noqa: UP035 - see below

from shared import clock

# The platform's indexer rejects an app with `dict[str, str]` as an annotation.
ActivityInput = Dict[str, str]  # noqa: UP006


def orchestration_time(sent: ActivityInput) -> datetime:
    """The orchestration's time at the call."""
    return datetime.fromisoformat(sent["now"])


def earlier_time(sent: ActivityInput) -> datetime:
    """The earlier of the orchestration's time and this worker's own: what is due by it is due by both clocks (L4).

    So a fast clock makes nothing happen early; a slow one delays by its difference.
    """
    return min(orchestration_time(sent), clock.now())
