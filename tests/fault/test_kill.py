"""kill -9 at randomly chosen moments of the scenario: every deal goes on, no mail is missing, none is doubled.

Azurite keeps running where only the host is killed; it may lose its last five seconds when it is killed itself, so
killing everything waits for six quiet ones.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import isodate
import pytest

from localcloud.stack.hosts import Host
from localcloud.stack.stack import Stack
from tests.background import Background
from tests.live import REFERRALS, Person, Service, deal

SEED = 20261121
KILLS = 8
QUIET_SECONDS = 6
TRIES, BETWEEN_TRIES = 2400, 0.05
"""How often a client repeats, and after how many seconds: two minutes, which no start takes."""
TOLD = Counter(
    {
        ("sam@microsoft.com", "Contoso invites you to the deal"): 1,
        ("kim@fabrikam.com", "Contoso에서 거래에 초대했습니다"): 1,
        ("nia@northwindtraders.com", "Contoso invites you to the deal"): 1,
        ("rae@contoso.com", "Microsoft accepted your invitation to the deal"): 1,
        ("rae@contoso.com", "Fabrikam accepted your invitation to the deal"): 1,
        ("nia@northwindtraders.com", "Reminder: Contoso waits for your answer to the deal"): 1,
        ("nia@northwindtraders.com", "Last reminder: Contoso waits for your answer to the deal"): 1,
        ("rae@contoso.com", "Northwind Traders did not answer your invitation to the deal"): 1,
        ("rae@contoso.com", "Register your won deal for incentives"): 1,
        ("sam@microsoft.com", "Contoso won the deal"): 1,
        ("kim@fabrikam.com", "Contoso에서 거래를 수주했습니다"): 1,
    }
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, host: Host) -> Iterator[Service]:
    data = tmp_path_factory.mktemp("killed") / "data"
    with Stack(data, host=host, samples=True) as stack, Service(stack) as running:
        yield running


class Killer(Background):
    """Kills the host at moments of its choice while a scenario runs, and starts it again."""

    def __init__(self, service: Service, random: Random) -> None:
        super().__init__()
        self._stack = service.stack
        self._delays = [random.uniform(0.02, 0.6) for _ in range(3)]
        self.kills = 0

    def go_on(self) -> None:
        for delay in self._delays:
            self.over.wait(delay)
            self._stack.host.kill()
            self._stack.restart(self._stack.host)
            self.kills += 1


def insist(call: Callable[[], httpx.Response]) -> httpx.Response:
    """A client that repeats what was not answered, as connectors do; bounded."""
    for _ in range(TRIES):
        try:
            answer = call()
        except httpx.TransportError:
            time.sleep(BETWEEN_TRIES)
            continue
        if answer.status_code < 500:
            return answer
        time.sleep(BETWEEN_TRIES)
    pytest.fail("the service did not come back")


def play(service: Service, name: str) -> dict[str, Any]:
    """The scenario, insisting; gives the deal."""
    key = {"Idempotency-Key": f"create {name}"}
    body = deal(name, "fabrikam", "northwind")
    made = insist(lambda: service.rae.post(REFERRALS, body, headers=key)).json()
    for person in (service.sam, service.kim):
        own = arrived(person, made["engagementId"])
        accepted = insist(lambda p=person, o=own: p.act(o, "accept", headers={"Idempotency-Key": f"a {o}"}))
        assert accepted.status_code == 200, accepted.text
    advance(service, "P14D")
    won = insist(lambda: service.rae.act(made["id"], "win", headers={"Idempotency-Key": f"w {name}"}))
    assert won.status_code == 200, won.text
    return made


def arrived(person: Person, engagement: str) -> str:
    for _ in range(TRIES):
        page = insist(lambda: person.get(REFERRALS)).json()["value"]
        if found := [each["id"] for each in page if each["engagementId"] == engagement]:
            return found[0]
        time.sleep(BETWEEN_TRIES)
    pytest.fail("an invitation did not arrive")


def advance(service: Service, duration: str) -> None:
    """Move the clock to a fixed time, however often the host dies on the way."""
    url = f"{service.stack.controls}/admin/devhost/clock"
    now = insist(lambda: service.http.get(url)).json()["now"]
    target = datetime.fromisoformat(now) + isodate.parse_duration(duration)
    for _ in range(20):
        current = datetime.fromisoformat(insist(lambda: service.http.get(url)).json()["now"])
        to = max(target, current + timedelta(milliseconds=200)).isoformat().replace("+00:00", "Z")
        if insist(lambda: service.http.post(url, json={"to": to}, timeout=300)).status_code == 200:  # noqa: B023
            return
    pytest.fail("the clock could not be moved")


def check(service: Service, name: str, made: dict[str, Any]) -> None:
    advance(service, "PT1H")
    assert service.told(name) == TOLD
    assert service.rae.parties(made["engagementId"]) == {
        "contoso": "Won",
        "msft": "Accepted",
        "fabrikam": "Accepted",
        "northwind": "Expired",
    }
    assert sorted(service.rae.kinds(made["id"])) == ["created", *["partyChanged"] * 3, "won"]


@pytest.mark.parametrize("moment", range(KILLS))
def test_the_scenario_ends_the_same_whenever_the_host_is_killed(service: Service, moment: int) -> None:
    name = f"Killed {moment}"
    with Killer(service, Random(SEED + moment)) as killer:
        made = play(service, name)
    assert killer.kills == 3
    check(service, name, made)


def test_killing_everything_after_six_quiet_seconds_loses_nothing(tmp_path: Path, host: Host) -> None:
    data = tmp_path / "data"
    with Stack(data, host=host, samples=True) as stack, Service(stack) as service:
        made = service.rae.create(deal("Everything", "fabrikam", "northwind"))
        for person in (service.sam, service.kim):
            person.act(person.referral_in(made["engagementId"])["id"], "accept")
        advance(service, "P2D")
        time.sleep(QUIET_SECONDS)
        for member in reversed(stack.members):
            member.kill()
    with Stack(data, host=host, samples=True) as stack, Service(stack) as service:
        advance(service, "P12D")
        service.rae.act(made["id"], "win")
        check(service, "Everything", made)
