"""What a step of a deal costs on the real engine: requests of storage, and calls of orchestrators and activities.

A cost is all that happens from a step until nothing happens any more, told by `Meter.measure`.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.process.member import Member
from localcloud.stack.data_directory import Addresses, DataDirectory
from localcloud.stack.hosts import Func
from tests.platform.hub_storage import HubStorage
from tests.platform.storage_requests import Recorder, StorageRequest
from tests.platform.waiting_deals import within

QUIET = 2.0
"""Seconds without a counted request after which nothing happens any more; the host reads its queues each second."""
PATIENCE = 60.0
_FUNCTION = re.compile(r"^\s+(\w+): (orchestration|activity)Trigger", re.MULTILINE)
_PARTITION = re.compile(r"(?<=-control)-\d+$")
_CALL = re.compile(r"Executing '(?:Functions\.)?(\w+)'")


class VerboseFunc(Func):
    """The Core Tools, telling of each call of a function."""

    def command(self, data: DataDirectory, addresses: Addresses) -> tuple[str, ...]:
        return (*super().command(data, addresses), "--verbose")


@dataclass(frozen=True)
class Cost:
    """What was asked of storage, and how often which function was called: orchestrators (`turns`) and activities."""

    requests: Counter[tuple[bool, str]]
    turns: Counter[str]
    activities: Counter[str]

    @property
    def engine(self) -> int:
        """Requests of the engine: its tables and queues."""
        return sum(count for (by_engine, _), count in self.requests.items() if by_engine)

    @property
    def app(self) -> int:
        """Requests of the app: its tables."""
        return self.requests.total() - self.engine

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.requests + other.requests, self.turns + other.turns, self.activities + other.activities
        )

    def __str__(self) -> str:
        totals = f"engine {self.engine}, app {self.app}, turns {self.turns.total()}"
        engine = _listed({what: count for (by_engine, what), count in self.requests.items() if by_engine})
        app = _listed({what: count for (by_engine, what), count in self.requests.items() if not by_engine})
        functions = _listed(self.turns + self.activities)
        return (
            f"{totals}, activities {self.activities.total()}\n"
            f"  engine: {engine}\n  app: {app}\n  functions: {functions}"
        )


def _listed(counts: Mapping[str, int]) -> str:
    """The most frequent first."""
    return ", ".join(f"{count} {what}" for what, count in Counter(counts).most_common()) or "nothing"


class Meter:
    """Measures what a host (`VerboseFunc`) does whose storage a recorder watches."""

    def __init__(self, host: Member, hub: HubStorage, recorder: Recorder) -> None:
        self._hub = hub
        self._recorder = recorder
        self._log = FunctionLog(host.command.log)

    def measure(self, step: Callable[[], object], settled: Callable[[], bool] = lambda: True) -> Cost:
        """Take a step, wait until it is `settled` and nothing happens any more, and give its cost."""
        self.rest()
        first = len(self._recorder.seen)
        self._log.read()
        step()
        assert within(PATIENCE, settled), "the step does not settle"
        self.rest()
        calls = self._log.read()
        requests = Counter(
            (each.by_engine, _described(each)) for each in self._recorder.seen[first:] if not each.idle
        )
        turns = {name: calls[name] for name in self._log.orchestrators & calls.keys()}
        activities = {name: calls[name] for name in self._log.activities & calls.keys()}
        return Cost(requests, Counter(turns), Counter(activities))

    def rest(self) -> None:
        """Wait until no message is being worked on, and no counted request has come for a while."""
        assert within(PATIENCE, self._nothing_happens), "requests do not end"

    def _nothing_happens(self) -> bool:
        before = self._counted()
        time.sleep(QUIET)
        return self._counted() == before and not self._hub.work_items() and not self._hub.visible()

    def _counted(self) -> int:
        return sum(not each.idle for each in self._recorder.seen)


def _described(request: StorageRequest) -> str:
    """What a request does, in words; all control queues are one."""
    return f"{request.kind} {_PARTITION.sub('', request.name)}"


class FunctionLog:
    """The host's log, read on from where it was read before."""

    def __init__(self, log: Path) -> None:
        self._log = log
        found = _FUNCTION.findall(log.read_text(errors="replace"))
        self.orchestrators = {name for name, kind in found if kind == "orchestration"}
        self.activities = {name for name, kind in found if kind == "activity"}
        self._read = log.stat().st_size

    def read(self) -> Counter[str]:
        """How often each function was called since the last time."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            text = log.read()
        self._read += len(text)
        return Counter(_CALL.findall(text.decode(errors="replace")))


def verbose(func: Func) -> VerboseFunc:
    """The same host, telling of each call."""
    return VerboseFunc(**vars(func))
