"""What only the real platform can show: these tests run on the Core Tools, or say in one line what they miss."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from localcloud.commands.bootstrap import deployed_environment
from localcloud.errors import InstallError
from localcloud.stack.hosts import Func
from localcloud.stack.stack import Stack
from tests.live import Service


@pytest.fixture(scope="session")
def func() -> Func:
    """The Core Tools with the Python of production."""
    try:
        return Func.found(deployed_environment())
    except InstallError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def clocked_func(func: Func) -> Func:
    """The Core Tools beside which there is a library that shifts the engine's clock."""
    if func.tools.clock_library is None:
        pytest.skip(
            "func comes without a library that shifts its clock; tests that move the clock are not run."
        )
    return func


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts services on a host; they end with the test."""
    with ExitStack() as running:

        def started(host: Func, **options: Any) -> Service:
            stack = running.enter_context(Stack(tmp_path / "data", host=host, samples=True, **options))
            return running.enter_context(Service(stack))

        yield started
