"""What keeps a service in operation (docs/operations.md): slots share no storage, the task hub does not grow."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from localcloud.stack.hosts import Host
from localcloud.stack.stack import Stack
from tests.live import REFERRALS, Service, deal

SLOT = "WEBSITE_SLOT_NAME"


Answers = Callable[[str | None], dict[str, tuple[int, str]]]


@pytest.fixture
def answers(tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Starts the service in a slot, again and again on the same storage; what two of its addresses answer."""

    def start(slot: str | None) -> dict[str, tuple[int, str]]:
        monkeypatch.setenv(SLOT, slot) if slot else monkeypatch.delenv(SLOT, raising=False)
        with Stack(tmp_path / "data", host=host) as stack:
            got = {path: httpx.get(stack.url + path, timeout=60) for path in ("/healthz", REFERRALS)}
        return {path: (answer.status_code, answer.text) for path, answer in got.items()}

    return start


def test_a_slot_on_productions_storage_is_not_ready_and_says_what_to_do(answers: Answers) -> None:
    in_production = answers(None)
    assert {path: status for path, (status, _) in in_production.items()} == {"/healthz": 200, REFERRALS: 401}
    for status, told in answers("staging").values():
        assert status == 503
        assert "This is the deployment slot staging" in told
        assert "belongs to the slot Production" in told
        assert "a storage account of its own" in told
    assert answers("Production") == in_production


def test_a_schedule_that_cannot_be_read_is_told_by_an_app_that_has_its_functions(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEEP_SCHEDULE", "each minute")
    for status, told in answers(None).values():
        assert (status, "Set SWEEP_SCHEDULE to" in told) == (503, True)


def instance(service: Service, referral_id: str) -> int:
    """The status of the engine's answer about an instance: 202 running, 200 finished, 404 gone."""
    return service.http.get(
        f"{service.stack.url}/runtime/webhooks/durabletask/instances/{referral_id}"
    ).status_code


def test_finished_orchestrations_leave_the_engine_and_others_stay(
    service_of_its_own: Service, name: str
) -> None:
    service = service_of_its_own
    made = service.rae.create(deal(name, "fabrikam", "northwind"))
    declined = service.nia.referral_in(made["engagementId"])["id"]
    waiting = service.kim.referral_in(made["engagementId"])["id"]
    assert service.nia.act(declined, "decline", {"reason": "TimelineTooShort"}).status_code == 200
    service.advance("PT2H")
    assert (instance(service, declined), instance(service, waiting)) == (200, 202)
    service.advance("P1D")
    assert (instance(service, declined), instance(service, waiting)) == (404, 202)
    assert service.nia.read(declined)["status"] == "Closed"
