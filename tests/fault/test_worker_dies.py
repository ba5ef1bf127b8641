"""The worker dies every few seconds while deadlines come and people answer: every deal ends right, and on time.

Each death fails the orchestrations whose calls were in flight; the host goes on and starts another worker.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from localcloud.stack.hosts import Host
from localcloud.stack.stack import Stack
from tests.fault.test_kill import arrived, insist
from tests.fault.workers import WORKERS, Deaths
from tests.live import REFERRALS, Service, eventually, invitation, private

DEALS = 30
WINDOW = "PT10M"
"""Long enough to invite everybody, on whatever machine."""
AHEAD = timedelta(seconds=10)
"""How long before the first deadline the worker begins to die."""
LIVES_SECONDS, DEATHS = 3, 6
SWEEPS = timedelta(minutes=2)
"""A sweep finds what died, and a second one what died while it was found."""
NO_WORKER = timedelta(minutes=2)
"""In which no sweep got through because the worker died. The orchestration's own timer comes after five."""
INVITED = ("kim@fabrikam.com", "Contoso에서 거래에 초대했습니다")
ACCEPTED = ("rae@contoso.com", "Fabrikam accepted your invitation to the deal")
EXPIRED = ("rae@contoso.com", "Fabrikam did not answer your invitation to the deal")


@pytest.fixture
def service(
    tmp_path_factory: pytest.TempPathFactory, host: Host, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    monkeypatch.setenv("SWEEP_SCHEDULE", "*/2 * * * * *")
    monkeypatch.setenv("REFERRAL_RESPONSE_WINDOW", WINDOW)
    data = tmp_path_factory.mktemp("worker-dies") / "data"
    with Stack(data, host=host, samples=True) as stack, Service(stack) as running:
        yield running


def invite(service: Service, name: str) -> dict[str, Any]:
    """A deal, and kim's invitation to it."""
    body = private(name, invitations=[invitation("fabrikam")])
    made = insist(lambda: service.rae.post(REFERRALS, body, headers={"Idempotency-Key": name})).json()
    own = arrived(service.kim, made["engagementId"])
    return insist(lambda: service.kim.get(f"{REFERRALS}/{own}")).json()


def accept(service: Service, own: dict[str, Any]) -> None:
    key = {"Idempotency-Key": f"accept {own['id']}"}
    answer = insist(lambda: service.kim.act(own["id"], "accept", headers=key))
    assert answer.status_code == 200, answer.text


def test_every_deal_ends_right_and_on_time_while_the_worker_dies(service: Service, host: Host) -> None:
    silent = [invite(service, f"Silent {number:02}") for number in range(DEALS // 2)]
    assert eventually(lambda: all(service.told(own["name"]) == {INVITED: 1} for own in silent))

    first, last = (moment(own["expirationDateTime"]) for own in (silent[0], silent[-1]))
    service.advance(f"PT{(first - AHEAD - now(service)).total_seconds():.3f}S")
    with Deaths(service, WORKERS[host.name](service), lives=LIVES_SECONDS) as deaths:
        answered = []
        for number in range(DEALS // 2):
            answered.append(invite(service, f"Answered {number:02}"))
            accept(service, answered[-1])
        deaths.until(DEATHS, seconds=240)
        assert eventually(lambda: now(service) > last, 240)
    for _ in range(int(SWEEPS / timedelta(minutes=1))):
        service.advance("PT1M")

    for own in silent:
        ended = service.kim.read(own["id"])
        assert (own["name"], ended["substatus"]) == (own["name"], "Expired")
        assert moment(ended["closedDateTime"]) - moment(own["expirationDateTime"]) < SWEEPS + NO_WORKER
        assert Counter(service.kim.kinds(own["id"]))["expired"] == 1
        assert service.told(own["name"]) == {INVITED: 1, EXPIRED: 1}
    for own in answered:
        assert (own["name"], service.kim.read(own["id"])["substatus"]) == (own["name"], "Accepted")
        assert Counter(service.kim.kinds(own["id"]))["accepted"] == 1
        told = service.told(own["name"])
        # Nobody is invited any more to what was accepted before the mail could be sent.
        assert told - Counter({INVITED: 1}) == {ACCEPTED: 1}


def now(service: Service) -> datetime:
    return moment(service.http.get(f"{service.stack.controls}/admin/devhost/clock").json()["now"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
