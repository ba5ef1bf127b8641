"""Waiting with an end."""

from collections.abc import Callable
from threading import Event
from time import monotonic

from localcloud.errors import InterruptedStartError

_LOOK_EVERY = 0.05


def wait_until(condition: Callable[[], bool], seconds: float, *, interrupted: Event | None = None) -> bool:
    """Return True as soon as `condition` holds, False after `seconds`.

    Raises InterruptedStartError when `interrupted` is set meanwhile.
    """
    interrupted = interrupted or Event()
    deadline = monotonic() + seconds
    while not condition():
        if monotonic() >= deadline:
            return False
        if interrupted.wait(_LOOK_EVERY):
            raise InterruptedStartError("Stopped before everything was started.")
    return True
