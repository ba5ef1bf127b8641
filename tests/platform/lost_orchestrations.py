"""Ways in which the engine loses an orchestration, or stops it, without anybody being told."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from tests.live import Service, eventually
from tests.platform.hub_storage import HubStorage


@dataclass(frozen=True)
class Engine:
    """The engine of a running service: its web hooks, by which operators reach it, and its storage."""

    service: Service
    hub: HubStorage

    def ask(self, instance_id: str, what: str) -> None:
        """Send a request about an instance to the web hooks, such as `suspend`."""
        url = f"{self.service.stack.url}/runtime/webhooks/durabletask/instances/{instance_id}/{what}"
        answer = self.service.http.post(url, json={}, params={"reason": "A test"})
        assert answer.status_code == 202, answer.text

    def until(self, instance_id: str, status: str) -> None:
        """Wait until an instance is so by its row."""
        eventually(lambda: self.hub.status(instance_id) == status, 60)


def without_history(engine: Engine, instance_id: str) -> None:
    engine.hub.forget_history(engine.hub.history(instance_id))


def without_start(engine: Engine, instance_id: str) -> None:
    rows = [row for row in engine.hub.history(instance_id) if row.get("EventType") == "ExecutionStarted"]
    assert len(rows) == 1
    engine.hub.forget_history(rows)


def never_begun(engine: Engine, instance_id: str) -> None:
    """As a start leaves it whose message was lost."""
    without_history(engine, instance_id)
    engine.hub.change_instance(instance_id, RuntimeStatus="Pending", ExecutionId=uuid4().hex)


def suspended(engine: Engine, instance_id: str) -> None:
    engine.ask(instance_id, "suspend")
    engine.until(instance_id, "Suspended")


def ended_and_running_by_its_row(engine: Engine, instance_id: str) -> None:
    engine.ask(instance_id, "terminate")
    engine.until(instance_id, "Terminated")
    engine.hub.change_instance(instance_id, RuntimeStatus="Running")


def not_there(engine: Engine, instance_id: str) -> None:
    engine.hub.forget_instance(instance_id)


def failed(engine: Engine, instance_id: str) -> None:
    """By a history that does not fit the code, which the engine finds when an event comes."""
    timers = [row for row in engine.hub.history(instance_id) if row.get("EventType") == "TimerCreated"]
    engine.hub.change_history(timers[0], EventType="TaskScheduled", Name="an_activity_of_another_version")
    engine.ask(instance_id, "raiseEvent/changed")
    engine.until(instance_id, "Failed")


LOSSES: dict[str, Callable[[Engine, str], None]] = {
    "without history": without_history,
    "without the first row of its history": without_start,
    "pending, its message lost": never_begun,
    "suspended": suspended,
    "ended, running by its row": ended_and_running_by_its_row,
    "not there": not_there,
    "failed": failed,
}
"""Each loss by its name, of an instance that waits."""
