"""Running the project's modules in the foreground."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from localcloud.commands.interruption import interruption
from localcloud.project import PROJECT


def run_module(module: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Run `python -m module` in the project's folder and return its exit code. Raises as `run_python` does."""
    return run_python(["-m", module, *arguments], environment)


def run_python(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Run Python with these arguments in the project's folder and return its exit code.

    It ends by itself on Ctrl-C, which the terminal sends to both; SIGTERM is handed on.
    Raises KeyboardInterrupt once it has ended so.
    """
    with interruption() as asked:
        process = subprocess.Popen([sys.executable, *arguments], cwd=PROJECT, env=environment)
        with _handed_on(process):
            code = process.wait()
    if asked.is_set() or code == -signal.SIGTERM:
        raise KeyboardInterrupt
    return code


@contextmanager
def _handed_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: process.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
