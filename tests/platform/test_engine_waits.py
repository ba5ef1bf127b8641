"""What the real engine does with events and timers, and what each piece asks of storage, on an app of its own.

The app's orchestrations are built on this (docs/durable.md).
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from localcloud import PROJECT
from localcloud.stack.hosts import Func
from tests.live import eventually
from tests.platform.engine_costs import Cost, Meter, verbose
from tests.platform.engine_time import EngineTime
from tests.platform.hub_storage import HubStorage, Row
from tests.platform.storage_requests import RecordedStack, Recorder

APP = Path(__file__).with_name("waits_app.py")
FIVE_DAYS = 5 * 24 * 3600
HALF = timedelta(seconds=FIVE_DAYS / 2 + 1)
LONG = {"seconds": FIVE_DAYS, "slices": 4}


class Engine:
    """The engine with that app, its time, and a meter."""

    def __init__(self, stack: RecordedStack, hub: HubStorage, recorder: Recorder) -> None:
        self.stack = stack
        self.hub = hub
        self.time = EngineTime(stack)
        self.meter = Meter(stack.host, hub, recorder)
        self._numbers = count(1)
        self._url = f"{stack.url}/runtime/webhooks/durabletask"

    def start(self, name: str, given: object = None) -> str:
        """Start an instance; its id."""
        instance = f"{name}-{next(self._numbers)}"
        answer = httpx.post(f"{self._url}/orchestrators/{name}/{instance}", json=given or {})
        assert answer.status_code == 202, answer.text
        return instance

    def raise_event(self, instance: str, name: str = "ended") -> int:
        return httpx.post(f"{self._url}/instances/{instance}/raiseEvent/{name}", json={}).status_code

    def pass_slice(self) -> None:
        """Let the timers of a slice fire."""
        self.meter.rest()
        self.time.pass_by(timedelta(seconds=FIVE_DAYS + 1))

    @contextmanager
    def away(self) -> Iterator[None]:
        """Without the host meanwhile: it then reads at once what has come."""
        self.meter.rest()
        self.stack.host.stop()
        yield
        self.stack.restart(self.stack.host)

    def send(self, instance: str, event: Row, number: int, execution: str | None = None) -> None:
        """Put a message into an instance's queue, as a host that has sent so many."""
        self.hub.send(instance, _message(instance, execution, event, number))

    def started_and_raised(self, start: int, event: int) -> list[str]:
        """Instances whose start and an event after it are read together; the numbers are those of the messages."""
        instances = [f"together-{next(self._numbers)}" for _ in range(8)]
        with self.away():
            for instance in instances:
                execution = uuid4().hex
                self.hub.table("Instances").create_entity(_pending(instance, execution))
                self.send(instance, _started(instance, execution), start, execution)
                self.send(instance, raised(), event)
        return instances

    def end(self, instance: str) -> Any:
        """What an instance ends with, within seconds: long before its timer."""
        eventually(lambda: self.hub.status(instance) not in ("Running", "Pending"), 15)
        row = self.hub.instance(instance) or {}
        assert row["RuntimeStatus"] == "Completed", row
        return json.loads(row["Output"]) if row.get("Output") else None

    def events(self, instance: str) -> Counter[str]:
        """How many events and timers are in an instance's history, by kind."""
        return Counter(row.get("EventType", "") for row in self.hub.history(instance))


def raised() -> Row:
    """An event, as the engine sends it."""
    return {**_event("EventRaised", 15), "Name": "ended", "Input": '"null"'}


def _started(instance: str, execution: str) -> Row:
    return {
        **_event("ExecutionStarted", 0),
        "OrchestrationInstance": _addressee(instance, execution),
        "Name": "waits_in_slices",
        "Input": json.dumps(LONG),
        "Generation": 0,
    }


def _pending(instance: str, execution: str) -> Row:
    """The row that a call to start writes."""
    return {
        "PartitionKey": instance,
        "RowKey": "",
        "ExecutionId": execution,
        "Name": "waits_in_slices",
        "RuntimeStatus": "Pending",
        "CreatedTime": datetime.now(UTC),
        "Input": json.dumps(LONG),
        "Generation": 0,
    }


def _event(kind: str, number: int) -> Row:
    return {
        "$type": f"DurableTask.Core.History.{kind}Event",
        "EventType": number,
        "EventId": -1,
        "IsPlayed": False,
        "Timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }


def _addressee(instance: str, execution: str | None) -> Row:
    kind = "DurableTask.Core.OrchestrationInstance"
    return {"$type": kind, "InstanceId": instance, "ExecutionId": execution}


def _message(instance: str, execution: str | None, event: Row, number: int) -> Row:
    return {
        "$type": "DurableTask.AzureStorage.MessageData",
        "ActivityId": str(uuid4()),
        "TaskMessage": {
            "$type": "DurableTask.Core.TaskMessage",
            "Event": event,
            "SequenceNumber": 0,
            "OrchestrationInstance": _addressee(instance, execution),
            "OrchestrationExecutionContext": None,
        },
        "CompressedBlobName": None,
        "SequenceNumber": number,
        "Sender": {"InstanceId": "", "ExecutionId": ""},
        "SerializableTraceContext": None,
    }


@pytest.fixture(scope="module")
def engine(clocked_func: Func, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    app = tmp_path_factory.mktemp("app")
    shutil.copy(APP, app / "function_app.py")
    shutil.copy(PROJECT / "host.json", app)
    with Recorder() as recorder:
        host = replace(verbose(clocked_func), app=app)
        stack = RecordedStack(recorder, tmp_path_factory.mktemp("engine") / "data", host=host)
        with stack, HubStorage(stack.azurite.connection_string) as hub:
            yield Engine(stack, hub, recorder)


def test_an_event_ends_a_wait_at_once_and_once_in_whichever_slice(engine: Engine) -> None:
    waiting = {
        (number, event): engine.start("waits_in_slices", {**LONG, "work": number % 2 == 1})
        for number in range(LONG["slices"])
        for event in ("changed", "ended")
    }
    last = engine.start("waits_in_slices", LONG)
    for slices in range(LONG["slices"]):
        engine.meter.rest()
        for event in ("changed", "ended"):
            instance = waiting[slices, event]
            assert engine.raise_event(instance, event) == 202
            assert engine.end(instance) == {"slice": slices, "event": event}
            assert engine.events(instance)["TimerFired"] == slices
            assert engine.events(instance)["EventRaised"] == 1
        engine.pass_slice()
    assert engine.end(last) == {"slice": None}


def test_events_right_after_the_start_arrive(engine: Engine) -> None:
    started = []
    for _ in range(20):
        started.append(engine.start("waits_in_slices", LONG))
        assert engine.raise_event(started[-1]) == 202
    assert [engine.end(each) for each in started] == [{"slice": 0, "event": "ended"}] * 20


def test_an_event_that_is_read_together_with_the_timer_before_it_wins_the_next_slice(engine: Engine) -> None:
    waiting = [engine.start("waits_in_slices", {**LONG, "work": number % 2 == 1}) for number in range(8)]
    with engine.away():
        engine.pass_slice()
        for each in waiting:
            engine.send(each, raised(), number=1)
    assert [engine.end(each) for each in waiting] == [{"slice": 1, "event": "ended"}] * len(waiting)


def test_an_event_that_is_read_together_with_the_start_arrives(engine: Engine) -> None:
    waiting = engine.started_and_raised(start=1, event=2)
    assert [engine.end(each) for each in waiting] == [{"slice": 0, "event": "ended"}] * len(waiting)


def test_an_event_of_another_host_that_is_read_together_with_the_start_can_be_lost(engine: Engine) -> None:
    """The engine reads in order of the second of insertion, then of a number that each host counts by itself."""
    waiting = engine.started_and_raised(start=2, event=1)
    eventually(lambda: all(engine.hub.status(each) == "Running" for each in waiting))
    engine.meter.rest()
    assert [engine.events(each)["EventRaised"] for each in waiting] == [0] * len(waiting)
    for each in waiting:
        assert engine.raise_event(each) == 202
    assert [engine.end(each) for each in waiting] == [{"slice": 0, "event": "ended"}] * len(waiting)


PIECES = {
    "start, end": 9,
    "start, activity, end": 18,
    "start, wait for events and a timer": 10,
    "slice": 6,
    "event, end": 8,
    "event, activity, end": 17,
    "timer, end": 5,
    "event, activity, continue as new, wait": 18,
    "timer of an instance that has ended": 4,
    "timer of an execution that was continued as new, for a minute": 18,
}
"""Requests of tables and queues. A call to start takes 4, to raise an event 3, a turn 5, an activity 4, a timer 1."""


def test_what_the_pieces_ask_of_storage(engine: Engine) -> None:
    measure = engine.meter.measure
    instances: dict[str, str] = {}

    def start(name: str, **given: Any) -> None:
        instances[name] = engine.start(name, {**LONG, **given})

    def let_come_back() -> None:
        engine.time.pass_by(HALF)
        for _ in range(13):
            engine.meter.rest()
            engine.time.pass_by(timedelta(seconds=5))

    engine.pass_slice()  # of other tests there are timers left
    found: dict[str, Cost] = {}
    found["start, end"] = measure(lambda: start("ends_at_once"))
    found["start, activity, end"] = measure(lambda: start("works"))
    found["start, wait for events and a timer"] = measure(lambda: start("waits_in_slices"))
    found["slice"] = measure(engine.pass_slice)
    found["event, end"] = measure(lambda: engine.raise_event(instances["waits_in_slices"]))
    found["timer of an instance that has ended"] = measure(engine.pass_slice)
    start("waits_in_slices", work=True)
    found["event, activity, end"] = measure(lambda: engine.raise_event(instances["waits_in_slices"]))
    measure(engine.pass_slice)
    start("waits_in_slices", slices=1)
    found["timer, end"] = measure(engine.pass_slice)
    start("continues")
    engine.meter.rest()
    engine.time.pass_by(HALF)
    found["event, activity, continue as new, wait"] = measure(
        lambda: engine.raise_event(instances["continues"], "changed")
    )
    found["timer of an execution that was continued as new, for a minute"] = measure(let_come_back)
    assert {name: cost.engine for name, cost in found.items()} == PIECES, "\n".join(map(str, found.items()))
    assert all(cost.app == 0 for cost in found.values())
