"""Calls of the app's functions that are in flight: on the loop or in threads, until they end or the worker dies.

The functions run in devhost's own process. A real host runs them in a worker process, and when that dies, every call
in flight there fails. `fail_all` is that death, as far as the callers can tell; so is a function's `sys.exit`.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

_CLEANING_UP_TAKES = 1.0
"""Seconds for which a coroutine that was cancelled may go on before the host closes without it."""


class WorkerDiedError(Exception):
    """The worker died with this call in flight."""

    def __init__(self) -> None:
        super().__init__("The worker died with this call in flight.")


class CallCancelledError(Exception):
    """A function raised CancelledError, which nobody had asked it to."""

    def __init__(self) -> None:
        super().__init__("The function raised CancelledError by itself.")


class _ExitedError(Exception):
    """A function called sys.exit; SystemExit itself would end devhost."""


class Calls:
    """The calls of one kind of function, and the threads for those that are no coroutines."""

    def __init__(self, threads: int, name: str, on_exit: Callable[[], object]) -> None:
        """`name` begins the threads' names; `on_exit` is called when a function ends its process."""
        self._on_exit = on_exit
        self._new_threads = partial(ThreadPoolExecutor, threads, name)
        self._threads = self._new_threads()
        self._in_flight: dict[asyncio.Future[Any], asyncio.Future[None]] = {}
        self._given_up: set[asyncio.Future[Any]] = set()

    async def on_loop(self, call: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine. Raises what it raises, WorkerDiedError, CallCancelledError."""

        async def contained() -> T:
            try:
                return await call
            except SystemExit as ended:
                raise _ExitedError from ended

        return await self._run(asyncio.ensure_future(contained()))

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Run a function in a thread. Raises what it raises, WorkerDiedError, CallCancelledError."""

        def contained() -> T:
            try:
                return call()
            except SystemExit as ended:
                raise _ExitedError from ended

        return await self._run(asyncio.get_running_loop().run_in_executor(self._threads, contained))

    def fail_all(self) -> int:
        """Fail every call in flight with WorkerDiedError; returns how many.

        Coroutines are cancelled. What runs in a thread cannot be: it goes on unheard, and others take its place.
        """
        failed = self._unfinished()
        for call, death in failed:
            death.set_result(None)
            self._give_up(call)
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._threads = self._new_threads()
        return len(failed)

    async def close(self, grace: float) -> None:
        """Let the calls finish for `grace` seconds, then cancel them, and whoever waits for them."""
        if self._in_flight:
            await asyncio.wait([*self._in_flight], timeout=grace)
        for call, death in self._unfinished():
            death.cancel()
            self._give_up(call)
        if self._given_up:
            await asyncio.wait([*self._given_up], timeout=_CLEANING_UP_TAKES)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, running: asyncio.Future[T]) -> T:
        death: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._in_flight[running] = death
        try:
            ends: list[asyncio.Future[Any]] = [running, death]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._give_up(running)
            raise
        finally:
            del self._in_flight[running]
        if death.cancelled():
            raise asyncio.CancelledError
        if death.done():
            raise WorkerDiedError
        if running.cancelled():
            raise CallCancelledError
        try:
            return running.result()
        except _ExitedError as ended:
            self._on_exit()
            raise WorkerDiedError from ended

    def _unfinished(self) -> list[tuple[asyncio.Future[Any], asyncio.Future[None]]]:
        """The calls in flight with their deaths; the result of one that has ended counts."""
        return [(call, death) for call, death in self._in_flight.items() if not call.done()]

    def _give_up(self, call: asyncio.Future[Any]) -> None:
        """Cancel a call. It may take its time, or refuse: nobody waits for it, and its end counts for nothing."""
        self._given_up.add(call)
        call.add_done_callback(self._ended_unheard)
        call.cancel()

    def _ended_unheard(self, call: asyncio.Future[Any]) -> None:
        """Look at the exception, or asyncio would complain that nobody did."""
        self._given_up.discard(call)
        if not call.cancelled():
            call.exception()
