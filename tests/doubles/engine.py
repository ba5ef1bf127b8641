"""A durable engine in memory: it keeps books of instances, events and starts, and runs nothing by itself."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.errors import EngineUnavailable
from shared.workflow.restart import REASON
from shared.workflow.wake import LIFECYCLE
from tests.examples.referrals import NOW


@dataclass(eq=False)
class Instance:
    """What an engine knows of an instance. `ends_after` counts the looks until one that was told to end has ended."""

    id: str
    name: str
    argument: dict[str, str]
    last_turn_at: datetime | None = None
    finished: bool = False
    ends_after: int | None = None


@dataclass
class FakeEngine:
    """Implements `shared.workflow.wake.Orchestrations`. Who needs instances that do something overrides the hooks.

    An instance ends `takes` looks after it was told to, and starts can be refused for a while. `deaf` instances do
    not end; for those it is `away_for`, or if it is `away`, it fails. An event begins a turn at `now`.
    """

    now: datetime = NOW
    takes: int = 1
    refuses_starts: int = 0
    deaf: set[str] = field(default_factory=set)
    away: bool = False
    away_for: set[str] = field(default_factory=set)
    instances: dict[str, Instance] = field(default_factory=dict)
    events: list[tuple[str, str]] = field(default_factory=list)
    starts: list[tuple[str, str]] = field(default_factory=list)
    terminations: list[str] = field(default_factory=list)

    @property
    def running(self) -> set[str]:
        """The ids of the instances that have not ended."""
        return {each.id for each in self.instances.values() if not each.finished}

    @property
    def woken(self) -> list[str]:
        """To whom events were delivered, in order."""
        return [instance_id for instance_id, _ in self.events]

    def run(self, *ids: str) -> None:
        """Have instances that began a minute ago."""
        for each in ids:
            last_turn_at = self.now - timedelta(minutes=1)
            self.instances[each] = Instance(each, LIFECYCLE, {}, last_turn_at)

    async def raise_event(self, instance_id: str, event: str) -> bool:
        """See the port."""
        self._require_answer(instance_id)
        instance = self._running(instance_id)
        if instance is None:
            return False
        self.events.append((instance_id, event))
        await self.took(instance, event)
        return True

    async def start(self, name: str, instance_id: str, argument: dict[str, str]) -> bool:
        """See the port."""
        self._require_answer(instance_id)
        if self.refuses_starts:
            self.refuses_starts -= 1
            raise EngineUnavailable("not yet")
        if self._running(instance_id):
            return False
        self.starts.append((name, instance_id))
        self.instances[instance_id] = self.began(name, instance_id, argument)
        return True

    async def last_turn_at(self, instance_id: str) -> datetime | None:
        """See the port."""
        self._require_answer(instance_id)
        instance = self._running(instance_id)
        if instance is not None and instance.ends_after is not None:
            instance.ends_after -= 1
            instance.finished = instance.ends_after <= 0
        return instance.last_turn_at if instance and not instance.finished else None

    async def terminate(self, instance_id: str, reason: str) -> None:
        """See the port."""
        self._require_answer(instance_id)
        assert reason == REASON
        self.terminations.append(instance_id)
        instance = self._running(instance_id)
        if instance:
            self.told_to_end(instance)

    def began(self, name: str, instance_id: str, argument: dict[str, str]) -> Instance:
        """The instance that a start makes."""
        return Instance(instance_id, name, argument, self.now)

    async def took(self, instance: Instance, event: str) -> None:
        """What an instance does when it gets an event."""
        instance.last_turn_at = self.now

    def told_to_end(self, instance: Instance) -> None:
        """What becomes of an instance that is told to end: until then it takes events."""
        if instance.id not in self.deaf:
            instance.ends_after = self.takes

    def _running(self, instance_id: str) -> Instance | None:
        instance = self.instances.get(instance_id)
        return None if instance is None or instance.finished else instance

    def _require_answer(self, instance_id: str) -> None:
        if self.away or instance_id in self.away_for:
            raise EngineUnavailable("away")
