"""kill -9 of the host in every state of a review: it ends the same, no mail is missing or doubled (G5, G7, M6)."""

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from localcloud.stack.hosts import Host
from localcloud.stack.stack import Stack
from tests.doubles.registered_deal import DECISIONS, FORM
from tests.fault.test_kill import Killer, advance, insist
from tests.live import REFERRALS, Service, eventually, partner_led

SEED = 20261122
REVIEWERS, LEAD, PARTNER = "vera@microsoft.com, dee@microsoft.com", "vera@microsoft.com", "rae@contoso.com"
TOLD = Counter(
    {
        ("rae@contoso.com", "Register your won deal for incentives"): 1,
        ("rae@contoso.com", "Reminder: register your won deal for incentives"): 2,  # one record stays a draft
        (REVIEWERS, "Contoso submitted the registration of the deal for review"): 1,
        (LEAD, "Waiting for a decision: the registration of the deal by Contoso"): 1,
        (PARTNER, "Action required: the registration of the deal needs corrections"): 1,
        (PARTNER, "Reminder: the registration of the deal waits for your corrections"): 1,
        (REVIEWERS, "Contoso resubmitted the registration of the deal for review"): 1,
        (PARTNER, "The registration of the deal is approved"): 1,
    }
)
STATES = [
    *("drafted", "registered", "nearly escalated", "escalated", "sent back"),
    *("reminded", "kept", "corrected", "approved"),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, host: Host) -> Iterator[Service]:
    data = tmp_path_factory.mktemp("killed") / "data"
    with Stack(data, host=host, samples=True) as stack, Service(stack) as running:
        yield running


class Review:
    """One deal's way through a review; `reached` hears of each state as soon as it is answered."""

    def __init__(self, service: Service, name: str, reached: Callable[[str], None]) -> None:
        self._service = service
        self.name = name
        self._reached = reached

    def play(self) -> None:
        rae, name = self._service.rae, self.name
        key = {"Idempotency-Key": f"create {name}"}
        made = insist(lambda: rae.post(REFERRALS, partner_led(name), headers=key)).json()
        self.deal: str = made["id"]
        assert insist(lambda: rae.act(self.deal, "win", headers={"Idempotency-Key": name})).status_code == 200
        self._registers()
        self._reached("drafted")
        self._sends(contractType="New")
        self._reached("registered")
        advance(self._service, "P4D")
        self._reached("nearly escalated")
        advance(self._service, "P7D")  # five to nine working days in all, whatever day it is
        self._reached("escalated")
        self._decides("requestAction")
        self._reached("sent back")
        advance(self._service, "P31D")
        self._reached("reminded")
        self._sends(submit=False, contractType="Renewal")
        self._reached("kept")
        self._sends(contractType="Renewal")
        self._reached("corrected")
        advance(self._service, "PT1H")  # a decision that comes sooner makes the reviewers' mail pointless
        self._decides("approve")
        self._reached("approved")

    def _registers(self) -> None:
        rae, key = self._service.rae, {"Idempotency-Key": f"register {self.name}"}
        body = {**FORM, "solutionId": "SOL-CONTOSO-ERP", "submit": False}
        answer = insist(lambda: rae.act(self.deal, "registrations", body, headers=key))
        assert answer.status_code == 201, answer.text
        self.ids = {each["kind"]: each["id"] for each in answer.json()["value"]}
        self.id: str = self.ids["IpCoSell"]

    def _sends(self, **changes: Any) -> None:
        path = f"{REFERRALS}/{self.deal}/registrations/{self.id}"
        body = {**FORM, "solutionId": "SOL-CONTOSO-ERP", **changes}
        self._steps(lambda tag: self._service.rae.put(path, body, headers={"If-Match": tag}))

    def _decides(self, decision: str) -> None:
        path = f"/v1.0/registrations/{self.id}/review"
        self._steps(lambda tag: self._service.dee.post(path, DECISIONS[decision], headers={"If-Match": tag}))

    def _steps(self, step: Callable[[str], Any]) -> None:
        """A step of the version that is there now; if its answer was lost, it is found to have been taken."""
        tag = eventually(self._tag)
        assert insist(lambda: step(tag)).status_code in {200, 412}

    def _tag(self) -> str | None:
        """Of the record as it is now. If the host died when it made it, it is found once it has been filed."""
        answer = insist(lambda: self._service.rae.get(f"/v1.0/registrations/{self.id}"))
        assert answer.status_code in {200, 404}, answer.text
        return answer.json()["eTag"] if answer.status_code == 200 else None

    def check(self) -> None:
        """What is in the end, whoever was killed."""
        advance(self._service, "PT2H")
        dee, rae = self._service.dee, self._service.rae
        record = dee.get(f"/v1.0/registrations/{self.id}").json()
        assert (record["status"], record["contractType"]) == ("Approved", "Renewal")
        assert [each["decision"] for each in record["rounds"]] == ["requestAction", "approve"]
        own = {each["id"]: each["status"] for each in rae.read(self.deal)["registrations"]}
        assert own == {self.ids["IpCoSell"]: "Approved", self.ids["IsvConnect"]: "Draft"}
        queue = dee.get("/v1.0/registrations?status=Approved&$top=100").json()["value"]
        assert [each["status"] for each in queue if each["id"] == self.id] == ["Approved"]
        assert rae.kinds(self.deal) == ["created", "won", *["registrationChanged"] * 7]
        assert self._service.told(self.name) == TOLD


@pytest.mark.parametrize("state", STATES)
def test_a_review_ends_the_same_in_whatever_state_the_host_is_killed(service: Service, state: str) -> None:
    def kill(reached: str) -> None:
        if reached == state:
            service.stack.host.kill()
            service.stack.restart(service.stack.host)

    review = Review(service, f"Killed when {state}", kill)
    review.play()
    review.check()


@pytest.mark.parametrize("moment", range(3))
def test_a_review_ends_the_same_whenever_the_host_is_killed(service: Service, moment: int) -> None:
    with Killer(service, Random(SEED + moment)) as killer:
        review = Review(service, f"Killed at {moment}", lambda _: None)
        review.play()
    assert killer.kills == 3
    review.check()
