"""Calls of the app's functions that are in flight: on the loop or in threads, until they end or the worker dies.

The functions run in devhost's own process. A real host runs them in a worker process, and when that dies, every call
in flight there fails. `fail_all` simulates that for the callers, and so does a function that calls `sys.exit`.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

_CLEANING_UP_TAKES = 1.0
"""How many seconds a cancelled coroutine may go on before the host closes without it."""


class WorkerDiedError(Exception):
    """The worker died with this call in flight."""

    def __init__(self) -> None:
        super().__init__("The worker died with this call in flight.")


class CallCancelledError(Exception):
    """A function raised CancelledError without having been cancelled."""

    def __init__(self) -> None:
        super().__init__("The function raised CancelledError by itself.")


class _ExitedError(Exception):
    """A function called sys.exit. SystemExit itself would end devhost."""


class Calls:
    """The calls of one kind of function, and the threads for functions that are not coroutines."""

    def __init__(self, threads: int, name: str, on_exit: Callable[[], object]) -> None:
        """`name` is the prefix of thread names; `on_exit` is called when a function calls sys.exit."""
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

        Coroutines are cancelled. A thread cannot be: it goes on, its result is ignored, and a new thread replaces it.
        """
        failed = self._unfinished()
        for call, death in failed:
            death.set_result(None)
            self._give_up(call)
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._threads = self._new_threads()
        return len(failed)

    async def close(self, grace: float) -> None:
        """Let the calls finish for `grace` seconds, then cancel them and the tasks that wait for them."""
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
        """Return the calls in flight with the futures that fail them. A call that has ended keeps its result."""
        return [(call, death) for call, death in self._in_flight.items() if not call.done()]

    def _give_up(self, call: asyncio.Future[Any]) -> None:
        """Cancel a call without waiting for it. It may be slow or refuse; its result is ignored."""
        self._given_up.add(call)
        call.add_done_callback(self._retrieve_exception)
        call.cancel()

    def _retrieve_exception(self, call: asyncio.Future[Any]) -> None:
        """Retrieve the exception, because asyncio warns about exceptions that are never retrieved."""
        self._given_up.discard(call)
        if not call.cancelled():
            call.exception()
