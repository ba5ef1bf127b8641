"""Counts the tasks that functions start on the loop, also those that they leave running after their answers.

A real host does not know of such tasks. Here the clock must not move, nor say that all is done, before they end.
"""

import asyncio
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from devhost.meter import WorkMeter

_counted_by: ContextVar[WorkMeter | None] = ContextVar("counted_by", default=None)


@contextmanager
def counted_by(meter: WorkMeter) -> Iterator[None]:
    """Tasks that are started inside the context, and those that these start, count as pending work until they end."""
    before = _counted_by.set(meter)
    try:
        yield
    finally:
        _counted_by.reset(before)


def count_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Make a loop count the tasks that are started in a context of `counted_by`."""
    loop.set_task_factory(_start)


def _start(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    **options: Any,
) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
    if meter := _counted_by.get():
        meter.begin()
        task.add_done_callback(lambda _: meter.end())
    return task
