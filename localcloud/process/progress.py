"""Long commands that show they are alive."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic

from localcloud.errors import InstallError

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
