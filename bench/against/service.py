"""The service of one tree, seen from outside: its HTTP API, its processes, its storage's log, its mail sink."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from bench.deals import CREATOR, INVITED, bearer
from bench.errors import MeasurementError
from bench.processes import family

_SERVE = Path(__file__).with_name("serve.py")
_START_SECONDS = 420.0
"""A first start may install the other tree's Azurite, or the environment of production's Python."""
_END_SECONDS = 60.0
_TOKEN_SECONDS = 120.0
_LOOK_INTO_QUEUE = re.compile(rb'"GET \S+/messages[? ]')
"""There are as many of these as it takes seconds, whatever is done."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a service has spent so far: CPU seconds by process (`app` on devhost; `worker` and `host` on func)."""

    cpu: dict[str, float]
    storage_requests: int

    def since(self, before: "Spent") -> "Spent":
        cpu = {name: seconds - before.cpu[name] for name, seconds in self.cpu.items()}
        return Spent(cpu, self.storage_requests - before.storage_requests)

    def plus(self, other: "Spent") -> "Spent":
        cpu = {name: seconds + other.cpu[name] for name, seconds in self.cpu.items()}
        return Spent(cpu, self.storage_requests + other.storage_requests)


@dataclass(frozen=True, slots=True)
class Service:
    """A running service. `headers` are those of the deal's people, by their addresses."""

    name: str
    host: str
    url: str
    clock_url: str
    mail_url: str
    app_pid: int
    storage_log: Path
    headers: dict[str, dict[str, str]]

    def spent(self) -> Spent:
        """Read the counters. Raises ProcessLookupError if the app has ended."""
        cpu = dict.fromkeys(("worker", "host") if self.host == "func" else ("app",), 0.0)
        for process in family(self.app_pid):
            cpu[self._role(process.command)] += process.cpu_seconds
        return Spent(cpu, self._storage_requests())

    def _role(self, command: str) -> str:
        if self.host != "func":
            return "app"
        return "worker" if "--workerId" in command else "host"

    def _storage_requests(self) -> int:
        """Count the requests in Azurite's log, without looks into queues."""
        with self.storage_log.open("rb") as log:
            return sum(b' HTTP/1.1" ' in line and not _LOOK_INTO_QUEUE.search(line) for line in log)


@contextmanager
def running(name: str, tree: Path, host: str) -> Iterator[Service]:
    """Run the service of `tree` on a data directory of its own. Raises MeasurementError if it does not start."""
    with tempfile.TemporaryDirectory(prefix="bench-against-") as folder:
        data, log = Path(folder) / "data", Path(folder) / "service.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [str(_python(tree)), "-c", _SERVE.read_text(encoding="utf-8"), str(data), host],
                cwd=tree,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C reaches only the bench, which ends it
            )
        try:
            where = _wait_ready(process, name, log)
            yield Service(
                name=name,
                host=host,
                url=where["url"],
                clock_url=f"{where['controls']}/admin/devhost/clock",
                mail_url=f"{where['mail_url']}/admin/devhost/mail",
                app_pid=int(where["app_pid"]),
                storage_log=Path(where["storage_log"]),
                headers={email: bearer(_token(tree, data, email)) for email in (CREATOR, *INVITED)},
            )
        finally:
            _end(process)


def _wait_ready(process: subprocess.Popen[bytes], name: str, log: Path) -> dict[str, str]:
    assert process.stdout is not None
    limit = Timer(_START_SECONDS, process.terminate)
    limit.start()
    try:
        line = process.stdout.readline()
    finally:
        limit.cancel()
    if not line:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
        raise MeasurementError(f"The service of {name} did not start; the end of its output:\n{tail}")
    where: dict[str, str] = json.loads(line)
    return where


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the service: it ends with its input. Else SIGTERM, and SIGKILL last."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    for end in (process.terminate, process.kill):
        try:
            process.wait(_END_SECONDS)
            break
        except subprocess.TimeoutExpired:
            end()
    process.wait()
    process.stdout.close()


def _token(tree: Path, data: Path, email: str) -> str:
    command = [str(_python(tree)), "dev.py", "token", "--as", email, "--data", str(data)]
    printed = subprocess.run(
        command, cwd=tree, capture_output=True, text=True, check=False, timeout=_TOKEN_SECONDS
    )
    if printed.returncode != 0:
        sys.stderr.write(printed.stderr)
        raise MeasurementError(f"{tree} gives no token for {email}.")
    return printed.stdout.strip()


def _python(tree: Path) -> Path:
    return tree / ".venv" / "bin" / "python"
