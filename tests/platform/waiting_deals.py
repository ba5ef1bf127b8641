"""Deals whose invitations wait on the real engine, the sweeps that look after them, and how they have to end."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from localcloud import PROJECT
from tests.live import REFERRALS, Service, invitation, private
from tests.platform.engine_time import EngineTime
from tests.platform.hub_storage import HubStorage

MINUTE = timedelta(minutes=1)
INVITED = ("kim@fabrikam.com", "Contoso에서 거래에 초대했습니다")
REMINDED = ("kim@fabrikam.com", "알림: Contoso에서 거래에 대한 응답을 기다리고 있습니다")
REMINDED_LAST = ("kim@fabrikam.com", "마지막 알림: Contoso에서 거래에 대한 응답을 기다리고 있습니다")
ACCEPTED = ("rae@contoso.com", "Fabrikam accepted your invitation to the deal")
EXPIRED = ("rae@contoso.com", "Fabrikam did not answer your invitation to the deal")
NEWEST = f"{REFERRALS}?$top=100"
CALM_LOOKS = 5
_LOOK_EVERY = 0.2
_BETWEEN_SWEEPS, _PATIENCE = 6, 120
"""Seconds that a sweep is given to bring deals to their end, and the last one of several."""
_BOUNCING = 15
"""Seconds until a hub that gets no calm is taken for one whose messages bounce: of what was lost they always do."""


@dataclass(frozen=True)
class WaitingDeal:
    """rae's deal, and kim's invitation to it as it was read at first."""

    name: str
    deal: str
    own: dict[str, Any]

    @property
    def instance_id(self) -> str:
        """Of the orchestration that waits for kim's answer and for the deadline."""
        return str(self.own["id"])

    @property
    def deadline(self) -> datetime:
        return datetime.fromisoformat(self.own["expirationDateTime"])


@dataclass(frozen=True)
class Outcome:
    """How a deal is: kim's invitation, how often its timeline tells of an answer or of expiry, and who was told."""

    state: str
    ends: int
    told: Counter[tuple[str, str]]
    late: timedelta


class Deals:
    """Makes deals on a service and looks after them."""

    def __init__(self, service: Service, hub: HubStorage) -> None:
        self.service = service
        self._time = EngineTime(service.stack)
        self._hub = hub

    def invite(self, *names: str) -> list[WaitingDeal]:
        """Make deals, and return when their invitations wait."""
        made = [
            self.service.rae.create(private(name, invitations=[invitation("fabrikam")])) for name in names
        ]
        own = {each["engagementId"]: each for each in self.service.kim.get(NEWEST).json()["value"]}
        deals = [
            WaitingDeal(name, each["id"], own[each["engagementId"]])
            for name, each in zip(names, made, strict=True)
        ]
        assert within(120, lambda: all(self._waits(deal) for deal in deals))
        return deals

    def accept(self, deal: WaitingDeal) -> None:
        answer = self.service.kim.act(deal.instance_id, "accept")
        assert answer.status_code == 200, answer.text

    def outcome(self, deal: WaitingDeal) -> Outcome:
        now = self.service.kim.read(deal.instance_id)
        kinds = Counter(self.service.kim.kinds(deal.instance_id))
        closed = now["closedDateTime"]
        return Outcome(
            state=now["substatus"],
            ends=kinds["accepted"] + kinds["declined"] + kinds["expired"],
            told=self.service.told(deal.name),
            late=datetime.fromisoformat(closed) - deal.deadline if closed else timedelta(),
        )

    def is_over(self, deal: WaitingDeal) -> bool:
        """Whether both have been told of all that there is."""
        return self.service.told(deal.name).total() >= len({INVITED, EXPIRED})

    def _waits(self, deal: WaitingDeal) -> bool:
        """Whether kim has been invited, and the orchestration waits: whatever else is in the hub."""
        return self.service.told(deal.name) == {INVITED: 1} and self._hub.rests(deal.instance_id)

    def now(self) -> datetime:
        """The time of app and engine."""
        return self._time.now()

    def jump(self, to: datetime, patience: float = 60) -> None:
        """Let time go on to this moment at once, when no message is being worked on (or after so many seconds).

        A message whose time runs out under the work is taken twice, and its orchestration stands still: measured,
        for one to four minutes, until a sweep starts it anew.
        """
        calm(self._hub, patience)
        self._time.jump(to)

    def pass_by(self, duration: timedelta, patience: float = 60) -> None:
        """Let so much time pass at once; see `jump`."""
        self.jump(self.now() + duration, patience)

    def sweep(self) -> None:
        """Have the sweep run now."""
        sweep(self.service)

    def check(self, option: str) -> None:
        """What an operator does after a loss or a deployment: see `check`."""
        check(self.service, option)

    def sweep_each_minute(self, deals: Sequence[WaitingDeal], sweeps: int) -> None:
        """Sweep, and let a minute pass, until all deals are over: so often at most.

        Each sweep is given some seconds, the last one as many as a slow machine needs.
        """
        for number in range(sweeps):
            self.sweep()
            seconds = _PATIENCE if number == sweeps - 1 else _BETWEEN_SWEEPS
            if within(seconds, lambda: all(self.is_over(deal) for deal in deals)):
                return
            self.pass_by(MINUTE, _BOUNCING)


def sweep(service: Service) -> None:
    """Have the sweep of a service run now."""
    swept = service.http.post(f"{service.stack.url}/admin/functions/sweep_intents", json={"input": ""})
    assert swept.status_code == 202


def check(service: Service, option: str, patience: float = 300) -> None:
    """Run `dev.py check` with this option while sweeps run; it must succeed within so many seconds."""
    command = [sys.executable, "dev.py", "check", option, "--data", str(service.stack.data.path)]
    with subprocess.Popen(command, cwd=PROJECT) as process:
        end = time.monotonic() + patience
        while process.poll() is None and time.monotonic() < end:
            sweep(service)
            time.sleep(_BETWEEN_SWEEPS)
        try:
            assert process.wait(10) == 0
        finally:
            process.kill()


def calm(hub: HubStorage, seconds: float) -> bool:
    """Wait until five looks in a row find no message, and say whether they do; what bounces never lets them.

    One that an orchestration is working on is hidden like those of timers: looks must span such work.
    """
    looks = 0

    def is_calm() -> bool:
        nonlocal looks
        looks = 0 if hub.visible() or hub.work_items() else looks + 1
        return looks == CALM_LOOKS

    return within(seconds, is_calm)


def within(seconds: float, check: Callable[[], bool], every: float = _LOOK_EVERY) -> bool:
    """Ask until it is so; False if it is not so in time."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True
