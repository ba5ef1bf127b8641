"""Commands that run in the foreground, and the progress lines that people see meanwhile. Standard library only."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from localcloud import PROJECT
from localcloud.errors import InstallError
from localcloud.process.waiting import interruption

Report = Callable[[str], None]
"""Called with a line that says what is happening."""

_TAIL_LINES = 15
_PROGRESS_INTERVAL = 5.0


def run_with_progress(
    title: str,
    command: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str] | None = None,
    advice: str,
) -> None:
    """Run a command and print the elapsed seconds to stderr meanwhile.

    Raises InstallError with what failed, `advice`, and the end of the command's output.
    """
    started = monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            code = _watch(process, title, started)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        if code != 0:
            output.seek(0)
            tail = output.read().decode("utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
            raise InstallError("\n".join([f"{title} failed (exit code {code}). {advice}", *tail]))
    print_progress(f"{title}: done in {monotonic() - started:.0f} s")


def _watch(process: subprocess.Popen[bytes], title: str, started: float) -> int:
    while True:
        print_progress(f"{title} … {monotonic() - started:.0f} s")
        try:
            return process.wait(_PROGRESS_INTERVAL)
        except subprocess.TimeoutExpired:
            continue


def print_progress(line: str) -> None:
    """Print a progress line to stderr; stdout is for results."""
    print(line, file=sys.stderr, flush=True)


def run_module(module: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Run `python -m module` in the project's folder and return its exit code. Raises as `run_python` does."""
    return run_python(["-m", module, *arguments], environment)


def run_python(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Run Python with these arguments in the project's folder and return its exit code.

    Ctrl-C reaches it from the terminal; SIGTERM is forwarded to it. Raises KeyboardInterrupt
    after either.
    """
    with interruption() as interrupted:
        process = subprocess.Popen([sys.executable, *arguments], cwd=PROJECT, env=environment)
        with _sigterm_forwarded(process):
            code = process.wait()
    if interrupted.is_set() or code == -signal.SIGTERM:
        raise KeyboardInterrupt
    return code


@contextmanager
def _sigterm_forwarded(process: subprocess.Popen[bytes]) -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: process.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
