"""Requests for information over HTTP: who gets them, how they are answered, and who is told (rules R, M)."""

import re
from typing import Any

import pytest

from tests.live import (
    CARA,
    ESTIMATE,
    LEADS,
    MICROSOFT,
    REFERRALS,
    Service,
    deal,
    invitation,
    lead,
    private,
    replacing,
)

NOT_WANTED = {"reason": "RequirementNotMet", "notes": "Our private reason."}
SOLUTION = {"requirements": {"solutions": [{"id": "SOL-CONTOSO-ERP"}]}}
RAE = {"firstName": "Rae", "lastName": "L", "phoneNumber": "+1 206 555 0102", "email": "rae@contoso.com"}


def recipients_of(service: Service, body: dict[str, Any]) -> dict[str, str]:
    """What became of a request for each company: `delivered`, or the reason."""
    answer = service.web.post(LEADS, body)
    assert answer.status_code == 201, answer.text
    return {
        each["organizationId"]: "delivered" if each["delivered"] else each["reason"]
        for each in answer.json()["recipients"]
    }


def faults(answer: Any) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {each["target"]: each["code"] for each in answer.json()["error"]["details"]}


def test_a_request_reaches_each_company_as_a_lead_of_its_own(service: Service) -> None:
    """R2: its own engagement, and nothing of the others."""
    leads = service.web.submit(lead("Lead to two", "contoso", "litware"))
    rae, lou = service.rae.read(leads["contoso"]), service.lou.read(leads["litware"])
    assert rae["engagementId"] != lou["engagementId"]
    assert "litware" not in str(rae).lower()
    for each, place in ((rae, "contoso-seattle"), (lou, "litware-chicago")):
        assert (each["dealType"], each["qualification"], each["direction"]) == ("Lead", "Direct", "Incoming")
        assert (each["status"], each["substatus"], each["location"]) == ("New", "Pending", place)
        assert each["salesStage"] is None
        assert each["team"] == []
        details = each["details"]
        assert (details["dealValue"], details["currency"], details["closingDateTime"]) == (None, None, None)
        assert each["customerProfile"]["team"][0]["email"] == CARA["email"]
        assert each["inviteContext"]["notes"] == "We need help with our plant."
        assert details["notes"] is None
        assert each["allowedActions"] == ["accept", "decline"]
    assert service.lou.get(f"{REFERRALS}/{leads['contoso']}").status_code == 404
    view = service.rae.get(f"/v1.0/engagements/{rae['engagementId']}").json()
    assert [(p["organizationId"], p["role"]) for p in view["parties"]] == [("contoso", "invited")]


def test_each_company_is_told_whether_it_was_delivered_and_why_not(service: Service) -> None:
    """R2, R6: an active profile in the customer's country, and a size that is wanted."""
    body = lead("Lead to many", "contoso", "litware", "fabrikam", "nobody", "msft", "contoso:contoso-mars")
    body["customerProfile"]["size"] = "1to9employees"
    answer = service.web.post(LEADS, body).json()
    assert [each["reason"] for each in answer["recipients"]] == [
        None,
        "customerSizeNotWanted",
        "noActiveProfile",
        "unknownRecipient",
        "unknownRecipient",
        "unknownRecipient",
    ]
    assert [each["delivered"] for each in answer["recipients"]] == [True, *[False] * 5]


def test_one_company_can_be_addressed_at_several_locations(service: Service) -> None:
    """R2, R3: each a lead of its own, for those of its place."""
    body = lead("Lead to two places", "contoso", "contoso:contoso-munich")
    ids = [each["referralId"] for each in service.web.post(LEADS, body).json()["recipients"]]
    assert [service.rae.read(each)["location"] for each in ids] == ["contoso-seattle", "contoso-munich"]
    assert [service.mia.get(f"{REFERRALS}/{each}").status_code for each in ids] == [404, 200]


def test_nobody_deliverable_is_still_an_answer(service: Service) -> None:
    assert recipients_of(service, lead("Lead to nobody", "nobody")) == {"nobody": "unknownRecipient"}


def test_a_profile_that_is_not_active_gets_no_leads(service_of_its_own: Service) -> None:
    """R6, P1."""
    service, path = service_of_its_own, "/v1.0/organizations/litware/profiles/US"
    found = service.lou.get(path)
    off = {**found.json(), "active": False}
    assert service.lou.put(path, off, headers={"If-Match": found.headers["ETag"]}).status_code == 200
    assert recipients_of(service, lead("Lead asleep", "litware")) == {"litware": "noActiveProfile"}
    on = {**off, "active": True}
    assert service.lou.put(path, on, headers={"If-Match": '"2"'}).status_code == 200
    assert recipients_of(service, lead("Lead awake", "litware")) == {"litware": "delivered"}


@pytest.mark.parametrize("who", ["ana", "rae", "sam", "ops", "dee", "ulf"])
def test_only_an_application_submits_leads(service: Service, who: str) -> None:
    """V6."""
    assert getattr(service, who).post(LEADS, lead("Lead of somebody", "litware")).status_code == 403


def test_an_application_sees_no_referral(service: Service) -> None:
    """V6."""
    leads = service.web.submit(lead("Lead unseen", "litware"))
    assert service.web.get(REFERRALS).status_code == 403
    assert service.web.get(f"{REFERRALS}/{leads['litware']}").status_code == 404


def test_a_request_hears_of_all_its_faults_at_once(service: Service) -> None:
    body = lead("", "contoso", "contoso", details={"requirements": {"solutions": [{"id": "X"}]}}, more=1)
    body["consent"] = {}
    body["customerProfile"] |= {"size": "huge", "team": [{"firstName": "Cara"}], "address": {"country": "ZZ"}}
    body["alternatives"] = 11
    assert faults(service.web.post(LEADS, body)) == {
        "/name": "required",
        "/more": "unknownField",
        "/consent/consentToToShareInfoWithOthers": "required",
        "/customerProfile/size": "invalidValue",
        "/customerProfile/address/country": "notInCatalogue",
        "/customerProfile/team/0/lastName": "required",
        "/customerProfile/team/0/email": "required",
        "/details/requirements/solutions/0/id": "notInCatalogue",
        "/alternatives": "outOfRange",
        "/recipients/1": "notAllowed",
    }
    assert faults(service.web.post(LEADS, {})).keys() >= {
        "/name", "/customerProfile/name", "/customerProfile/size", "/customerProfile/team", "/recipients",
    }  # fmt: skip
    too_many = lead("Lead", *(f"company-{number}" for number in range(51)))
    assert faults(service.web.post(LEADS, too_many)) == {"/recipients": "tooLong"}


def test_a_repeated_request_makes_no_second_lead(service: Service) -> None:
    """C5: the same key and body answer as the first did; another body is a conflict."""
    body, key = lead("Lead again", "contoso", "nobody"), {"Idempotency-Key": "lead-again"}
    first, second = (service.web.post(LEADS, body, headers=key).json() for _ in range(2))
    assert first == second
    assert service.web.post(LEADS, lead("Other", "contoso"), headers=key).status_code == 409
    named = service.rae.get(REFERRALS, params={"$filter": "dealType eq 'Lead'"}).json()["value"]
    assert [each["name"] for each in named].count("Lead again") == 1


def test_a_lead_is_accepted_with_an_estimate_and_worked_on_like_any_referral(service: Service) -> None:
    """R4, L2: only the name is pre-filled."""
    own = service.web.submit(lead("Lead accepted", "contoso"))["contoso"]
    missing = faults(service.rae.act(own, "accept"))
    assert missing == dict.fromkeys(("/dealValue", "/currency", "/closingDateTime"), "required")
    body = {**ESTIMATE, "notes": "Call on Monday.", "externalReferenceId": "CRM-3", "team": [RAE]}
    accepted = service.rae.act(own, "accept", body).json()
    assert (accepted["substatus"], accepted["salesStage"], accepted["name"]) == (
        "Accepted",
        "Accepted",
        "Lead accepted",
    )
    assert accepted["details"]["dealValue"] == 30000
    assert accepted["inviteContext"]["notes"] == "We need help with our plant."
    assert accepted["allowedActions"] == ["edit", "stage", "win", "lose", "message", "convert"]
    edited = service.rae.patch(accepted, replacing("/team", [RAE, {**RAE, "email": "ulf@contoso.com"}]))
    assert [each["email"] for each in edited.json()["team"]] == ["rae@contoso.com", "ulf@contoso.com"]
    assert service.rae.act(own, "stage", {"stage": "Proposed"}).json()["salesStagePercentage"] == 60
    assert service.rae.act(own, "win").json()["dealType"] == "Lead"
    assert service.rae.kinds(own) == ["received", "accepted", "edited", "stageChanged", "won"]


def test_nobody_is_invited_into_a_lead(service: Service) -> None:
    """R1: a lead is not a co-sell deal."""
    own = service.web.submit(lead("Lead alone", "contoso"))["contoso"]
    service.rae.act(own, "accept", ESTIMATE)
    for entry in (MICROSOFT, invitation("fabrikam")):
        assert service.rae.invite(own, entry).json()["error"]["code"] == "notAllowed"


def test_tabs_part_leads_from_deals_and_marketplace_from_qualified(service_of_its_own: Service) -> None:
    """N1, R1."""
    service = service_of_its_own
    direct = service.web.submit(lead("Tab direct", "contoso"))["contoso"]
    qualified = [
        service.web.submit(lead(f"Tab {kind}", "contoso", qualification=kind))["contoso"]
        for kind in ("MarketingQualified", "SalesQualified")
    ]
    outbound = service.rae.create(private("Tab outbound"))["id"]
    inbound = service.kim.create(
        private("Tab inbound", location="fabrikam-seoul", invitations=[invitation("contoso")])
    )["engagementId"]
    inbound = service.rae.referral_in(inbound)["id"]
    service.rae.put(f"{REFERRALS}/{direct}/favorite")
    tabs = {
        "dealType eq 'Lead' and qualification eq 'Direct'": {direct},
        "dealType eq 'Lead' and qualification ne 'Direct'": set(qualified),
        "direction eq 'Incoming' and dealType ne 'Lead'": {inbound},
        "direction eq 'Outgoing'": {outbound},
        "direction eq 'Incoming'": {direct, inbound, *qualified},
        "dealType eq 'Lead' and favorite eq true": {direct},
        "status eq 'New'": {direct, inbound, *qualified},
        "dealType eq 'Lead' and status eq 'New'": {direct, *qualified},
        "qualification in ('Direct','SalesQualified') and dealType eq 'Lead'": {direct, qualified[1]},
    }
    for text, expected in tabs.items():
        found = service.rae.get(REFERRALS, params={"$filter": text}).json()["value"]
        assert {each["id"] for each in found} == expected, text


def test_a_company_is_told_of_a_request_and_its_customer_of_a_decline(service_of_its_own: Service) -> None:
    """R3, R4, M1, M2, M7: the customer is offered others, and reads nothing private."""
    service = service_of_its_own
    own = service.web.submit(lead("Plant help", "contoso"))["contoso"]
    service.advance("PT0S")
    (told,) = service.mails("Plant help")
    assert told["to"] == ["rae@contoso.com"]
    assert "cara@relecloud.com" in told["text"]
    assert service.rae.act(own, "decline", NOT_WANTED).status_code == 200
    service.advance("PT0S")
    _, customers = service.mails_to_readers_of(own)
    assert customers["to"] == ["cara@relecloud.com"]
    assert "choose a different partner" in customers["text"]
    assert "Litware" in customers["text"]
    for secret in (
        "Our private reason",
        "RequirementNotMet",
        "requirement cannot",
        "/referrals/",
        "Plant help",
    ):
        assert secret not in customers["subject"] + customers["text"] + customers["html"]
    assert service.rae.read(own)["customerProfile"]["team"] == []


def test_a_customer_chooses_another_company_by_the_link_of_the_mail(service_of_its_own: Service) -> None:
    """R8: without signing in, once, and nothing that is logged has the secret."""
    service = service_of_its_own
    own = service.web.submit(lead("Press help", "contoso"))["contoso"]
    assert service.rae.act(own, "decline", NOT_WANTED).status_code == 200
    service.advance("PT0S")
    mail = service.mails_to_readers_of(own)[-1]
    (secret,) = set(re.findall(r"/choices/([\w-]{43})", mail["text"] + mail["html"]))
    url = f"{service.stack.url}/v1.0/choices/{secret}"
    offered = service.http.get(url)
    assert (offered.status_code, offered.headers["Referrer-Policy"]) == (200, "no-referrer")
    assert offered.headers["Cache-Control"] == "no-store"
    first = offered.json()["alternatives"][0]
    assert set(first) == {"organizationId", "name", "industries", "products", "services", "explanation"}
    chosen = service.http.post(url, json={"organizationId": first["organizationId"]})
    assert (chosen.status_code, chosen.json()["name"]) == (201, first["name"])
    never = service.http.get(f"{service.stack.url}/v1.0/choices/{'A' * 43}")
    used = service.http.get(url)
    assert (used.status_code, used.json()) == (never.status_code, never.json()) == (404, never.json())
    service.advance("PT2M")
    names = {"litware": service.lou, "tailspin": service.tom}
    listed = names[first["organizationId"]].get(REFERRALS).json()["value"]
    assert [each["status"] for each in listed if each["name"] == "Press help"] == ["New"]
    logs = [each.read_text(errors="replace") for each in service.stack.data.path.rglob("*.log")]
    assert any("choose_company" in each for each in logs), "these are the logs of those requests"
    assert not [each for each in logs if secret in each]


@pytest.mark.parametrize(
    ("alternatives", "offered"), [(0, set()), (1, {"Litware"}), (3, {"Litware", "Tailspin Toys"})]
)
def test_no_more_partners_are_offered_than_the_request_allows(
    service: Service, alternatives: int, offered: set[str]
) -> None:
    """R4: those that fit most first, and none that was asked."""
    name = f"Offer of {alternatives}"
    own = service.web.submit(lead(name, "contoso", alternatives=alternatives))["contoso"]
    service.rae.act(own, "decline", NOT_WANTED)
    service.advance("PT0S")
    told = service.mails_to_readers_of(own)
    (text,) = (mail["text"] for mail in told if mail["to"] == ["cara@relecloud.com"])
    assert {each for each in ("Litware", "Tailspin Toys", "Fabrikam") if each in text} == offered


def test_nobody_writes_to_whom_a_company_calls_a_swindler(service: Service) -> None:
    """M7."""
    own = service.web.submit(lead("Spam", "contoso"))["contoso"]
    service.advance("PT0S")
    service.rae.act(own, "decline", {"reason": "AbuseSpamOrPhishing"})
    service.advance("PT0S")
    assert [mail["to"] for mail in service.mails_to_readers_of(own)] == [["rae@contoso.com"]]


def test_a_silent_company_is_reminded_and_its_lead_expires(service_of_its_own: Service) -> None:
    """L4, M3, R4, R5."""
    service = service_of_its_own
    own = service.web.submit(lead("Silence", "litware", details={"customerRequestedContact": True}))[
        "litware"
    ]
    assert service.lou.read(own)["contactAlert"] == "hot"
    assert service.lou.read(own)["responseRecommendedBy"]
    service.advance("P3DT1H")
    assert service.lou.read(own)["contactAlert"] == "overdue"
    assert service.lou.read(own)["allowedActions"] == ["accept", "decline", "contacted"]
    service.advance("P12D")
    expired = service.lou.read(own)
    assert (expired["substatus"], expired["contactAlert"]) == ("Expired", None)
    told = service.mails_to_readers_of(own)
    assert [(mail["to"][0], mail["subject"].partition(":")[0]) for mail in told[:3]] == [
        ("lou@litwareinc.com", "Relecloud asks to be contacted now"),
        ("lou@litwareinc.com", "Reminder"),
        ("lou@litwareinc.com", "Last reminder"),
    ]
    (customers,) = told[3:]
    assert customers["to"] == ["cara@relecloud.com"]
    assert re.fullmatch(r"Your request of \w+ \d+, \d{4}: Litware has not answered", customers["subject"])
    assert service.lou.kinds(own) == ["received", "expired"]


def test_a_hot_lead_reaches_the_contacts_and_those_who_can_answer_once_each(service: Service) -> None:
    """R5, M3: mia covers Munich, rae is its profile's contact and covers everything."""
    body = lead("Hot Munich", "contoso:contoso-munich", details={"customerRequestedContact": True})
    service.web.submit(body)
    service.advance("PT0S")
    told = [address for mail in service.mails("Hot Munich") for address in mail["to"]]
    assert sorted(told) == ["mia@contoso.com", "rae@contoso.com"]


def test_a_lead_of_microsofts_comes_from_microsoft(service: Service) -> None:
    """R1."""
    body = lead("Qualified", "contoso", qualification="SalesQualified")
    own = service.rae.read(service.web.submit(body)["contoso"])
    assert own["inviteContext"]["invitedBy"]["organizationId"] == "msft"
    entry = service.rae.get(f"{REFERRALS}/{own['id']}/timeline").json()["value"][0]
    assert entry["actor"]["organizationId"] == "msft"
    service.advance("PT0S")
    assert service.mails("Qualified")[0]["subject"].startswith("New lead from Microsoft")


def test_an_accepted_lead_becomes_a_deal_of_the_same_id(service_of_its_own: Service) -> None:
    """R7: id, customer and timeline stay; others can be invited at once."""
    service = service_of_its_own
    own = service.web.submit(lead("Convert me", "contoso"))["contoso"]
    refused = service.rae.act(own, "convert", {"team": [RAE], "details": SOLUTION})
    assert refused.json()["error"]["code"] == "notAllowed"
    before = service.rae.act(own, "accept", ESTIMATE).json()
    assert [each["email"] for each in before["team"]] == ["rae@contoso.com"]  # who accepted (L2)
    assert faults(service.rae.act(own, "convert")) == {"/details/requirements/solutions": "required"}
    body = {"team": [RAE], "details": SOLUTION, "invitations": [invitation("fabrikam")]}
    deal_ = service.rae.act(
        own, "convert", {**body, "inviteContext": {"assistanceRequestCode": "GeneralOrOther"}}
    )
    assert deal_.status_code == 200, deal_.text
    after = deal_.json()
    assert (after["id"], after["engagementId"]) == (own, before["engagementId"])
    assert (after["dealType"], after["direction"], after["salesStage"]) == ("CoSell", "Outgoing", "Created")
    assert after["customerProfile"] == before["customerProfile"]
    assert service.rae.parties(after["engagementId"]).keys() == {"contoso", "msft", "fabrikam"}
    assert service.rae.kinds(own) == ["received", "accepted", "converted"]
    invited = service.kim.referral_in(after["engagementId"])
    assert (invited["dealType"], invited["qualification"]) == ("CoSell", "None")
    assert invited["contactAlert"] is None
    found = service.rae.get(REFERRALS, params={"$filter": "direction eq 'Outgoing'"}).json()["value"]
    assert own in {each["id"] for each in found}
    assert service.rae.act(own, "convert", {}).json()["error"]["code"] == "notAllowed"
    service.advance("PT0S")
    told = {mail["to"][0]: mail["subject"] for mail in service.mails("Convert me")}
    assert told["kim@fabrikam.com"] == "Contoso에서 “Convert me” 거래에 초대했습니다"


@pytest.mark.parametrize(
    ("body", "becomes"),
    [
        ({}, "Private"),
        ({"consent": {"consentToShareReferralWithMicrosoftSellers": True}}, "PartnerLed"),
        ({"invitations": [invitation("fabrikam")]}, "PartnerToPartner"),
        ({"invitations": [MICROSOFT]}, "CoSell"),
    ],
)
def test_a_converted_lead_is_of_the_type_that_its_answers_make(
    service: Service, body: dict[str, Any], becomes: str
) -> None:
    """R7, T1."""
    own = service.web.submit(lead("Typed", "contoso"))["contoso"]
    service.rae.act(own, "accept", {**ESTIMATE, "team": [RAE]})
    converted = service.rae.act(own, "convert", {"details": SOLUTION, **body}).json()
    assert converted["dealType"] == becomes
    listed = service.sam.get("/v1.0/engagements?dealType=PartnerLed").json()["value"]
    assert (converted["engagementId"] in {each["id"] for each in listed}) == (becomes == "PartnerLed")


def test_a_deal_is_not_converted(service: Service) -> None:
    made = service.rae.create(deal("No lead"))
    assert service.rae.act(made["id"], "convert").json()["error"]["code"] == "notAllowed"
