"""Calls functions of the app within the function timeout: coroutines on the loop, others in threads."""

import asyncio
import contextvars
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import local
from typing import Any
from uuid import uuid4

from azure.functions.durable_functions import ActivityTriggerConverter
from azure.functions.meta import Datum

from devhost.calls import Calls
from devhost.functions import Function
from devhost.left_tasks import counted_by
from devhost.meter import WorkMeter

_log = logging.getLogger(__name__)


class FunctionTimeoutError(Exception):
    """A function ran longer than host.json allows."""


@dataclass(frozen=True, slots=True)
class Context:
    """The worker's invocation context, for functions with a parameter `context`."""

    function_name: str
    function_directory: str
    invocation_id: str = field(default_factory=lambda: str(uuid4()))
    thread_local_storage: local = field(default_factory=local)
    trace_context: None = None
    retry_context: None = None


class Invoker:
    """Calls functions and tracks the calls. `client` is the JSON text for client bindings."""

    def __init__(
        self, client: str, timeout: timedelta | None, on_exit: Callable[[], object], meter: WorkMeter
    ) -> None:
        """`on_exit` is called when a function calls sys.exit."""
        self._client = client
        self._timeout = timeout
        self._meter = meter
        self._calls = Calls(_thread_count(), "devhost-function", on_exit)

    async def call(self, function: Function, argument: Any) -> Any:
        """Call a function with its trigger's argument.

        Raises what the function raises, FunctionTimeoutError, WorkerDiedError, CallCancelledError.
        """
        arguments = {function.argument: argument, **dict.fromkeys(function.clients, self._client)}
        if function.wants_context:
            arguments["context"] = Context(function.name, str(Path.cwd()))
        seconds = None if self._timeout is None else self._timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds) as limit:
                return await self._start(function, arguments)
        except TimeoutError as failure:
            if not limit.expired():
                raise
            raise FunctionTimeoutError(
                f"Timeout value of {self._timeout} was exceeded by function: {function.name}"
            ) from failure

    async def call_activity(self, function: Function, text: str) -> str:
        """Call an activity with JSON text, converted as the worker does; return JSON text."""
        argument = ActivityTriggerConverter.decode(Datum(text, "string"), trigger_metadata=None)
        result = await self.call(function, argument)
        return str(ActivityTriggerConverter.encode(result, expected_type=None).value)

    def fail_all(self) -> int:
        """Fail the calls in flight, as the death of the worker does; return how many."""
        return self._calls.fail_all()

    async def close(self, grace: float) -> None:
        """Let running functions finish for `grace` seconds, then cancel those on the loop."""
        await self._calls.close(grace)

    async def _start(self, function: Function, arguments: dict[str, Any]) -> Any:
        if function.is_async:
            with counted_by(self._meter):
                return await self._calls.on_loop(function.call(**arguments))
        context = contextvars.copy_context()
        return await self._calls.in_thread(lambda: context.run(function.call, **arguments))


def _thread_count() -> int:
    return int(os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT") or min(32, (os.cpu_count() or 1) + 4))
