"""The first deal from end to end over HTTP, with its mails (C1, C2, L1 to L9, M1 to M4, V1)."""

import pytest

from tests.live import REFERRALS, Service, deal


@pytest.fixture(scope="module")
def service(service_of_its_own: Service) -> Service:
    """Days pass here."""
    return service_of_its_own


def test_a_deal_runs_from_creation_over_answers_and_silence_to_won(service: Service, name: str) -> None:
    rae, sam, kim, nia = service.rae, service.sam, service.kim, service.nia
    made = rae.create(deal(name, "fabrikam", "northwind"))
    assert (made["status"], made["substatus"], made["salesStage"]) == ("Active", "Accepted", "Created")
    assert (made["dealType"], made["direction"], made["type"]) == ("CoSell", "Outgoing", "Shared")
    engagement = made["engagementId"]
    service.advance("PT0S")
    invited = {
        ("sam@microsoft.com", "Contoso invites you to the deal"): 1,
        ("kim@fabrikam.com", "Contoso에서 거래에 초대했습니다"): 1,
        ("nia@northwindtraders.com", "Contoso invites you to the deal"): 1,
    }
    assert service.told(name) == invited

    accepted = sam.act(sam.referral_in(engagement)["id"], "accept")
    assert (accepted.status_code, accepted.json()["salesStage"]) == (200, "Accepted")
    own = kim.referral_in(engagement)
    assert (own["status"], own["substatus"], own["details"]["dealValue"]) == ("New", "Pending", 40000)
    changed = kim.act(own["id"], "accept", {"dealValue": 45000, "notes": "Ours."}).json()
    assert (changed["details"]["dealValue"], changed["status"]) == (45000, "Active")

    service.advance("P14D")
    assert rae.parties(engagement) == {
        "contoso": "Accepted",
        "msft": "Accepted",
        "fabrikam": "Accepted",
        "northwind": "Expired",
    }
    won = rae.act(made["id"], "win", {"notes": "Signed."}).json()
    assert (won["status"], won["substatus"], won["salesStagePercentage"]) == ("Closed", "Won", 100)
    service.advance("PT0S")
    assert service.told(name) == invited | {
        ("rae@contoso.com", "Microsoft accepted your invitation to the deal"): 1,
        ("rae@contoso.com", "Fabrikam accepted your invitation to the deal"): 1,
        ("nia@northwindtraders.com", "Reminder: Contoso waits for your answer to the deal"): 1,
        ("nia@northwindtraders.com", "Last reminder: Contoso waits for your answer to the deal"): 1,
        ("rae@contoso.com", "Northwind Traders did not answer your invitation to the deal"): 1,
        ("rae@contoso.com", "Register your won deal for incentives"): 1,
        ("sam@microsoft.com", "Contoso won the deal"): 1,
        ("kim@fabrikam.com", "Contoso에서 거래를 수주했습니다"): 1,
    }
    assert rae.kinds(made["id"]) == ["created", *["partyChanged"] * 3, "won"]
    assert kim.kinds(own["id"]) == ["received", "accepted", "partyChanged"]
    assert nia.kinds(nia.referral_in(engagement)["id"]) == ["received", "expired"]


def test_no_mail_tells_what_an_organization_keeps_to_itself(service: Service, name: str) -> None:
    made = service.rae.create(deal(name, "fabrikam"))
    kim = service.kim
    private = {
        "externalReferenceId": "CRM-FABRIKAM-9",
        "campaignId": "CAMPAIGN-KR",
        "notes": "Kim's private notes.",
    }
    kim.act(kim.referral_in(made["engagementId"])["id"], "accept", private)
    service.rae.act(made["id"], "win", {"notes": "Rae's private notes."})
    service.advance("PT0S")
    mails = service.mails(name)
    assert len(mails) == 5
    for mail in mails:
        for secret in ("CRM-", "CAMPAIGN-", "private"):
            assert secret not in mail["text"] + mail["html"] + mail["subject"], (secret, mail["subject"])
        assert "/portal/referrals/" in mail["text"]


def test_each_party_sees_as_much_of_the_deal_as_it_takes_part_in(service: Service, name: str) -> None:
    """V1: the creator and who accepted see all; who has not answered the creator and itself; who declined itself."""
    made = service.rae.create(deal(name, "fabrikam", "northwind"))
    engagement, kim, nia = made["engagementId"], service.kim, service.nia
    assert kim.parties(engagement) == {"contoso": "Accepted", "fabrikam": "Pending"}
    nia.act(nia.referral_in(engagement)["id"], "decline", {"reason": "Other", "notes": "No people."})
    kim.act(kim.referral_in(engagement)["id"], "accept")
    assert nia.parties(engagement) == {"northwind": "Declined"}
    everybody = {"contoso": "Accepted", "msft": "Pending", "fabrikam": "Accepted", "northwind": "Declined"}
    assert kim.parties(engagement) == service.rae.parties(engagement) == everybody
    reasons = {
        person.organization: next(
            p["statusReason"]
            for p in person.get(f"/v1.0/engagements/{engagement}").json()["parties"]
            if p["organizationId"] == "northwind"
        )
        for person in (service.rae, kim)
    }
    assert reasons == {"contoso": "Other: No people.", "fabrikam": None}
    assert service.tom.get(f"/v1.0/engagements/{engagement}").status_code == 404
    service.advance("PT0S")
    declined = next(m for m in service.mails(name) if "declined" in m["subject"])
    assert "No people." in declined["text"]


def test_a_lost_deal_withdraws_what_nobody_answered(service: Service, name: str) -> None:
    """L8: all open invitations on Lost; who was invited is told, and can no longer answer."""
    made = service.rae.create(deal(name, "fabrikam"))
    service.advance("PT0S")
    service.rae.act(made["id"], "lose", {"reason": "ChoseAnotherVendor"})
    service.advance("PT0S")
    kim = service.kim
    own = kim.referral_in(made["engagementId"])
    assert (own["status"], own["substatus"], own["statusReason"]) == ("Closed", "Expired", "DealClosed")
    refused = kim.act(own["id"], "accept")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "terminalState")
    assert service.told(name) == {
        ("sam@microsoft.com", "Contoso invites you to the deal"): 1,
        ("kim@fabrikam.com", "Contoso에서 거래에 초대했습니다"): 1,
        ("sam@microsoft.com", "Contoso withdrew its invitation to the deal"): 1,
        ("kim@fabrikam.com", "Contoso에서 거래 초대를 철회했습니다"): 1,
    }


def test_microsofts_invitation_stays_answerable_after_won(service: Service, name: str) -> None:
    """L8: registration depends on Microsoft's answer, so Won leaves it open until its own expiry."""
    made = service.rae.create(deal(name, "fabrikam"))
    service.rae.act(made["id"], "win")
    service.advance("PT0S")
    sam = service.sam
    own = sam.referral_in(made["engagementId"])
    assert own["status"] == "New"
    assert sam.act(own["id"], "accept").status_code == 200
    assert service.kim.referral_in(made["engagementId"])["statusReason"] == "DealClosed"


def test_every_field_of_the_resource_is_always_present(service: Service, name: str) -> None:
    made = service.rae.create(deal(name))
    fetched = service.rae.get(f"{REFERRALS}/{made['id']}")
    assert fetched.json() == made
    assert fetched.headers["ETag"] == made["eTag"] == '"1"'
    assert (made["location"], made["mpnId"]) == ("contoso-seattle", "contoso-seattle")
    assert made["allowedActions"] == ["edit", "stage", "win", "lose", "invitePartner", "message"]
    assert {"favorite", "contactAlert", "registrations", "editableFields", "warnings", "campaignId"} <= set(
        made
    )


@pytest.mark.parametrize("header", ["Idempotency-Key", "client-request-id"])
def test_a_repeated_creation_makes_one_deal(service: Service, name: str, header: str) -> None:
    """C5: by key, or by request id together with its body."""
    body, headers = deal(name, "fabrikam"), {header: f"11111111-{name}"}
    first = service.rae.post(REFERRALS, body, headers=headers)
    again = service.rae.post(REFERRALS, body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert first.headers["Location"] == again.headers["Location"]
    other = service.rae.post(REFERRALS, {**body, "name": f"{name} two"}, headers=headers)
    if header == "Idempotency-Key":
        assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotencyConflict")
    else:
        assert other.json()["id"] != first.json()["id"]
    service.advance("PT0S")
    assert service.told(name)["kim@fabrikam.com", "Contoso에서 거래에 초대했습니다"] == (
        1 if header == "Idempotency-Key" else 2
    )
