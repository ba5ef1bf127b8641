"""Many deadlines at one instant: none is lost, none is doubled, and nobody who acts meanwhile waits for all.

How fast it goes is printed (`-s`) and not asserted.
"""

import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.stack.hosts import Func
from localcloud.stack.stack import Stack
from tests.background import Background
from tests.live import Service, invitation, private
from tests.platform.clones import clone, template_of
from tests.platform.hub_storage import HubStorage
from tests.platform.waiting_deals import ACCEPTED, EXPIRED, INVITED, Deals, calm, within

N = int(os.environ.get("STORM_DEALS", "500"))
"""Of many more, the storage emulator is what is measured: it reads a whole table at each query. CI has fewer."""
PATIENCE = 600 + 2 * N
"""Seconds that each part of it may take on a slow machine; three deadlines a second came on two idle cores."""
MOST_REQUESTS = 30
"""Of storage, for one expiry."""
_UNNAMED = re.compile(r" ?“.*”")
_NAME = re.compile(r"“(.*)”")
_LOOK = re.compile(rb'"GET \S+/messages[? ]')


@pytest.fixture
def service(clocked_func: Func, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("REFERRAL_RESPONSE_WINDOW", "PT6H")  # too short for reminders
    stack = Stack(tmp_path / "data", host=clocked_func, samples=True, access_log=True)
    with stack, Service(stack) as running:
        yield running


class Post(Background):
    """Looks into the mail sink again and again: which mails came, and how many seconds after the start."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._url = f"{service.stack.controls}/admin/devhost/mail"
        self._last = service.http.get(self._url).json()["value"][-1]["id"]
        self._begun = time.monotonic()
        self.came: list[tuple[str, tuple[str, str], float]] = []

    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._begun

    def told(self, name: str) -> Counter[tuple[str, str]]:
        """How often who was told what of a deal since the start."""
        return Counter(what for of, what, _ in list(self.came) if of == name)

    def times(self, what: tuple[str, str]) -> list[float]:
        """When somebody was told so, of whatever deals."""
        return [at for _, told, at in list(self.came) if told == what]

    def wait(self, name: str, what: tuple[str, str]) -> float:
        """Wait until somebody was told so of a deal; the seconds since the start."""
        assert within(PATIENCE, lambda: bool(self.told(name)[what]))
        return next(at for of, told, at in list(self.came) if (of, told) == (name, what))

    def go_on(self) -> None:
        with httpx.Client(timeout=60) as http:
            while not self.over.wait(0.2):
                for mail in http.get(self._url, params={"after": self._last}).json()["value"]:
                    self._last = mail["id"]
                    self.came.append(_read(mail, self.seconds()))


def _read(mail: dict[str, Any], at: float) -> tuple[str, tuple[str, str], float]:
    name = _NAME.search(mail["subject"])
    assert name
    return name[1], (", ".join(mail["to"]), _UNNAMED.sub("", mail["subject"])), at


@dataclass(frozen=True)
class Figures:
    """What was measured, in seconds: of the storm since it began, of the others since their request was answered."""

    seeded: float
    first: float
    median: float
    last: float
    answer_told: float
    invitation_told: float
    requests_per_expiry: float


@pytest.mark.timeout(4 * PATIENCE)
def test_many_deadlines_at_one_instant_all_come_once_and_nobody_else_waits(service: Service) -> None:
    with HubStorage(service.stack.azurite.connection_string) as hub:
        figures = storm(service, hub)
    sys.stdout.write(f"{figures}\n")
    assert figures.requests_per_expiry < MOST_REQUESTS


def storm(service: Service, hub: HubStorage) -> Figures:
    """Let the deadline of `N` deals and their template come, do something else meanwhile, and check how it ends."""
    deals = Deals(service, hub)
    [template] = deals.invite("Tempest")
    deals.pass_by(timedelta(hours=1))
    [unrelated] = deals.invite("Unrelated")
    begun = time.monotonic()
    clones = clone(template_of(template, hub), N, hub, deals.now)
    seeded = time.monotonic() - begun
    names = [template.name, *(each.name for each in clones)]
    assert service.kim.read(clones[0].instance_id)["substatus"] == "Pending"

    requests = Requests(service)
    deals.jump(template.deadline)
    with Post(service) as post:
        assert within(PATIENCE, lambda: len(post.times(EXPIRED)) > N // 10), "the deadlines do not come"
        assert len(post.times(EXPIRED)) < N // 2, "too late to be in the middle of it"
        deals.accept(unrelated)
        accepted = post.seconds()
        service.rae.create(private("Made meanwhile", invitations=[invitation("fabrikam")]))
        made = post.seconds()
        heard, invited = post.wait("Unrelated", ACCEPTED), post.wait("Made meanwhile", INVITED)
        assert within(PATIENCE, lambda: len(post.times(EXPIRED)) > N), (
            f"{len(post.times(EXPIRED))} of {N + 1}"
        )
        spent = requests.count() / (N + 1)
        calm(hub, 60)
        assert all(post.told(name) == {EXPIRED: 1} for name in names)
    check(service, hub, [template.instance_id, *(each.instance_id for each in clones)])
    times = sorted(post.times(EXPIRED))
    assert max(heard, invited) < times[-1], "somebody waited behind the whole storm"
    told = heard - accepted, invited - made
    return Figures(seeded, times[0], times[N // 2], times[-1], *told, spent)


def check(service: Service, hub: HubStorage, ids: list[str]) -> None:
    """All of these have expired, once, and their orchestrations have ended well."""
    table = hub.account.get_table_client("referrals")
    rows = list(table.query_entities("PartitionKey eq 'fabrikam'", select=["RowKey", "json0"]))
    by_key = {row["RowKey"]: json.loads(row["json0"]) for row in rows if row["RowKey"][:2] in {"d:", "t:"}}
    states = Counter(by_key[f"d:{each}"]["substatus"] for each in ids)
    assert states == {"Expired": len(ids)}
    expiries = Counter(key.split(":")[1] for key, entry in by_key.items() if entry.get("kind") == "expired")
    assert expiries == dict.fromkeys(ids, 1)
    assert within(60, lambda: {hub.status(each) for each in ids} == {"Completed"}, every=5)
    assert service.kim.read(ids[0])["substatus"] == "Expired"


class Requests:
    """Counts the requests to storage from here on, by the emulator's log."""

    def __init__(self, service: Service) -> None:
        self._log = service.stack.data.log("azurite")
        self._begun = self._log.stat().st_size

    def count(self) -> int:
        """How many so far, without looks into queues: there are as many of these as it takes seconds."""
        with self._log.open("rb") as log:
            log.seek(self._begun)
            return sum(b' HTTP/1.1" ' in line and not _LOOK.search(line) for line in log)
