"""Registering won deals, and their review, over HTTP (rules G)."""

from typing import Any

import pytest

from tests.doubles.registration_form import FORM
from tests.live import (
    REFERRALS,
    REGISTRATIONS,
    Person,
    Service,
    deal,
    invitation,
    lead,
    partner_led,
    private,
    sellers_deal,
    won,
)

TOO_ROUND = {"target": "/contract/value", "message": "This looks like an estimate."}
ERP = {"requirements": {"solutions": [{"id": "SOL-CONTOSO-ERP"}]}}


def faults(answer: Any) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {each["target"]: each["code"] for each in answer.json()["error"]["details"]}


def eligibility(person: Person, referral_id: str) -> dict[str, Any]:
    answer = person.get(f"{REFERRALS}/{referral_id}/registration-eligibility")
    assert answer.status_code == 200, answer.text
    return answer.json()


def failing(person: Person, referral_id: str) -> list[str]:
    return [rule["id"] for rule in eligibility(person, referral_id)["rules"] if not rule["passed"]]


def put(person: Person, referral_id: str, record: dict[str, Any], form: dict[str, Any]) -> Any:
    path = f"{REFERRALS}/{referral_id}/registrations/{record['id']}"
    return person.put(path, form, headers={"If-Match": record["eTag"]})


def read(person: Person, record: dict[str, Any]) -> dict[str, Any]:
    answer = person.get(f"{REGISTRATIONS}/{record['id']}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_eligibility_tells_at_any_time_what_is_missing(service: Service, name: str) -> None:
    """G1: before the win, that Microsoft has not accepted yet."""
    made = service.rae.create(deal(name))
    assert failing(service.rae, made["id"]) == ["statusWon", "microsoftEngaged"]
    found = eligibility(service.rae, made["id"])
    assert "has not accepted" in found["rules"][3]["explanation"]
    assert found["registrable"] == [
        {
            "solutionId": "SOL-CONTOSO-ERP",
            "solutionName": "Contoso ERP Cloud",
            "kinds": ["IsvConnect", "IpCoSell"],
            "customer": {"name": "Adventure Works", "country": "US", "city": "Redmond", "state": "WA"},
        }
    ]
    service.rae.act(made["id"], "win")
    assert failing(service.rae, made["id"]) == ["microsoftEngaged"]
    assert service.rae.read(made["id"])["registrationStatus"] is None
    refused = service.rae.act(made["id"], "registrations", FORM)
    assert refused.json()["error"]["code"] == "notAllowed"
    assert "has not accepted" in refused.json()["error"]["message"]
    service.sam.act(service.sam.referral_in(made["engagementId"])["id"], "accept")
    assert failing(service.rae, made["id"]) == []
    after = service.rae.read(made["id"])
    assert (after["registrationStatus"], after["allowedActions"]) == ("Eligible", ["register"])


@pytest.mark.parametrize(
    ("body", "who", "missing"),
    [
        (lambda: private("G1", details={**deal("x")["details"], **ERP}), "rae", ["dealType"]),
        (lambda: partner_led("G1"), "rae", []),
        (lambda: private("G1", invitations=[invitation("fabrikam")]), "rae", ["dealType"]),
    ],
)
def test_only_co_sell_and_partner_led_deals_are_registered(
    service: Service, body: Any, who: str, missing: list[str]
) -> None:
    """G1: a PartnerLed deal needs nobody's acceptance."""
    person = getattr(service, who)
    own = person.create(body())["id"]
    person.act(own, "win")
    assert failing(person, own) == missing


def test_a_private_deal_with_an_incentive_warns_from_the_start(service: Service, name: str) -> None:
    """G1."""
    made = service.rae.create(private(name))
    warning = {"code": "privateNotRegistrable", "target": None}
    assert made["warnings"] == [warning]
    assert eligibility(service.rae, made["id"])["warnings"] == [warning]
    assert service.rae.create(deal(name))["warnings"] == []


def test_a_lead_is_not_registered_unless_it_was_converted_before_it_was_won(
    service: Service, name: str
) -> None:
    """R7, G1."""
    own = service.web.submit(lead(name, "contoso"))["contoso"]
    terms = {"dealValue": 1, "currency": "USD", "closingDateTime": "2030-01-01T00:00:00Z"}
    service.rae.act(own, "accept", terms)
    service.rae.act(own, "win")
    assert failing(service.rae, own) == ["dealType", "incentiveSolution"]


def test_an_invited_partner_registers_its_own_won_part(service: Service, name: str) -> None:
    """G1: the partner's own status is Won, and Microsoft, which created the deal, takes part (T4)."""
    made = service.sam.create(sellers_deal(name, "fabrikam"))
    own = service.kim.referral_in(made["engagementId"])["id"]
    member = {
        "firstName": "Kim",
        "lastName": "D",
        "phoneNumber": "+82 2 000 0000",
        "email": "kim@fabrikam.com",
    }
    service.kim.act(own, "accept", {"team": [member]})
    service.kim.act(own, "win")
    assert service.kim.read(own)["registrationStatus"] == "Eligible"
    records = service.kim.register(own, FORM)
    assert {kind: each["status"] for kind, each in records.items()} == {"IpCoSell": "ReviewPending"}


def test_a_solution_of_both_kinds_makes_two_records(service: Service, name: str) -> None:
    """G4, G6: ISV Connect is complete at once, IP co-sell is reviewed; the customer is pre-filled."""
    own = won(service, name)
    records = service.rae.register(own, FORM)
    assert {kind: (each["status"], each["closed"]) for kind, each in records.items()} == {
        "IsvConnect": ("Submitted", True),
        "IpCoSell": ("ReviewPending", False),
    }
    assert records["IpCoSell"]["customer"]["city"] == "Redmond"
    after = service.rae.read(own)
    assert (after["registrationStatus"], after["allowedActions"]) == ("ReviewPending", [])
    assert [(each["kind"], each["status"]) for each in after["registrations"]] == [
        ("IsvConnect", "Submitted"),
        ("IpCoSell", "ReviewPending"),
    ]
    listed = service.rae.get(REFERRALS, params={"$filter": f"id eq '{own}'"}).json()["value"][0]
    assert listed["registrations"] == [{**each, "errors": None} for each in after["registrations"]]
    again = service.rae.act(own, "registrations", FORM)
    assert again.json()["error"]["code"] == "notAllowed"
    kinds = service.rae.kinds(own)
    assert kinds.count("registrationChanged") == 2


def test_a_form_hears_of_all_its_faults_at_once(service: Service, name: str) -> None:
    """G3."""
    own = won(service, name)
    everything = faults(
        service.rae.act(own, "registrations", {"colour": "blue", "customer": {"country": "ZZ"}})
    )
    assert everything == {
        "/colour": "unknownField",
        "/customer/country": "notInCatalogue",
        **dict.fromkeys(
            (
                *("/contractType", "/contract/value", "/contract/currency", "/contract/signDateTime"),
                *("/contract/startDateTime", "/contract/term", "/solutionValue", "/deployedOn"),
                *("/consumptionTenant", "/contact/firstName", "/contact/lastName", "/contact/phoneNumber"),
                *("/contact/email", "/contractNamesPartnerAndSolution"),
            ),
            "required",
        ),
    }
    contract = {
        **FORM["contract"],
        "startDateTime": "2026-10-01T00:00:00Z",
        "endDateTime": "2026-10-01T00:00:00Z",
    }
    wrong = {**FORM, "solutionValue": 300000, "contract": contract, "contractNamesPartnerAndSolution": False}
    assert faults(service.rae.act(own, "registrations", wrong)) == {
        "/contract/startDateTime": "outOfRange",
        "/contract/endDateTime": "outOfRange",
        "/solutionValue": "outOfRange",
        "/contractNamesPartnerAndSolution": "required",
    }
    other = {**FORM, "solutionId": "SOL-FABRIKAM-IOT"}
    assert faults(service.rae.act(own, "registrations", other)) == {"/solutionId": "notInCatalogue"}


def test_a_draft_keeps_its_faults_and_is_submitted_later(service: Service, name: str) -> None:
    """G4."""
    own = won(service, name)
    drafts = service.rae.register(own, {"contractType": "New", "submit": False})
    assert {each["status"] for each in drafts.values()} == {"Draft"}
    draft = drafts["IpCoSell"]
    assert {"target": "/contract/value", "message": "A registration needs this."} in draft["errors"]
    assert service.rae.read(own)["registrationStatus"] == "Eligible"
    assert service.dee.get(f"{REGISTRATIONS}/{draft['id']}").status_code == 404
    better = put(service.rae, own, draft, {**FORM, "deployedOn": None, "submit": False}).json()
    assert [each["target"] for each in better["errors"]] == ["/deployedOn"]
    assert faults(put(service.rae, own, better, {**FORM, "deployedOn": None})) == {"/deployedOn": "required"}
    assert put(service.rae, own, draft, FORM).status_code == 412
    done = put(service.rae, own, better, FORM)
    assert (done.status_code, done.json()["status"], done.json()["errors"]) == (200, "ReviewPending", [])


def test_the_same_request_registers_once(service: Service, name: str) -> None:
    """C5."""
    own, key = won(service, name), {"Idempotency-Key": f"key-{name}"}
    first, second = (service.rae.register(own, FORM, headers=key) for _ in range(2))
    assert first.keys() == second.keys()
    assert {each["id"] for each in first.values()} == {each["id"] for each in second.values()}
    other = service.rae.act(own, "registrations", {**FORM, "solutionValue": 1}, headers=key)
    assert other.json()["error"]["code"] == "idempotencyConflict"


def test_a_review_takes_as_many_rounds_as_it_takes(service: Service, name: str) -> None:
    """G5, G6: errors stand at their fields; the history keeps every round; closed is final."""
    own = won(service, name)
    record = service.rae.register(own, FORM)["IpCoSell"]
    for number in range(2):
        asked = service.dee.review(read(service.dee, record), "requestAction", errors=[TOO_ROUND])
        assert (asked.status_code, asked.json()["status"]) == (200, "ActionRequired")
        shown = service.rae.read(own)
        assert (shown["registrationStatus"], shown["registrations"][1]["errors"]) == (
            "ActionRequired",
            [TOO_ROUND],
        )
        saved = put(service.rae, own, read(service.rae, record), {**FORM, "submit": False}).json()
        assert (saved["status"], saved["errors"]) == ("ActionRequired", [TOO_ROUND])
        better = {**FORM, "contract": {**FORM["contract"], "value": 240000 + number}}
        corrected = put(service.rae, own, saved, better)
        assert (corrected.status_code, corrected.json()["status"]) == (200, "ReviewPending")
    approved = service.dee.review(read(service.dee, record), "approve").json()
    assert (approved["status"], approved["closed"]) == ("Approved", True)
    decisions = [each["decision"] for each in read(service.rae, record)["rounds"]]
    assert decisions == ["requestAction", "requestAction", "approve"]
    assert {each["reviewer"] for each in read(service.rae, record)["rounds"]} == {None}
    assert {each["reviewer"] for each in approved["rounds"]} == {"Dee Marlowe"}
    for refused in (
        service.dee.review(approved, "reject", reason="Late."),
        put(service.rae, own, approved, FORM),
    ):
        assert refused.json()["error"]["code"] == "terminalState"
    assert service.rae.read(own)["registrationStatus"] == "Approved"


def test_what_is_in_review_is_recalled_and_a_draft_deleted(service: Service, name: str) -> None:
    """G4, G5: each action that a record lists succeeds; what was deleted can be registered again."""
    own = won(service, name)
    record = service.rae.register(own, FORM)["IpCoSell"]
    path = f"{REFERRALS}/{own}/registrations/{record['id']}"
    assert record["allowedActions"] == ["recall"]
    assert read(service.dee, record)["allowedActions"] == ["review", "assign"]
    recalled = service.rae.post(f"{path}/recall")
    assert (recalled.status_code, recalled.json()["status"]) == (200, "Draft")
    assert recalled.headers["ETag"] == recalled.json()["eTag"]
    assert recalled.json()["allowedActions"] == ["edit", "submit", "delete"]
    assert service.dee.get(f"{REGISTRATIONS}/{record['id']}").status_code == 404
    again = put(service.rae, own, recalled.json(), FORM).json()
    rejected = service.dee.review(read(service.dee, again), "reject", reason="The contract names nobody.")
    assert rejected.status_code == 200
    assert service.rae.post(f"{path}/recall").json()["error"]["code"] == "terminalState"
    assert [each["reason"] for each in service.rae.read(own)["registrations"]] == [
        None,
        "The contract names nobody.",
    ]
    other = won(service, name)
    draft = service.rae.register(other, {**FORM, "submit": False})["IpCoSell"]
    path = f"{REFERRALS}/{other}/registrations/{draft['id']}"
    assert service.rae.call("DELETE", path).status_code == 428
    assert service.rae.call("DELETE", path, headers={"If-Match": draft["eTag"]}).status_code == 204
    assert service.rae.call("DELETE", path, headers={"If-Match": draft["eTag"]}).status_code == 404
    assert set(service.rae.register(other, FORM)) == {"IpCoSell"}


def test_a_decision_hears_of_all_its_faults_at_once(service: Service, name: str) -> None:
    """G5: a rejection has a reason, a request for action names fields."""
    record = service.rae.register(won(service, name), FORM)["IpCoSell"]
    assert faults(service.dee.review(record, "reject")) == {"/reason": "required"}
    assert faults(service.dee.review(record, "requestAction")) == {"/errors": "required"}
    wrong = [{"target": "/status", "message": "x"}, {"target": "/contract/value"}]
    assert faults(service.dee.review(record, "requestAction", errors=wrong)) == {
        "/errors/0/target": "invalidValue",
        "/errors/1/message": "required",
    }
    assert faults(service.dee.review(record, "approve", errors=[TOO_ROUND])) == {"/errors": "notAllowed"}
    assert faults(service.dee.review(record, "burn")) == {"/decision": "invalidValue"}
    assert service.dee.post(f"{REGISTRATIONS}/{record['id']}/review", {}).status_code == 428
    rejected = service.dee.review(record, "reject", reason="The contract names another company.")
    assert (rejected.status_code, rejected.json()["status"]) == (200, "Rejected")


def test_two_reviewers_cannot_both_decide(service: Service, name: str) -> None:
    """G5."""
    record = service.rae.register(won(service, name), FORM)["IpCoSell"]
    both = read(service.dee, record), read(service.vera, record)
    assert service.dee.review(both[0], "approve").status_code == 200
    assert service.vera.review(both[1], "reject", reason="No.").status_code == 412
    assert read(service.vera, record)["status"] == "Approved"


def test_reviewers_find_what_waits_for_them(service_of_its_own: Service) -> None:
    """G5: by customer, status, kind and age; the longest waiting first; assigned to one of them."""
    service = service_of_its_own
    old = service.rae.register(won(service, "Queue old"), FORM)["IpCoSell"]
    service.advance("P3D")
    customer = {
        "name": "Relecloud",
        "address": {"country": "US"},
        "team": deal("x")["customerProfile"]["team"],
    }
    new = service.rae.register(won(service, "Queue new", customerProfile=customer), FORM)["IpCoSell"]
    service.dee.review(new, "requestAction", errors=[TOO_ROUND])

    def found(person: Person, query: str = "") -> list[str]:
        answer = person.get(f"{REGISTRATIONS}{query}")
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json()["value"]]

    assert found(service.dee) == [old["id"], new["id"]]
    assert found(service.dee, "?status=ReviewPending") == [old["id"]]
    assert found(service.dee, "?status=actionrequired,approved") == [new["id"]]
    assert found(service.dee, "?customer=rele") == [new["id"]]
    assert found(service.dee, "?olderThanDays=3") == [old["id"]]
    assert found(service.dee, "?kind=IsvConnect") == []
    page = service.dee.get(f"{REGISTRATIONS}?$top=1").json()
    assert [each["id"] for each in page["value"]] == [old["id"]]
    assert [each["id"] for each in service.dee.get(page["@odata.nextLink"]).json()["value"]] == [new["id"]]
    for query in ("status=Nice", "kind=x", "olderThanDays=-1", "colour=red", "kind=IpCoSell&kind=IpCoSell"):
        assert service.dee.get(f"{REGISTRATIONS}?{query}").status_code == 400
    assigned = service.dee.post(f"{REGISTRATIONS}/{old['id']}/assign", {"email": "VERA@microsoft.com"})
    assert (assigned.status_code, assigned.json()["assignedTo"]) == (200, "vera@microsoft.com")
    assert read(service.rae, old)["assignedTo"] is None
    nobody = service.dee.post(f"{REGISTRATIONS}/{old['id']}/assign", {"email": "sam@microsoft.com"})
    assert faults(nobody) == {"/email": "notInCatalogue"}
    assert len(found(service.rae)) == 4


def test_everybody_concerned_is_told_at_the_right_moment(service_of_its_own: Service) -> None:
    """M4, G7."""
    service = service_of_its_own
    own = won(service, "Told of review")
    record = service.rae.register(own, FORM)["IpCoSell"]
    service.advance("P11D")  # five working days, wherever holidays fall
    service.dee.review(read(service.dee, record), "requestAction", errors=[TOO_ROUND])
    service.advance("P31D")
    put(service.rae, own, read(service.rae, record), FORM)
    service.advance("PT0S")
    service.dee.review(read(service.dee, record), "reject", reason="Another company signed.")
    service.advance("PT0S")
    named = "the registration of the deal “Told of review”"
    told = [
        (", ".join(sorted(mail["to"])), mail["subject"].replace(named, "it"))
        for mail in service.mails("Told of review")
        if "registration" in mail["subject"]
    ]
    reviewers = "dee@microsoft.com, vera@microsoft.com"
    assert told == [
        (reviewers, "Contoso submitted it for review"),
        ("vera@microsoft.com", "Waiting for a decision: it by Contoso"),
        ("rae@contoso.com", "Action required: it needs corrections"),
        ("rae@contoso.com", "Reminder: it waits for your corrections"),
        (reviewers, "Contoso resubmitted it for review"),
        ("rae@contoso.com", "The registration of the deal “Told of review” is rejected"),
    ]
    texts = [mail["text"] for mail in service.mails("Told of review") if "registration" in mail["subject"]]
    assert "This looks like an estimate." in texts[2]
    assert "Another company signed." in texts[-1]


def test_a_deal_that_was_never_co_sold_is_reported_by_itself(service: Service) -> None:
    """G8: complete at once, seen by the whole organization's admins, and by no reviewer."""
    form = {
        **FORM,
        "solutionId": "SOL-CONTOSO-ERP",
        "customer": {"name": "Relecloud", "country": "US"},
        "name": "Alone",
    }
    key = {"Idempotency-Key": "closed-deal"}
    first, second = (service.rae.post(REGISTRATIONS, form, headers=key).json()["value"] for _ in range(2))
    assert first == second
    (record,) = first
    assert (record["kind"], record["status"], record["closed"]) == ("IsvConnect", "Submitted", True)
    assert (record["referralId"], record["dealName"]) == (None, "Alone")
    assert read(service.ana, record) == record
    for who in ("mia", "ulf", "dee", "kim", "sam"):
        assert getattr(service, who).get(f"{REGISTRATIONS}/{record['id']}").status_code == 404
    for solution in ("SOL-CONTOSO-CRM", "SOL-FABRIKAM-IOT", "nothing"):
        assert faults(service.rae.post(REGISTRATIONS, {**form, "solutionId": solution})) == {
            "/solutionId": "notInCatalogue"
        }
    assert {"/solutionId", "/customer", "/contractType"} <= faults(service.rae.post(REGISTRATIONS, {})).keys()
