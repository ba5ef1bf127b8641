"""The sweep: whose work is open is woken, at doubling intervals; what was never committed is forgotten."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.ids import OperationId
from shared.domain.referral import Party
from shared.errors import EngineUnavailable
from shared.protocol.sweep import LONGEST_HANDLER, WAKE_ONLY, Sweep
from shared.storage.intents import Intent, Intents
from shared.storage.memory_tables import MemoryTables
from shared.storage.referrals import Referrals
from shared.storage.registrations import Registrations
from tests.unit.examples import NOW, begun, referral


class Engine:
    """Remembers whom it woke; does not answer about those it is told to be unavailable for."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.away_for: set[str] = set()

    async def raise_event(self, instance_id: str, event: str) -> bool:
        if instance_id in self.away_for:
            raise EngineUnavailable("away")
        self.woken.append(instance_id)
        return True

    async def start(self, name: str, instance_id: str, argument: dict[str, str]) -> bool:
        raise AssertionError(name)

    async def is_running(self, instance_id: str) -> bool:
        raise AssertionError(instance_id)

    async def terminate(self, instance_id: str, reason: str) -> None:
        raise AssertionError(reason)


@pytest.fixture
def tables() -> MemoryTables:
    return MemoryTables()


@pytest.fixture
def sweep(tables: MemoryTables) -> Sweep:
    return Sweep(
        referrals=Referrals(tables),
        registrations=Registrations(tables),
        intents=Intents(tables),
        wall_clock=lambda: NOW,
    )


def intent(operation: str, party: Party, label: str = "000001") -> Intent:
    return Intent(operation_id=OperationId(operation), party=party, label=label, at=NOW)


async def left(sweep: Sweep) -> list[str]:
    return [each.operation_id async for each in sweep.intents.all()]


async def test_open_work_is_woken_at_doubling_intervals(sweep: Sweep) -> None:
    engine, record = Engine(), referral()
    await sweep.referrals.commit(begun(record), None)
    await sweep.intents.announce(intent("op", record.party))
    woken_at = [m for m in range(64) if await sweep.run(engine, NOW + timedelta(minutes=m))]
    assert woken_at == [0, 1, 3, 7, 15, 31, 63]
    assert await left(sweep) == ["op"]


@pytest.mark.parametrize(
    ("age", "kept"), [(LONGEST_HANDLER, True), (LONGEST_HANDLER + timedelta(seconds=1), False)]
)
async def test_an_intent_without_a_commit_is_kept_as_long_as_its_handler_can_live(
    sweep: Sweep, age: timedelta, kept: bool
) -> None:
    engine = Engine()
    await sweep.intents.announce(intent("op", referral().party))
    later = replace(sweep, wall_clock=lambda: NOW + age)
    await later.run(engine, NOW)
    assert (bool(await left(sweep)), engine.woken) == (kept, [])


async def test_a_domain_clock_that_is_moved_while_a_handler_is_at_work_forgets_no_intent(
    sweep: Sweep,
) -> None:
    """Fourteen days may pass between announcing a commit and making it."""
    await sweep.intents.announce(intent("op", referral().party))
    await sweep.run(Engine(), NOW + timedelta(days=14))
    assert await left(sweep) == ["op"]


async def test_an_attempt_that_lost_is_not_taken_for_the_one_that_won(sweep: Sweep) -> None:
    engine, record = Engine(), referral()
    await sweep.referrals.commit(begun(record), None)
    await sweep.intents.announce(intent("another", record.party))
    later = replace(sweep, wall_clock=lambda: NOW + timedelta(hours=1))
    await later.run(engine, NOW)
    assert (await left(sweep), engine.woken) == ([], [])


async def test_one_that_cannot_be_woken_does_not_keep_the_others_waiting(sweep: Sweep) -> None:
    engine = Engine()
    records = [referral(id=f"fabrikam-{index}") for index in range(3)]
    for index, record in enumerate(records):
        await sweep.intents.announce(intent(f"op-{index}", record.party, WAKE_ONLY))
    engine.away_for = {records[0].id}
    assert await sweep.run(engine, NOW) == 2
    assert await left(sweep) == ["op-0"]
