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


def logged(data: Path) -> str:
    """What the host has written into its log."""
    logs = [file for name in ("devhost", "func") if (file := data / "logs" / f"{name}.log").exists()]
    return "".join(file.read_text(encoding="utf-8", errors="replace") for file in logs)


def test_a_slot_on_productions_storage_is_not_ready_and_its_log_says_what_to_do(
    answers: Answers, tmp_path: Path
) -> None:
    in_production = answers(None)
    assert {path: status for path, (status, _) in in_production.items()} == {"/healthz": 200, REFERRALS: 401}
    for status, told in answers("staging").values():
        assert status == 503
        assert "The service is not set up correctly" in told
    reason = logged(tmp_path / "data")
    assert "This is the deployment slot staging" in reason
    assert "belongs to the slot Production" in reason
    assert "a storage account of its own" in reason
    assert answers("Production") == in_production


def test_an_app_whose_schedule_cannot_be_read_has_its_functions_and_logs_what_to_do(
    answers: Answers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SWEEP_SCHEDULE", "each minute")
    for status, told in answers(None).values():
        assert (status, "not set up correctly" in told) == (503, True)
    assert "Set SWEEP_SCHEDULE to" in logged(tmp_path / "data")


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
