"""Something that goes on in a thread of its own as long as a test is at it."""

from threading import Event, Thread
from typing import Self


class Background:
    """Runs `go_on` while the context is open; it looks at `over` to know when to end."""

    def __init__(self) -> None:
        self.over = Event()
        self._thread = Thread(target=self.go_on)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._thread.join()

    def go_on(self) -> None:
        """What goes on."""
        raise NotImplementedError
