"""A deployment that changes a turn, and its rollback: with `dev.py check --restart` every deadline comes.

Instances that wait have a history of the version that began them. Another version takes it for non-deterministic, or
asks for an activity that is not there any more, as soon as an event or a timer arrives.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud.platform.package import build_package
from localcloud.process.ports import free_ports
from localcloud.stack.hosts import Func
from tests.live import Service, invitation, private
from tests.platform.waiting_deals import check

DEALS = 12
SIDE_BY_SIDE = 60.0
"""Seconds for which both versions run."""
TWO_SWEEPS = timedelta(minutes=2)
RENAMED_ACTIVITY = {
    "activities/observe.py": ("async def observe(", "async def look_at_referral("),
    "orchestrators/one_turn.py": ('activity: str = "observe"', 'activity: str = "look_at_referral"'),
}
RENAMED_ORCHESTRATOR = {
    "orchestrators/referral_lifecycle.py": ("def referral_lifecycle(", "def referral_life("),
    "shared/workflow/wake.py": (
        'LIFECYCLE, REVIEW = "referral_lifecycle"',
        'LIFECYCLE, REVIEW = "referral_life"',
    ),
}


def changed(folder: Path, changes: dict[str, tuple[str, str]]) -> Path:
    """The package with these replacements, each of which must apply."""
    build_package(folder)
    for name, (before, after) in changes.items():
        file = folder / name
        text = file.read_text()
        assert text.count(before) == 1, name
        file.write_text(text.replace(before, after))
    return folder


class Deployment:
    """A service, whose app is exchanged for other versions while its invitations wait."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stack = service.stack
        self._made = 0
        self.waiting: list[dict[str, Any]] = []

    def invite(self, count: int) -> None:
        """Make deals whose invitations nobody answers."""
        for _ in range(count):
            self._made += 1
            made = self._service.rae.create(
                private(f"Waiting {self._made}", invitations=[invitation("fabrikam")])
            )
            self.waiting.append(self._service.kim.referral_in(made["engagementId"]))
        self._service.advance("PT0S")

    def switch(self, to: Func, seconds: float, meanwhile: str = "PT0S") -> None:
        """Let another version run beside the present one for a while, in which time may pass, and then alone."""
        addresses = replace(self._stack.addresses, host=free_ports(1)[0])
        beside = self._stack.add_host(replace(to, node="beside"), addresses, "beside")
        time.sleep(seconds)
        self._service.advance(meanwhile)
        beside.stop()
        self._stack.host.stop()
        self._stack.host = self._stack.add_host(to)

    def come_to_deadlines_of(self, invitations: list[dict[str, Any]]) -> None:
        """Move the clock to right after the last of them: what comes later is late, not the clock's jump."""
        now = self._service.advance("PT0S")
        last = max(datetime.fromisoformat(own["expirationDateTime"]) for own in invitations)
        to_go = last - datetime.fromisoformat(now)
        self._service.advance(f"PT{max(to_go.total_seconds(), 0) + 1:.0f}S")

    def lateness(self, own: dict[str, Any]) -> timedelta:
        """By how much an expiry came after its deadline, by the clock that the deadline is told by."""
        now = self._service.kim.read(own["id"])
        assert now["substatus"] == "Expired", (own["name"], now["status"], now["substatus"])
        return datetime.fromisoformat(now["closedDateTime"]) - datetime.fromisoformat(
            own["expirationDateTime"]
        )


@pytest.mark.skipif("CI" in os.environ, reason="five minutes: run it before a turn is changed")
@pytest.mark.usefixtures("own_host_names")
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(RENAMED_ACTIVITY, id="renamed activity"),
        pytest.param(RENAMED_ORCHESTRATOR, id="renamed orchestrator"),
    ],
)
def test_every_deadline_comes_through_a_changed_deployment_and_its_rollback(
    clocked_func: Func,
    start: Callable[..., Service],
    tmp_path: Path,
    changes: dict[str, tuple[str, str]],
) -> None:
    new = replace(clocked_func, app=changed(tmp_path / "new", changes))
    service = start(clocked_func)
    deployment = Deployment(service)
    deployment.invite(DEALS // 2)
    service.advance("P7D")
    deployment.invite(DEALS // 2)
    first, second = deployment.waiting[: DEALS // 2], deployment.waiting[DEALS // 2 :]

    deployment.switch(new, SIDE_BY_SIDE, meanwhile="P7D")
    check(service, "--restart")
    assert max(deployment.lateness(own) for own in first) < TWO_SWEEPS

    deployment.switch(clocked_func, SIDE_BY_SIDE / 4)
    check(service, "--restart")
    deployment.come_to_deadlines_of(second)
    assert max(deployment.lateness(own) for own in second) < TWO_SWEEPS
