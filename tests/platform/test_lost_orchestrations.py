"""Whatever the engine loses, no deal waits for ever: sweeps find it, and it ends as if nothing had been lost."""

from collections.abc import Iterator, Sequence

import pytest

from localcloud.stack.hosts import Func
from localcloud.stack.stack import Stack
from tests.live import Service
from tests.platform.hub_storage import HubStorage, at_once
from tests.platform.lost_orchestrations import LOSSES, Engine
from tests.platform.waiting_deals import (
    ACCEPTED,
    EXPIRED,
    INVITED,
    MINUTE,
    Deals,
    Outcome,
    WaitingDeal,
    within,
)

SWEEPS = 5
"""After so many, a minute apart, each deal has ended: what a sweep had taken that was killed is due again after two
minutes."""

PATIENCE = 900
"""Seconds in which a test ends, on whatever machine."""
NEVER = "0 0 0 1 1 *"
"""Sweeps run on order only, so that it is known what has been done before them."""

ONE_ACTIVITY = "AzureFunctionsJobHost__extensions__durableTask__maxConcurrentActivityFunctions"
"""One at a time, so that calls wait in their queue."""


@pytest.fixture(scope="module")
def service(clocked_func: Func, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    data = tmp_path_factory.mktemp("losses") / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ONE_ACTIVITY, "1")
        patch.setenv("SWEEP_SCHEDULE", NEVER)
        with Stack(data, host=clocked_func, samples=True) as stack, Service(stack) as running:
            yield running


@pytest.fixture(scope="module")
def hub(service: Service) -> Iterator[HubStorage]:
    with HubStorage(service.stack.azurite.connection_string) as storage:
        yield storage


@pytest.fixture(scope="module")
def deals(service: Service, hub: HubStorage) -> Deals:
    return Deals(service, hub)


@pytest.fixture(scope="module")
def ends(service: Service, hub: HubStorage, deals: Deals) -> dict[str, tuple[Outcome, Outcome]]:
    """How two deals ended whose orchestrations were lost: one is accepted after it, the other one's time passes."""
    engine = Engine(service, hub)
    answered = deals.invite(*(f"Answered, {loss}" for loss in LOSSES))
    silent = deals.invite(*(f"Silent, {loss}" for loss in LOSSES))
    for some in (answered, silent):
        for lose, deal in zip(LOSSES.values(), some, strict=True):
            lose(engine, deal.instance_id)
    for deal in answered:
        deals.accept(deal)
    deals.sweep_each_minute(answered, SWEEPS)
    deals.jump(silent[-1].deadline)
    deals.sweep_each_minute(silent, SWEEPS)
    pairs = zip(answered, silent, strict=True)
    return {
        loss: (deals.outcome(one), deals.outcome(other))
        for loss, (one, other) in zip(LOSSES, pairs, strict=True)
    }


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("loss", LOSSES)
def test_an_answer_is_told_whatever_was_lost(ends: dict[str, tuple[Outcome, Outcome]], loss: str) -> None:
    assert_accepted(ends[loss][0])


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_deadline_comes_whatever_was_lost(ends: dict[str, tuple[Outcome, Outcome]], loss: str) -> None:
    assert_expired(ends[loss][1])


@pytest.mark.timeout(PATIENCE)
def test_deadlines_come_when_calls_were_lost(service: Service, hub: HubStorage, deals: Deals) -> None:
    engine = Engine(service, hub)
    silent = deals.invite(*(f"Lost call {number}" for number in range(6)))
    deals.jump(silent[-1].deadline)
    at_once(lambda deal: engine.ask(deal.instance_id, "raiseEvent/changed"), silent)
    assert within(60, lambda: len(waiting_for_a_call(hub, silent)) > 1, every=0)
    service.stack.host.kill()
    assert waiting_for_a_call(hub, silent), "no call was in the queue, so none is lost"
    hub.clear_work_items()
    service.stack.restart(service.stack.host)
    deals.sweep_each_minute(silent, SWEEPS)
    for deal in silent:
        assert_expired(deals.outcome(deal))


@pytest.mark.timeout(PATIENCE)
def test_deadlines_and_answers_come_when_all_messages_were_lost(
    service: Service, hub: HubStorage, deals: Deals
) -> None:
    silent, answered = deals.invite("Lost timer", "Lost event")
    deals.accept(answered)
    service.stack.host.kill()
    hub.clear_control_queues()
    hub.clear_work_items()
    service.stack.restart(service.stack.host)
    deals.sweep_each_minute([answered], SWEEPS)
    deals.jump(silent.deadline)
    deals.sweep_each_minute([silent], SWEEPS)
    assert_accepted(deals.outcome(answered))
    assert_expired(deals.outcome(silent))


@pytest.mark.timeout(PATIENCE)
def test_all_goes_on_by_itself_after_the_task_hub_was_deleted(
    service: Service, hub: HubStorage, deals: Deals
) -> None:
    silent, answered = deals.invite("No hub for the clock", "No hub for the answer")
    hub.drop()
    deals.accept(answered)
    service.stack.host.stop()
    service.stack.restart(service.stack.host)
    deals.sweep_each_minute([answered], SWEEPS)
    deals.jump(silent.deadline)
    deals.sweep_each_minute([silent], SWEEPS)
    assert_accepted(deals.outcome(answered))
    assert_expired(deals.outcome(silent))


@pytest.mark.timeout(PATIENCE)
def test_a_check_wakes_those_that_wait_and_ends_none(hub: HubStorage, deals: Deals) -> None:
    waits, lost = deals.invite("Waits", "Has no orchestration")
    before = hub.instance(waits.instance_id)
    hub.forget_instance(lost.instance_id)
    deals.check("--wake")
    assert before
    assert hub.instance(waits.instance_id) == before
    assert within(60, lambda: hub.rests(lost.instance_id))


def assert_accepted(outcome: Outcome) -> None:
    assert (outcome.state, outcome.ends, outcome.told) == ("Accepted", 1, {INVITED: 1, ACCEPTED: 1})


def assert_expired(outcome: Outcome) -> None:
    assert (outcome.state, outcome.ends, outcome.told) == ("Expired", 1, {INVITED: 1, EXPIRED: 1})
    assert outcome.late < 2 * SWEEPS * MINUTE


def waiting_for_a_call(hub: HubStorage, deals: Sequence[WaitingDeal]) -> set[str]:
    """The deals that have asked for an activity, by their histories, whose message nobody has taken yet."""
    called_for = hub.called_for()
    return {
        deal.name for deal in deals if deal.instance_id in called_for and hub.open_calls(deal.instance_id)
    }
