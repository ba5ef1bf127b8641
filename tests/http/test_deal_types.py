"""The deal types over HTTP: how they come about, how they are upgraded, who may be invited (rules T, C3, V2, V3)."""

import pytest

from tests.live import (
    MICROSOFT,
    REFERRALS,
    Service,
    assessment,
    deal,
    invitation,
    partner_led,
    private,
    replacing,
    sellers_deal,
)

Q1 = "/inviteContext/assistanceRequestCode"
Q2 = "/consent/consentToShareReferralWithMicrosoftSellers"
PARTNER_LED = "/v1.0/engagements?dealType=PartnerLed"


def test_the_answers_the_invitations_and_the_solutions_decide_the_type(service: Service, name: str) -> None:
    """T1: nobody types it in."""
    bodies = {
        "Private": private(name),
        "PartnerLed": partner_led(name),
        "PartnerToPartner": private(name, invitations=[invitation("fabrikam")]),
        "CoSell": deal(name),
        "SolutionAssessment": assessment(name),
    }
    made = {wanted: service.rae.create(body)["dealType"] for wanted, body in bodies.items()}
    assert made == {wanted: wanted for wanted in bodies}
    assert service.rae.create(partner_led(name, "fabrikam"))["dealType"] == "PartnerLed"
    assert service.rae.create(private(name, invitations=[MICROSOFT]))["dealType"] == "CoSell"


def test_a_private_deal_becomes_partner_led_and_then_co_sell(service: Service, name: str) -> None:
    """T2, E4: by its two answers, upwards only."""
    rae, sam = service.rae, service.sam
    made = rae.create(private(name))
    assert sam.get(f"/v1.0/engagements/{made['engagementId']}").status_code == 404
    led = rae.patch(made, replacing(Q2, True)).json()
    assert (led["dealType"], led["eTag"]) == ("PartnerLed", '"2"')
    back = rae.patch(led, replacing(Q2, False))
    assert back.json()["error"]["details"][0]["code"] == "notEditable"
    co_sell = rae.patch(led, replacing(Q1, "QuotesOrLicensing"), replacing("/name", f"{name} II")).json()
    assert (co_sell["dealType"], co_sell["type"]) == ("CoSell", "Shared")
    assert rae.kinds(made["id"]) == ["created", "typeChanged", "edited", "invited", "typeChanged"]
    own = sam.referral_in(made["engagementId"])
    assert (own["status"], own["inviteContext"]["assistanceRequestCode"]) == ("New", "QuotesOrLicensing")
    other_code = rae.patch(co_sell, replacing(Q1, "ProofOfConceptOrDemo"))
    assert other_code.json()["error"]["details"][0]["target"] == Q1


def test_a_partner_joins_later_and_its_copy_learns_of_the_type(service: Service, name: str) -> None:
    """T1, T3, L7: Private becomes PartnerToPartner, PartnerLed, CoSell."""
    rae, kim = service.rae, service.kim
    made = rae.create(private(name))
    sent = rae.invite(made["id"], invitation("fabrikam", dealValue=12345))
    assert sent.status_code == 201, sent.text
    assert sent.headers["Location"] == f"/v1.0/engagements/{made['engagementId']}"
    (view,) = sent.json()["value"]
    assert (view["organizationId"], view["status"], view["substatus"]) == ("fabrikam", "New", "Pending")
    copy = kim.referral_in(made["engagementId"])
    assert (copy["id"], copy["dealType"], copy["details"]["dealValue"]) == (
        *(view["id"], "PartnerToPartner", 12345),
    )
    now = rae.read(made["id"])
    assert (now["dealType"], now["type"]) == ("PartnerToPartner", "Shared")
    rae.patch(now, replacing(Q2, True))
    service.advance("PT0S")
    copy = kim.read(view["id"])
    assert (copy["dealType"], copy["eTag"]) == ("PartnerLed", '"2"')
    assert kim.kinds(view["id"]) == ["received", "typeChanged"]
    assert rae.invite(made["id"], MICROSOFT).status_code == 201
    service.advance("PT0S")
    assert kim.read(view["id"])["dealType"] == "CoSell"
    assert rae.read(made["id"])["inviteContext"]["assistanceRequestCode"] == "GeneralOrOther"


def test_microsoft_sees_nothing_of_a_deal_before_it_is_meant_to(service: Service, name: str) -> None:
    """V2: no list, no engagement, no mail."""
    rae, sam = service.rae, service.sam
    for body in (private(name), private(name, invitations=[invitation("fabrikam")]), assessment(name)):
        made = rae.create(body)
        assert sam.get(f"/v1.0/engagements/{made['engagementId']}").status_code == 404
        assert sam.get(f"{REFERRALS}/{made['id']}").status_code == 404
        assert _listed(service, made["engagementId"]) is False
    service.advance("PT0S")
    assert {who for who, _ in service.told(name)} == {"kim@fabrikam.com"}


def test_every_seller_reads_a_partner_led_deal_until_microsoft_is_invited(
    service: Service, name: str
) -> None:
    """V3: with its terms, without the customer's contacts or the conversation; nothing in the referral list."""
    rae, sam = service.rae, service.sam
    made = rae.create(partner_led(name, "fabrikam"))
    engagement = f"/v1.0/engagements/{made['engagementId']}"
    rae.post(f"{engagement}/messages", {"text": "Between us."})
    view = sam.get(engagement).json()
    assert view["deal"]["name"] == name
    assert (view["deal"]["dealValue"], view["messages"]) == (250000, [])
    assert "cara@" not in str(view)
    assert [party["organizationId"] for party in view["parties"]] == ["contoso", "fabrikam"]
    assert _listed(service, made["engagementId"])
    assert name not in str(sam.get(REFERRALS).json())
    assert sam.post(f"{engagement}/messages", {"text": "Hi"}).status_code == 403
    assert service.kim.get(PARTNER_LED).status_code == 403
    assert service.sam.get("/v1.0/engagements?dealType=Private").status_code == 400
    rae.invite(made["id"], MICROSOFT)
    assert _listed(service, made["engagementId"]) is False
    assert sam.get(engagement).json()["parties"][1]["organizationId"] == "msft"


def test_an_organization_is_invited_again_once_it_declined_but_not_after_some_reasons(
    service: Service, name: str
) -> None:
    """T3: a repeated invitation is a new referral; the engagement shows the latest."""
    rae, kim, nia = service.rae, service.kim, service.nia
    made = rae.create(private(name, invitations=[invitation("fabrikam"), invitation("northwind")]))
    again = invitation("fabrikam"), invitation("northwind")
    assert rae.invite(made["id"], again[0]).json()["error"]["code"] == "notAllowed"
    first = kim.referral_in(made["engagementId"])["id"]
    kim.act(first, "decline", {"reason": "BudgetNotAdequate"})
    nia.act(nia.referral_in(made["engagementId"])["id"], "decline", {"reason": "NotACustomer"})
    assert rae.invite(made["id"], again[1]).status_code == 409
    assert rae.invite(made["id"], again[0]).status_code == 201
    second = kim.referral_in(made["engagementId"])["id"]
    assert second != first
    assert rae.parties(made["engagementId"])["fabrikam"] == "Pending"
    kim.act(second, "accept")
    assert rae.invite(made["id"], again[0]).status_code == 409


def test_microsoft_is_asked_again_once_it_declined(service: Service, name: str) -> None:
    """T3: and allowedActions say so at once."""
    rae, sam = service.rae, service.sam
    made = rae.create(deal(name))
    assert "inviteMicrosoft" not in made["allowedActions"]
    assert rae.invite(made["id"], MICROSOFT).status_code == 409
    sam.act(sam.referral_in(made["engagementId"])["id"], "decline", {"reason": "TimelineTooShort"})
    assert "inviteMicrosoft" in rae.read(made["id"])["allowedActions"]
    assert rae.invite(made["id"], MICROSOFT).status_code == 201
    assert sam.referral_in(made["engagementId"])["status"] == "New"


def test_nobody_is_invited_from_an_inbound_referral_into_an_assessment_or_into_a_closed_deal(
    service: Service, name: str
) -> None:
    """T3, T5, L5."""
    rae, kim = service.rae, service.kim
    shared = rae.create(deal(name, "fabrikam"))
    own = kim.referral_in(shared["engagementId"])["id"]
    kim.act(own, "accept")
    assert kim.invite(own, invitation("northwind")).json()["error"]["code"] == "notAllowed"
    second = {**deal(name), "engagementId": shared["engagementId"]}
    second["target"] = [{"type": "BusinessProfileLocation", "id": "northwind-sydney"}]
    assert kim.post(REFERRALS, second).status_code == 409
    assert service.nia.post(REFERRALS, second).status_code == 404
    checked = rae.create(assessment(name))
    assert rae.invite(checked["id"], invitation("fabrikam")).status_code == 409
    rae.act(shared["id"], "win")
    assert rae.invite(shared["id"], invitation("northwind")).json()["error"]["code"] == "terminalState"


def test_an_invitation_of_microsoft_needs_the_customers_contact_and_consent(
    service: Service, name: str
) -> None:
    """Rules C: both can be given with the same patch."""
    rae = service.rae
    body = private(name, consent={})
    contact = body["customerProfile"]["team"]
    body["customerProfile"] = {**body["customerProfile"], "team": []}
    made = rae.create(body)
    assert "inviteMicrosoft" not in made["allowedActions"]
    refused = rae.invite(made["id"], MICROSOFT)
    assert (refused.status_code, refused.json()["error"]["details"][0]["target"]) == (
        *(422, "/invitations/0/organizationId"),
    )
    refused = rae.patch(made, replacing(Q1, "GeneralOrOther"))
    assert {fault["target"] for fault in refused.json()["error"]["details"]} == {
        "/customerProfile/team",
        "/consent/consentToToShareInfoWithOthers",
    }
    whole = rae.patch(
        made,
        replacing(Q1, "GeneralOrOther"),
        replacing("/customerProfile/team", contact),
        replacing("/consent/consentToToShareInfoWithOthers", True),
    )
    assert whole.json()["dealType"] == "CoSell"
    taken_back = rae.patch(whole.json(), replacing("/consent/consentToToShareInfoWithOthers", False))
    assert taken_back.status_code == 422


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({"location": None}, "/location"),
        ({"inviteContext": {"assistanceRequestCode": "GeneralOrOther"}}, Q1),
        ({"consent": {"consentToShareReferralWithMicrosoftSellers": True}}, Q2),
        ({"invitations": [invitation("fabrikam")]}, "/invitations"),
    ],
)
def test_an_assessment_is_sent_with_a_location_and_without_questions_or_others(
    service: Service, name: str, changes: dict, target: str
) -> None:
    """T5."""
    refused = service.rae.post(REFERRALS, assessment(name, **changes))
    assert [fault["target"] for fault in refused.json()["error"]["details"]] == [target]


def test_an_assessment_is_for_vetted_partners_of_one_type_and_keeps_it(service: Service, name: str) -> None:
    """T5: and its solution cannot be edited."""
    rae = service.rae
    both = assessment(name)
    both["details"]["requirements"] = {"solutions": [{"id": "SA-CLOUD-MIGRATION"}, {"id": "SA-DATA-ESTATE"}]}
    assert rae.post(REFERRALS, both).status_code == 422
    both["details"]["requirements"] = {"solutions": [{"id": "SA-CLOUD-MIGRATION"}, {"id": "SOL-MS-AZURE"}]}
    assert rae.post(REFERRALS, both).status_code == 422
    foreign = assessment(name, location="fabrikam-seoul", team=[_kim()])
    refused = service.kim.post(REFERRALS, foreign).json()["error"]["details"]
    assert [fault["code"] for fault in refused] == ["notAllowed"]
    made = rae.create(assessment(name))
    edit = replacing("/details/requirements/solutions", [{"id": "SA-DATA-ESTATE"}])
    assert rae.patch(made, edit).json()["error"]["details"][0]["code"] == "notEditable"
    plain = rae.create(private(name))
    assert rae.patch(plain, edit).json()["error"]["details"][0]["code"] == "notAllowed"


def test_an_assessment_is_won_after_its_stages_in_order(service: Service, name: str) -> None:
    """S5, L6."""
    rae = service.rae
    made = rae.create(assessment(name))
    assert "win" not in made["allowedActions"]
    assert rae.act(made["id"], "win").json()["error"]["code"] == "notAllowed"
    assert rae.act(made["id"], "stage", {"stage": "CollectData"}).status_code == 409
    for stage in ("SecureCustomerLoe", "CollectData", "SecureCustomerLoe", "CollectData"):
        assert rae.act(made["id"], "stage", {"stage": stage}).status_code == 200
    for stage in ("PrepareAssessmentReport", "PresentToCustomer"):
        assert rae.act(made["id"], "stage", {"stage": stage}).status_code == 200
    assert rae.act(made["id"], "win").json()["salesStagePercentage"] == 100


def test_a_seller_creates_a_deal_with_partners(service: Service, name: str) -> None:
    """T4: co-sell from the start, without location and without the questions."""
    sam, kim = service.sam, service.kim
    made = sam.create(sellers_deal(name, "fabrikam"))
    assert (made["dealType"], made["location"], made["organizationId"]) == ("CoSell", None, "msft")
    assert "inviteMicrosoft" not in made["allowedActions"]
    own = kim.referral_in(made["engagementId"])
    assert own["inviteContext"]["invitedBy"]["organizationName"] == "Microsoft"
    assert kim.act(own["id"], "accept").json()["dealType"] == "CoSell"
    service.advance("PT0S")
    assert ("sam@microsoft.com", "Fabrikam accepted your invitation to the deal") in service.told(name)
    faulty = sellers_deal(name, location="contoso-seattle", inviteContext={"assistanceRequestCode": "Other"})
    faulty["inviteContext"] = {"assistanceRequestCode": "GeneralOrOther"}
    refused = sam.post(REFERRALS, faulty).json()["error"]["details"]
    assert {fault["target"] for fault in refused} == {"/location", Q1, "/invitations"}
    own_self = sam.post(REFERRALS, sellers_deal(name, "fabrikam", "msft")).json()["error"]["details"]
    assert own_self[0]["target"] == "/invitations/1/organizationId"


def _listed(service: Service, engagement_id: str) -> bool:
    answer = service.sam.get(PARTNER_LED)
    assert answer.status_code == 200, answer.text
    return engagement_id in {each["id"] for each in answer.json()["value"]}


def _kim() -> dict[str, str]:
    return {
        "firstName": "Kim",
        "lastName": "H",
        "phoneNumber": "+82 2 5550 0121",
        "email": "kim@fabrikam.com",
    }
