"""Deals that wait on the version before go on with this one, with neither a restart of them nor a change of theirs.

`recorded/waiting_deal.json` is one of them with all its rows and messages, as the version before left it in storage
(RECORD_WAITING_DEAL=1 records it anew, with the code that is here). Here it is copied, and the copies are answered,
reminded of and left to expire.

The deal was recorded in a year to come, and the test takes place there too: clocks only go forward.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from localcloud import PROJECT
from localcloud.stack.hosts import Func
from localcloud.stack.stack import Stack
from tests.live import Service
from tests.platform.clones import Clone, Template, clone, template_of
from tests.platform.engine_time import EngineTime
from tests.platform.hub_storage import HubStorage
from tests.platform.waiting_deals import ACCEPTED, EXPIRED, REMINDED, REMINDED_LAST, Deals, calm, within

RECORDED = Path(__file__).parent / "recorded" / "waiting_deal.json"
THEN = datetime(2030, 1, 1, tzinfo=UTC)
"""When the recorded deal was made."""
DEALS = 100
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
AFTER_TIMERS = timedelta(minutes=20)
"""After a moment, by when the timers of the orchestrations are due: they leave it to the sweep at first."""
SWEEPS, BETWEEN_SWEEPS = 20, 10
"""How many, and the seconds between them."""
NEVER = "0 0 0 1 1 *"
DECLINED = ("rae@contoso.com", "Fabrikam declined your invitation to the deal")


@pytest.fixture
def stack(clocked_func: Func, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A service in the year to come, which sweeps on order only. It does not run yet."""
    monkeypatch.setenv("SWEEP_SCHEDULE", NEVER)
    stack = Stack(tmp_path / "data", host=clocked_func, samples=True)
    EngineTime(stack).jump(THEN)
    return stack


@pytest.mark.skipif("RECORD_WAITING_DEAL" not in os.environ, reason="records only when asked to")
def test_record_a_waiting_deal(stack: Stack) -> None:
    with stack, Service(stack) as service, HubStorage(stack.azurite.connection_string) as hub:
        [waiting] = Deals(service, hub).invite("Recorded")
        template = template_of(waiting, hub)
    RECORDED.parent.mkdir(exist_ok=True)
    template.write(RECORDED)
    assert Template.read(RECORDED) == template


def migrate(stack: Stack, hub: HubStorage) -> str:
    """What an operator runs between the versions, while no host runs; gives what it says.

    The service has started once on this storage. The version before did not write the data's version.
    """
    hub.account.get_table_client("status").delete_entity("schema", "version")
    command = [sys.executable, "-m", "shared.admin.migrate", "--stopped"]
    return subprocess.run(
        command, cwd=PROJECT, env=stack.environment(), stdout=subprocess.PIPE, text=True, check=True
    ).stdout


class Upgraded:
    """The service on the storage of the version before, and the deals that wait there."""

    def __init__(self, service: Service, hub: HubStorage, waiting: Sequence[Clone]) -> None:
        self.hub = hub
        self.waiting = waiting
        self._service = service
        self._deals = Deals(service, hub)

    def answer(self, deals: Sequence[Clone], verb: str, body: object = None) -> None:
        """Have kim answer each of these."""
        for each in deals:
            answer = self._service.kim.act(each.instance_id, verb, body)
            assert answer.status_code == 200, answer.text

    def jump(self, to: datetime) -> None:
        """Go to this moment at once, and see what the engine's own timers do."""
        self._deals.jump(to)
        calm(self.hub, 60)
        self._none_failed()

    def until_told(self, deals: Sequence[Clone], mails: int) -> None:
        """Sweep once a minute until there are so many mails about each of these."""
        for _ in range(SWEEPS):
            if within(BETWEEN_SWEEPS, lambda: self._least_told(deals) >= mails, every=2):
                break
            self._none_failed()
            self._deals.sweep()
            self._deals.pass_by(MINUTE)
        self._none_failed()
        assert self._least_told(deals) == mails

    def check(self, deals: Sequence[Clone], state: str, kind: str, told: dict[tuple[str, str], int]) -> None:
        """Each of these has come to this end, once, and of nothing else has been told."""
        kim, mails = self._service.kim, self._service.told_by_deal()
        for each in deals:
            assert kim.read(each.instance_id)["substatus"] == state
            assert Counter(kim.kinds(each.instance_id)) == {"received": 1, kind: 1}
            assert mails[each.name] == told

    def _least_told(self, deals: Sequence[Clone]) -> int:
        told = self._service.told_by_deal()
        return min(told[each.name].total() if each.name in told else 0 for each in deals)

    def _none_failed(self) -> None:
        """Asked before each sweep, since that starts what has failed."""
        states = Counter(row["RuntimeStatus"] for row in self.hub.table("Instances").list_entities())
        assert set(states) <= {"Running", "Pending", "Completed"}, states


@pytest.fixture
def upgraded(stack: Stack) -> Iterator[Upgraded]:
    with stack, Service(stack) as service, HubStorage(stack.azurite.connection_string) as hub:
        time = EngineTime(stack)
        stack.host.stop()
        time.jump(THEN + MINUTE)
        waiting = clone(Template.read(RECORDED), DEALS, hub, time.now)
        assert f"{DEALS} mails of {DEALS} referrals" in migrate(stack, hub)
        stack.restart(stack.host)
        yield Upgraded(service, hub, waiting)


@pytest.mark.timeout(1800)
def test_deals_that_wait_on_the_version_before_go_on(upgraded: Upgraded) -> None:
    accepted, declined, silent = upgraded.waiting[:30], upgraded.waiting[30:60], upgraded.waiting[60:]
    upgraded.answer(accepted, "accept")
    upgraded.answer(declined, "decline", {"reason": "TimelineTooShort"})
    upgraded.until_told([*accepted, *declined], 1)
    for after, mails in ((DAY + AFTER_TIMERS, 1), (11 * DAY + MINUTE, 2), (14 * DAY + MINUTE, 3)):
        upgraded.jump(THEN + after)
        upgraded.until_told(silent, mails)
    upgraded.check(accepted, "Accepted", "accepted", {ACCEPTED: 1})
    upgraded.check(declined, "Declined", "declined", {DECLINED: 1})
    upgraded.check(silent, "Expired", "expired", {REMINDED: 1, REMINDED_LAST: 1, EXPIRED: 1})
    over = [each.instance_id for each in upgraded.waiting]
    assert within(60, lambda: {upgraded.hub.status(each) for each in over} == {"Completed"}, every=5)
