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
"""Takes a line that says what is happening."""

_TAIL_LINES = 15
_TELL_EVERY = 5.0


def run_shown(
    title: str,
    command: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str] | None = None,
    advice: str,
) -> None:
    """Run a command to its end and tell the elapsed seconds on stderr meanwhile.

    Raises InstallError: what failed, `advice`, and the end of what the command printed.
    """
    begun = monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            code = _watch(process, title, begun)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        if code != 0:
            output.seek(0)
            tail = output.read().decode("utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
            raise InstallError("\n".join([f"{title} failed (exit code {code}). {advice}", *tail]))
    tell(f"{title}: done in {monotonic() - begun:.0f} s")


def _watch(process: subprocess.Popen[bytes], title: str, begun: float) -> int:
    while True:
        tell(f"{title} … {monotonic() - begun:.0f} s")
        try:
            return process.wait(_TELL_EVERY)
        except subprocess.TimeoutExpired:
            continue


def tell(line: str) -> None:
    """Tell the person what happens; standard output stays free for results."""
    print(line, file=sys.stderr, flush=True)


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
