"""While the mail service or storage is away or hangs, nothing is lost, and nobody's answer waits for mail (M6)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import pytest

from localcloud.stack.hosts import Host
from localcloud.stack.stack import Stack
from tests.live import REFERRALS, Service, deal, eventually


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, host: Host) -> Iterator[Service]:
    data = tmp_path_factory.mktemp("outages") / "data"
    with Stack(data, host=host, samples=True) as stack, Service(stack) as service:
        yield service


@pytest.fixture
def service(running: Service) -> Iterator[Service]:
    yield running
    running.http.delete(f"{running.stack.controls}/admin/devhost/mail/faults")


def script(service: Service, *faults: dict) -> None:
    answer = service.http.post(
        f"{service.stack.controls}/admin/devhost/mail/faults", json={"faults": list(faults)}
    )
    assert answer.status_code < 300, answer.text


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 429, "retryAfter": 30}, {"drop": "before"}, {"drop": "after"}]
)
def test_a_mail_that_is_not_taken_at_once_is_delayed_and_sent_once(service: Service, fault: dict) -> None:
    name = f"Outage {fault}"
    script(service, {**fault, "times": 2})
    made = service.rae.create(deal(name))
    for _ in range(4):
        service.advance("PT30M")
    assert service.told(name) == {("sam@microsoft.com", "Contoso invites you to the deal"): 1}
    assert service.rae.kinds(made["id"]) == ["created"]


def test_a_mail_outage_delays_neither_an_answer_nor_an_expiry(service: Service) -> None:
    made = service.rae.create(deal("Mail is away", "fabrikam"))
    service.advance("P13DT22H")
    before = service.told("Mail is away")
    script(service, {"status": 503})
    kim = service.kim
    assert kim.act(kim.referral_in(made["engagementId"])["id"], "accept").status_code == 200
    service.advance("PT2H")
    ends = {"contoso": "Accepted", "msft": "Expired", "fabrikam": "Accepted"}
    assert service.rae.parties(made["engagementId"]) == ends
    assert service.told("Mail is away") == before
    service.http.delete(f"{service.stack.controls}/admin/devhost/mail/faults")
    service.advance("PT2H")
    assert service.told("Mail is away") - before == {
        ("rae@contoso.com", "Fabrikam accepted your invitation to the deal"): 1,
        ("rae@contoso.com", "Microsoft did not answer your invitation to the deal"): 1,
    }


AWAY = {"status": 503, "retryAfter": 12 * 3600}
REFUSED = {"recipient": "nia@northwindtraders.com", "status": 400, "code": "InvalidRecipient"}


@pytest.mark.parametrize("fault", [AWAY, REFUSED], ids=["away", "refused"])
def test_an_expiry_that_no_mail_announced_says_so_once_the_mail_service_is_back(
    service: Service, fault: dict
) -> None:
    """M8: to the inviter, in the timeline and by mail, and not before it is known."""
    name = f"Nobody was told {fault['status']}"
    script(service, fault)
    made = service.rae.create(deal(name, "northwind", inviteContext={}))
    service.advance("P14D")
    assert service.rae.parties(made["engagementId"]) == {"contoso": "Accepted", "northwind": "Expired"}
    service.http.delete(f"{service.stack.controls}/admin/devhost/mail/faults")
    service.advance("P1D")
    untold = "Northwind Traders could not be told of your invitation to the deal"
    assert service.told(name) == {("rae@contoso.com", untold): 1}, "the only mail that was ever taken"
    entries = service.rae.get(f"{REFERRALS}/{made['id']}/timeline").json()["value"]
    (said,) = [entry for entry in entries if entry["kind"] == "neverNotified"]
    assert said["details"] == {"organizationId": "northwind", "organizationName": "Northwind Traders"}
    assert said["actor"] == {"organizationId": None, "name": None}


HANGING = 25
"""So many deals, with four mails each."""
BEFORE_THE_ANSWER = 5
"""Of them, so that the answer comes before its deadline on a slow machine too."""
ON_TIME = timedelta(seconds=120)
"""Five minutes, and the end of the worker, where calls to the mail service have no bounds."""


def test_a_hundred_mails_that_hang_delay_no_expiry_no_answer_and_no_news(service: Service) -> None:
    made = service.rae.create(deal("Unrelated", "fabrikam", "northwind"))
    service.advance("P13DT23H59M30S")
    kim, nia = service.kim, service.nia
    declined, silent = (person.referral_in(made["engagementId"]) for person in (kim, nia))
    with service.stack.localcloud.suspended():
        for number in range(HANGING):
            service.rae.create(deal(f"Hanging {number}.", "fabrikam", "northwind", "litware"))
            if number == BEFORE_THE_ANSWER:
                answer = kim.act(declined["id"], "decline", {"reason": "TimelineTooShort"})
                assert answer.status_code == 200, answer.text
        times_heard = partial(heard, service, made["id"])
        eventually(lambda: times_heard() >= 1, ON_TIME.total_seconds())
        eventually(lambda: times_heard() == 3, 2 * ON_TIME.total_seconds())
        expired = nia.read(silent["id"])
        assert expired["substatus"] == "Expired"
        deadline = datetime.fromisoformat(silent["expirationDateTime"])
        assert datetime.fromisoformat(expired["closedDateTime"]) - deadline < ON_TIME
    service.advance("PT2H")  # the gate may be closed for minutes, and a mail put off for longer
    for number in range(HANGING):
        told = service.told(f"Hanging {number}.")
        assert (len(told), set(told.values())) == (4, {1}), number


def heard(service: Service, referral_id: str) -> int:
    """Of how many parties the timeline tells."""
    return service.rae.kinds(referral_id).count("partyChanged")


def test_a_recipient_refused_for_good_is_told_in_the_timeline_and_stops_nothing(service: Service) -> None:
    script(service, {"recipient": "kim@fabrikam.com", "status": 400, "code": "InvalidRecipient", "times": 1})
    made = service.rae.create(deal("Refused", "fabrikam"))
    service.advance("PT0S")
    kim = service.kim
    own = kim.referral_in(made["engagementId"])
    assert kim.kinds(own["id"]) == ["received", "mailFailed"]
    assert own["eTag"] == '"1"'
    assert kim.act(own["id"], "accept", headers={"If-Match": '"1"'}).status_code == 200


def test_storage_that_hangs_is_told_by_healthz_in_time(service: Service) -> None:
    url = f"{service.stack.url}/healthz"
    assert eventually(lambda: service.http.get(url).status_code == 200)

    def silent() -> bool:
        answer = service.http.get(url, timeout=25)  # it takes two seconds; storage itself half a minute
        return answer.status_code == 503 and "not available" in answer.json()["reason"]

    with service.stack.azurite.suspended():
        assert eventually(silent)
    assert eventually(lambda: service.http.get(url).status_code == 200)


def test_without_storage_requests_are_refused_for_the_moment_and_work_again_after(service: Service) -> None:
    made = service.rae.create(deal("Storage is away"))
    azurite = service.stack.azurite
    azurite.stop()
    refused = service.rae.get(f"{REFERRALS}/{made['id']}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "serviceNotAvailable")
    assert int(refused.headers["Retry-After"]) > 0
    assert eventually(lambda: service.http.get(f"{service.stack.url}/healthz").status_code == 503)
    service.stack.restart(azurite)
    assert eventually(lambda: service.http.get(f"{service.stack.url}/healthz").status_code == 200)
    assert service.rae.get(f"{REFERRALS}/{made['id']}").json() == made
