"""A worker of the platform, driven as its host drives it: by messages, here as JSON lines."""

import json
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Self

Message = dict[str, Any]

_SESSION = Path(__file__).with_name("worker_session.py")
_ANSWER_TAKES = 60.0
_END_TAKES = 20.0


class Refused(Exception):
    """The runtime refuses the app; what it says."""


class Failed(Exception):
    """A function raised; what the runtime says of it."""


@dataclass(frozen=True)
class Platform:
    """Where the packages lie: the app's environment, and the folder of the runtime's own."""

    environment: Path
    runtime: Path

    def command(self) -> list[str]:
        return [str(self.environment / "bin" / "python"), "-s", str(_SESSION), str(self.runtime)]


@dataclass(frozen=True)
class Function:
    """A function as the runtime describes it to the host."""

    name: str
    id: str
    bindings: tuple[dict[str, Any], ...]

    @classmethod
    def told(cls, metadata: Message) -> "Function":
        return cls(
            metadata["name"],
            metadata["function_id"],
            tuple(json.loads(text) for text in metadata["raw_bindings"]),
        )

    @property
    def trigger(self) -> dict[str, Any]:
        (trigger,) = (each for each in self.bindings if each["type"].endswith("Trigger"))
        return trigger

    @property
    def clients(self) -> list[str]:
        return [each["name"] for each in self.bindings if each["type"] == "durableClient"]


def _require_success(answer: Message) -> None:
    """Raise Refused unless the runtime says that it did as it was asked."""
    result = answer["result"]
    if result["status"] != "Success":
        raise Refused(result.get("exception", {}).get("message", "no reason was given"))


class Worker:
    """A worker process with the app of `package`. One question at a time; each has an answer within a minute."""

    def __init__(
        self, platform: Platform, package: Path, settings: Mapping[str, str], log: Path, client: str = ""
    ) -> None:
        """`client` is the JSON that a durable client binding receives."""
        self._package = package
        self._client = client
        self._log = log
        self._ids = count(1)
        self._answers: Queue[str] = Queue()
        # This Python's own settings are not the worker's.
        environment = {name: value for name, value in settings.items() if not name.startswith("PYTHON")}
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                platform.command(),
                cwd=package,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_END_TAKES)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join(_END_TAKES)

    def index(self) -> dict[str, Function]:
        """Let the runtime read the app, and load each function. Raises Refused."""
        folder = {"function_app_directory": str(self._package)}
        started = self.ask("worker_init_request", host_version="4.0.0", **folder)
        _require_success(started)
        told = self.ask("functions_metadata_request", **folder)
        _require_success(told)
        self.functions = {each["name"]: Function.told(each) for each in told["function_metadata_results"]}
        for function in self.functions.values():
            _require_success(self.ask("function_load_request", function_id=function.id))
        return self.functions

    def invoke(self, name: str, trigger: Message, client: str | None = None) -> Message:
        """Call a function; what it returned, as a TypedData. `client` stands for the usual one. Raises Failed."""
        function = self.functions[name]
        inputs = [{"name": function.trigger["name"], "data": trigger}]
        inputs += [{"name": each, "data": {"string": client or self._client}} for each in function.clients]
        call = {"invocation_id": f"call-{next(self._ids)}", "function_id": function.id, "input_data": inputs}
        answer = self.ask("invocation_request", **call)
        if answer["result"]["status"] != "Success":
            raise Failed(answer["result"]["exception"]["message"])
        return answer.get("return_value", {})

    def ask(self, kind: str, **content: Any) -> Message:
        """Send a message of the host; the content of the answer."""
        assert self._process.stdin is not None
        request_id = str(next(self._ids))
        print(json.dumps({"request_id": request_id, kind: content}), file=self._process.stdin, flush=True)
        answer = self._next()
        assert answer.pop("request_id") == request_id
        ((_, told),) = answer.items()
        return told

    def _next(self) -> Message:
        try:
            line = self._answers.get(timeout=_ANSWER_TAKES)
        except Empty:
            raise AssertionError(f"The worker does not answer. It said:\n{self._said()}") from None
        assert line, f"The worker ended. It said:\n{self._said()}"
        return json.loads(line)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._answers.put(line)
        self._answers.put("")

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-4000:]
