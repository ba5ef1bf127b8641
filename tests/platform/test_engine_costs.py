"""What each step of a deal asks of storage on the real engine, and how often it calls orchestrators and activities.

`MOST` has the bounds. Costs are printed with `-s`, and one that exceeds its bound in the failure.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from localcloud.stack.hosts import Func
from orchestrators.one_turn import LONGEST_TIMER
from tests.live import Service, deal, private, replacing
from tests.platform.clones import clone, template_of
from tests.platform.engine_costs import Cost, Meter, verbose
from tests.platform.hub_storage import HubStorage
from tests.platform.storage_requests import RecordedStack, Recorder
from tests.platform.waiting_deals import EXPIRED, Deals, WaitingDeal, within

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TWENTY_SECONDS = timedelta(seconds=20)
FEW, MANY = 10, 500
LOOKS = 30
"""How often an idle host reads its queues while it is watched."""
HEARTBEAT = (False, "update status")
"""A sweep tells once a minute that it has run, whatever it has done."""
NEVER = "0 0 0 1 1 *"


@dataclass(frozen=True)
class Bound:
    """The most that a step may cost, and what it is made of."""

    engine: int
    app: int
    turns: int
    activities: int
    why: str


MOST = {
    "deal": Bound(
        40,
        50,
        5,
        0,
        "two orchestrations: each is started, waits for its answer and ends with the event of it",
    ),
    "edit": Bound(0, 5, 0, 0, "one step without work, of which no orchestration is told"),
    "reminder": Bound(4, 12, 0, 0, "the sweep sends it, and asks the engine whether the orchestration runs"),
    "slice": Bound(8, 0, 1, 0, "a timer, and the turn that begins the next one"),
    "expiry": Bound(
        9, 15, 1, 0, "the sweep does all of it, and raises the event that ends the orchestration"
    ),
    "stale timer": Bound(4, 0, 0, 0, "the engine drops its message once it is due"),
}


class Costs(Deals):
    """A service that has just started, the deals on it, and a meter. Sweeps run on order only."""

    def __init__(self, service: Service, hub: HubStorage, recorder: Recorder) -> None:
        super().__init__(service, hub)
        self.hub = hub
        self.recorder = recorder
        self.meter = Meter(service.stack.host, hub, recorder)

    def waiting(self) -> WaitingDeal:
        """One deal whose invitation waits, at rest."""
        [waiting] = self.invite("Counted")
        self.meter.rest()
        return waiting

    def mails(self, waiting: WaitingDeal) -> int:
        """How many mails have been sent about a deal."""
        return self.service.told(waiting.name).total()

    def look_after(self, until: timedelta) -> None:
        """Let so much time pass, and have the sweep do what is due by then."""
        self.pass_by(until)
        self.sweep()
        self.meter.rest()

    def idle(self) -> None:
        """Have one sweep, and let the host read its queues many times."""
        self.sweep()
        end = len(self.recorder.seen) + LOOKS
        assert within(60, lambda: len(self.recorder.seen) > end)


@pytest.fixture
def costs(clocked_func: Func, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Costs]:
    monkeypatch.setenv("SWEEP_SCHEDULE", NEVER)
    with Recorder() as recorder:
        stack = RecordedStack(recorder, tmp_path / "data", host=verbose(clocked_func), samples=True)
        with stack, Service(stack) as service, HubStorage(stack.azurite.connection_string) as hub:
            service.rae.create(private("The first"))  # with it the app reads what it reads once
            yield Costs(service, hub, recorder)


def check(name: str, cost: Cost) -> None:
    """Print a cost, and fail if it exceeds its bound."""
    sys.stdout.write(f"\n{name}: {cost}\n")
    most = MOST[name]
    found = (cost.engine, cost.app, cost.turns.total(), cost.activities.total())
    bound = (most.engine, most.app, most.turns, most.activities)
    assert all(count <= limit for count, limit in zip(found, bound, strict=True)), f"{name}: {cost}\n{most}"


def test_a_deal_of_which_one_party_accepts_and_the_other_declines(costs: Costs) -> None:
    rae, kim, sam = costs.service.rae, costs.service.kim, costs.service.sam
    made = {}
    total = costs.meter.measure(lambda: made.update(rae.create(deal("Counted", "fabrikam"))))
    fabrikams, microsofts = (who.referral_in(made["engagementId"])["id"] for who in (kim, sam))
    total += costs.meter.measure(lambda: kim.act(fabrikams, "accept"))
    total += costs.meter.measure(lambda: sam.act(microsofts, "decline", {"reason": "TimelineTooShort"}))
    states = rae.parties(made["engagementId"])
    assert (states["fabrikam"], states["msft"]) == ("Accepted", "Declined")
    check("deal", total)


def test_an_edit(costs: Costs) -> None:
    waiting = costs.waiting()
    rae = costs.service.rae
    read = rae.read(waiting.deal)
    cost = costs.meter.measure(lambda: rae.patch(read, replacing("/name", "Renamed")))
    assert rae.read(waiting.deal)["name"] == "Renamed"
    check("edit", cost)


def test_a_reminder(costs: Costs) -> None:
    waiting = costs.waiting()
    costs.pass_by(DAY)
    cost = costs.meter.measure(costs.sweep, lambda: costs.mails(waiting) == len(("invited", "reminded")))
    check("reminder", cost)


def test_a_slice_of_a_timer_after_which_nothing_is_due(costs: Costs) -> None:
    waiting = costs.waiting()
    costs.look_after(DAY)
    mails = costs.mails(waiting)
    cost = costs.meter.measure(lambda: costs.pass_by(LONGEST_TIMER + HOUR))
    assert costs.mails(waiting) == mails
    check("slice", cost)


def test_an_expiry(costs: Costs) -> None:
    waiting = costs.waiting()
    for until in (DAY, LONGEST_TIMER, LONGEST_TIMER):  # no timer is left over from before
        costs.look_after(until + HOUR)
    costs.jump(waiting.deadline - HOUR)
    costs.look_after(HOUR / 2)
    assert costs.service.told(waiting.name)[EXPIRED] == 0
    costs.jump(waiting.deadline)
    cost = costs.meter.measure(costs.sweep, lambda: costs.service.told(waiting.name)[EXPIRED] == 1)
    assert costs.outcome(waiting).state == "Expired"
    check("expiry", cost)


def test_the_timer_that_an_answer_leaves_behind(costs: Costs) -> None:
    """It becomes due when nobody waits for it any more: more than a minute is watched, since it could come back."""
    costs.accept(costs.waiting())

    def let_it_come() -> None:
        costs.pass_by(LONGEST_TIMER + HOUR)
        for _ in range(4):
            costs.meter.rest()
            costs.pass_by(TWENTY_SECONDS)

    check("stale timer", costs.meter.measure(let_it_come))


def test_waiting_deals_cost_the_same_however_many(costs: Costs) -> None:
    image = template_of(costs.waiting(), costs.hub)
    clone(image, FEW, costs.hub, costs.now)
    few = costs.meter.measure(costs.idle)
    clone(image, MANY - FEW, costs.hub, costs.now, seed=2)
    many = costs.meter.measure(costs.idle)
    assert few.engine == many.engine == 0
    assert besides_heartbeat(few) == besides_heartbeat(many) != {}


def besides_heartbeat(cost: Cost) -> dict[tuple[bool, str], int]:
    """The requests of a cost but those that come once a minute."""
    return {what: count for what, count in cost.requests.items() if what != HEARTBEAT}
