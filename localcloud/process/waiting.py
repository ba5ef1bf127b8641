"""Waiting with a deadline, and SIGINT and SIGTERM as an event that ends it early."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from time import monotonic

from localcloud.errors import InterruptedStartError

_POLL_INTERVAL = 0.05


def wait_until(condition: Callable[[], bool], seconds: float, *, interrupted: Event | None = None) -> bool:
    """Return True as soon as `condition` holds, False after `seconds`.

    Raises InterruptedStartError if `interrupted` is set meanwhile.
    """
    interrupted = interrupted or Event()
    deadline = monotonic() + seconds
    while not condition():
        if monotonic() >= deadline:
            return False
        if interrupted.wait(_POLL_INTERVAL):
            raise InterruptedStartError("Stopped before everything was started.")
    return True


@contextmanager
def interruption() -> Iterator[Event]:
    """Yield an event that SIGINT and SIGTERM set, so that no start or stop is cut off halfway."""
    interrupted = Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {
        number: signal.signal(number, lambda _number, _frame: interrupted.set()) for number in numbers
    }
    try:
        yield interrupted
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
