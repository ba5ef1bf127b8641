"""Event Grid's webhook over HTTP: its handshake, its secret, and reports of mails that did not arrive (M6)."""

from typing import Any

import pytest

from tests.live import REFERRALS, Service, deal, lead

PATH = "/v1.0/mail-events"
HANDSHAKE = {
    "id": "1",
    "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
    "data": {"validationCode": "code-1", "validationUrl": "https://example.com"},
}


def post(service: Service, events: Any, key: str | None = None, **options: Any) -> Any:
    key = service.stack.environment()["MAIL_EVENTS_KEY"] if key is None else key
    return service.http.post(f"{service.stack.url}{PATH}", params={"key": key}, json=events, **options)


def order(service: Service, mail: dict[str, Any], **body: Any) -> int:
    """Have the mail sink report of a mail, as the mail service would."""
    return service.http.post(
        f"{service.stack.controls}/admin/devhost/mail/{mail['id']}/reports", json=body
    ).status_code


def test_the_handshake_is_answered_with_its_code(service: Service) -> None:
    answer = post(service, [HANDSHAKE])
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": "code-1"})


@pytest.mark.parametrize("key", ["", "wrong", "clé"])
def test_without_the_secret_nothing_is_taken(service: Service, key: str) -> None:
    assert post(service, [HANDSHAKE], key).status_code == 401


@pytest.mark.parametrize(
    "events",
    [{}, "text", [1], [{"eventType": "x"}] * 1001, [{"data": {}}]],
    ids=["an object", "a text", "a number", "too many", "no type"],
)
def test_what_is_no_array_of_events_is_refused(service: Service, events: Any) -> None:
    assert post(service, events).status_code == 400


def test_events_of_other_types_and_unknown_mails_are_passed_by(service: Service) -> None:
    unknown = {
        "eventType": "Microsoft.Communication.EmailDeliveryReportReceived",
        "data": {"messageId": "unknown", "recipient": "a@example.com", "status": "Bounced"},
    }
    assert post(service, [{"eventType": "Something.Else", "data": 1}, unknown]).status_code == 200


def test_the_timeline_tells_a_person_why_a_mail_did_not_arrive(service: Service) -> None:
    """M6: once, however often it is reported."""
    made = service.rae.create(deal("Bounced invitation", "fabrikam"))
    service.advance("PT0S")
    (mail,) = (m for m in service.mails("Bounced invitation") if m["to"] == ["kim@fabrikam.com"])
    for _ in range(2):
        assert order(service, mail, status="Bounced", detail="550 mailbox unavailable") < 300
    own = service.kim.referral_in(made["engagementId"])
    entries = service.kim.get(f"{REFERRALS}/{own['id']}/timeline").json()["value"]
    (failed,) = (each for each in entries if each["kind"] == "mailFailed")
    assert failed["reason"] == "Bounced"
    assert failed["details"] == {
        "message": "invited",
        "to": "kim@fabrikam.com",
        "detail": "550 mailbox unavailable",
    }
    assert service.kim.read(own["id"])["eTag"] == own["eTag"]
    assert "mailFailed" not in service.rae.kinds(made["id"])


def test_a_customers_bounce_is_told_without_its_address(service: Service) -> None:
    own = service.web.submit(lead("Bounced customer", "litware"))["litware"]
    service.lou.act(own, "decline", {"reason": "RequirementNotMet"})
    service.advance("PT0S")
    (mail,) = (m for m in service.mails_to_readers_of(own) if m["to"] == ["cara@relecloud.com"])
    assert order(service, mail, status="Suppressed") < 300
    entries = service.lou.get(f"{REFERRALS}/{own}/timeline").json()["value"]
    assert entries[-1]["details"]["to"] == "customer"


def test_mails_about_one_referral_are_one_thread_for_its_readers(service: Service) -> None:
    """M: References are the same for all mails about the reader's own referral."""
    made = service.rae.create(deal("Threaded", "fabrikam"))
    own = service.kim.referral_in(made["engagementId"])["id"]
    service.kim.act(own, "accept")
    service.advance("PT0S")
    threads = {mail["to"][0]: mail["headers"]["References"] for mail in service.mails("Threaded")}
    assert threads["kim@fabrikam.com"] == f"<{own}@referrals.example>"
    assert threads["rae@contoso.com"] == f"<{made['id']}@referrals.example>"
