"""Ctrl-C and SIGTERM as an event: what is being started or ended is never torn in two."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event


@contextmanager
def interruption() -> Iterator[Event]:
    """Give an event that SIGINT and SIGTERM set while the context is open."""
    asked = Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda _number, _frame: asked.set()) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
