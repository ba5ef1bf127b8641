"""The process that runs the app's functions, and its death: its calls fail, and the host starts another."""

import os
import signal
import time
from pathlib import Path
from typing import Protocol

import httpx

from tests.background import Background
from tests.live import Service


class Worker(Protocol):
    """The worker of a running host."""

    def die(self) -> None:
        """End at once, with all calls in flight."""


class FuncWorker:
    """A child process of the Functions host. Another one takes its place within seconds."""

    def __init__(self, service: Service) -> None:
        self._host = service.stack.host

    def die(self) -> None:
        """See the protocol; where the last one has no successor yet, there is nobody to die."""
        for pid in _descendants(self._host.pid):
            if "--workerId" in _command_line(pid):
                os.kill(pid, signal.SIGKILL)


class DevhostWorker:
    """devhost runs the functions itself, and makes as if the process had died that does it elsewhere."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def die(self) -> None:
        """See the protocol."""
        answer = self._service.http.post(f"{self._service.stack.url}/admin/devhost/worker-died")
        assert answer.status_code == 200, answer.text


WORKERS: dict[str, type[FuncWorker | DevhostWorker]] = {"func": FuncWorker, "devhost": DevhostWorker}
"""By the name of the host."""


class Deaths(Background):
    """The worker dies again and again, each some seconds after it began to answer, as long as the context is open."""

    def __init__(self, service: Service, worker: Worker, lives: float) -> None:
        super().__init__()
        self._worker = worker
        self._lives = lives
        self._health = f"{service.stack.url}/healthz"
        self.count = 0

    def until(self, count: int, seconds: float) -> None:
        """Wait until it has died so often."""
        end = time.monotonic() + seconds
        while self.count < count and time.monotonic() < end:
            time.sleep(0.1)
        assert self.count >= count

    def go_on(self) -> None:
        with httpx.Client(timeout=60) as http:
            while not self.over.wait(self._lives):
                self._worker.die()
                self.count += 1
                while not self.over.wait(0.2) and not _answers(http, self._health):
                    pass


def _answers(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(url).status_code == 200
    except httpx.TransportError:
        return False


def _descendants(pid: int) -> list[int]:
    children = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
        except OSError:  # it has ended meanwhile
            continue
        parent = int(text.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(status.parent.name))
    found = list(children.get(pid, ()))
    for each in found:
        found += children.get(each, ())
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:  # it has ended meanwhile
        return ""
