"""PATCH and PUT over HTTP (rules E, L2, S1): everything or nothing, on the version that was read."""

import copy
from typing import Any

import pytest

from tests.live import REFERRALS, Service, deal, private, replacing

SOLUTION = "/details/requirements/solutions/0"
JANE = {"firstName": "Jane", "lastName": "Doe", "phoneNumber": "0000000001", "email": "jane.doe@contoso.com"}


def faults(answer: Any) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {fault["target"]: fault["code"] for fault in answer.json()["error"]["details"]}


def test_an_edit_changes_what_it_names_and_answers_as_preferred(service: Service, name: str) -> None:
    """E1, E2: 204 with the new tag, or 200 with the resource."""
    rae = service.rae
    made = rae.create(private(name))
    path = f"{REFERRALS}/{made['id']}"
    silent = rae.call(
        "PATCH", path, json=[replacing("/details/notes", "New notes.")], headers={"If-Match": made["eTag"]}
    )
    assert (silent.status_code, silent.content, silent.headers["ETag"]) == (204, b"", '"2"')
    read = rae.read(made["id"])
    assert read["details"]["notes"] == "New notes."
    assert read["updatedDateTime"] > made["updatedDateTime"]
    told = rae.get(f"{path}/timeline").json()["value"][-1]
    assert (told["kind"], told["details"], told["actor"]["name"]) == (
        *("edited", {"fields": ["/details/notes"]}, "Rae Lindqvist"),
    )


def test_an_edit_without_the_version_or_of_an_older_one_is_refused_and_says_what_changed(
    service: Service, name: str
) -> None:
    """E2: 428 and 412."""
    rae = service.rae
    made = rae.create(private(name))
    path, operations = f"{REFERRALS}/{made['id']}", [replacing("/name", "Another")]
    for method, body in (("PATCH", operations), ("PUT", made)):
        missing = rae.call(method, path, json=body)
        assert (missing.status_code, missing.json()["error"]["code"]) == (428, "preconditionFailed")
    rae.patch(made, replacing("/details/dealValue", 5), replacing("/campaignId", "C"))
    for method, body in (("PATCH", operations), ("PUT", made)):
        stale = rae.call(method, path, json=body, headers={"If-Match": made["eTag"]})
        assert (stale.status_code, stale.headers["ETag"]) == (412, '"2"')
        assert stale.json()["error"]["innerError"] == {
            "eTag": '"2"',
            "changedFields": ["/campaignId", "/details/dealValue"],
        }
    assert rae.read(made["id"])["name"] == name


def test_nothing_of_an_edit_with_a_fault_is_applied_and_every_fault_is_told(
    service: Service, name: str
) -> None:
    rae = service.rae
    made = rae.create(private(name))
    answer = rae.patch(
        made,
        replacing("/name", "Good"),
        replacing("/details/dealValue", "1e400"),
        replacing("/details/closingDateTime", "2001-01-01T00:00:00Z"),
        replacing("/team/0/email", "nobody"),
        replacing("/location", "contoso-munich"),
        replacing("/customerProfile/name", "Other"),
        replacing("/dealType", "CoSell"),
        replacing("/salesStage", "Nowhere"),
        {"op": "add", "path": "/colour", "value": "blue"},
        {"op": "add", "path": "/registrations/-", "value": {}},
    )
    assert faults(answer) == {
        "/details/dealValue": "invalidValue",
        "/details/closingDateTime": "outOfRange",
        "/salesStage": "notInCatalogue",
        "/team/0/email": "invalidFormat",
        "/location": "notEditable",
        "/customerProfile/name": "notEditable",
        "/dealType": "notEditable",
        "/colour": "unknownField",
        "/registrations": "notEditable",
    }
    assert rae.read(made["id"]) == made


@pytest.mark.parametrize(
    ("operation", "target", "code"),
    [
        ({"op": "copy", "from": "/name", "path": "/details/notes"}, "/0/op", "invalidValue"),
        ({"op": "move", "from": "/name", "path": "/details/notes"}, "/0/op", "invalidValue"),
        ({"op": "replace", "path": "name", "value": "x"}, "/0/path", "invalidFormat"),
        ({"op": "replace", "path": "/nowhere/at/all", "value": "x"}, "/0/path", "invalidValue"),
        ({"op": "remove", "path": "/team/7"}, "/0/path", "invalidValue"),
        ({"op": "replace", "path": "/name"}, "/0/value", "required"),
        ({"op": "test", "path": "/name", "value": "other"}, "/0/value", "invalidValue"),
        ({"op": "remove", "path": "/name"}, "/name", "required"),
        ({"op": "remove", "path": "/team/0"}, "/team", "required"),
        (
            {"op": "remove", "path": "/details/requirements/solutions/0"},
            "/details/requirements/solutions",
            "required",
        ),
        ({"op": "replace", "path": "/details/dealValue", "value": None}, "/details/dealValue", "required"),
        (7, "/0", "invalidType"),
    ],
)
def test_a_malformed_or_impossible_operation_is_refused_where_it_stands(
    service: Service, name: str, operation: Any, target: str, code: str
) -> None:
    rae = service.rae
    made = rae.create(private(name))
    assert faults(rae.patch(made, operation)) == {target: code}


def test_a_patch_is_an_array_of_at_most_a_hundred_operations(service: Service, name: str) -> None:
    rae = service.rae
    made = rae.create(private(name))
    assert faults(rae.patch(made, *[replacing("/name", "x")] * 101)) == {"": "tooLong"}
    path, tag = f"{REFERRALS}/{made['id']}", {"If-Match": made["eTag"]}
    assert faults(rae.call("PATCH", path, json={"op": "add"}, headers=tag)) == {"": "invalidType"}
    text = {**tag, "Content-Type": "text/plain"}
    assert rae.call("PATCH", path, content=b"[]", headers=text).status_code == 415


def test_names_are_read_whatever_their_case_and_a_test_that_holds_lets_the_rest_through(
    service: Service, name: str
) -> None:
    rae = service.rae
    made = rae.create(private(name))
    done = rae.patch(
        made,
        {"op": "test", "path": "/Details/DealValue", "value": 250000},
        {"op": "replace", "path": "/Details/DealValue", "value": "10000.5"},
        {"op": "add", "path": "/Team/-", "value": {name.upper(): value for name, value in JANE.items()}},
        {"op": "remove", "path": "/campaignId"},
        headers={"Content-Type": "application/json-patch+json"},
    )
    assert done.status_code == 200, done.text
    after = done.json()
    assert (after["details"]["dealValue"], after["campaignId"]) == (10000.5, None)
    assert [contact["email"] for contact in after["team"]] == ["rae@contoso.com", "jane.doe@contoso.com"]


def test_an_edit_that_changes_nothing_leaves_the_version(service: Service, name: str) -> None:
    rae = service.rae
    made = rae.create(private(name))
    assert rae.patch(made, replacing("/name", name)).json()["eTag"] == made["eTag"]
    again = rae.put(f"{REFERRALS}/{made['id']}", made, headers={"If-Match": made["eTag"]})
    assert (again.status_code, again.json()) == (200, made)


def test_a_patch_of_the_status_is_the_verb_with_the_fields_of_the_acceptance(
    service: Service, name: str
) -> None:
    """L2: one patch sets both."""
    made = service.rae.create(deal(name, "fabrikam"))
    own = service.kim.referral_in(made["engagementId"])
    accepted = service.kim.patch(
        own,
        replacing("/status", "Active"),
        replacing("/substatus", "Accepted"),
        replacing("/details/dealValue", 41000),
        replacing("/externalReferenceId", "FAB-1"),
        replacing("/team", [{**JANE, "email": "kim@fabrikam.com"}]),
    )
    assert accepted.status_code == 200, accepted.text
    body = accepted.json()
    assert (body["substatus"], body["salesStage"], body["details"]["dealValue"]) == (
        "Accepted",
        "Accepted",
        41000,
    )
    service.advance("PT0S")
    assert service.rae.parties(made["engagementId"])["fabrikam"] == "Accepted"
    assert service.kim.kinds(own["id"]) == ["received", "accepted"]


def test_a_decline_and_a_loss_by_patch_need_their_reason(service: Service, name: str) -> None:
    """L3, L6: in statusReason, words after a colon."""
    rae, kim = service.rae, service.kim
    made = rae.create(deal(name, "fabrikam"))
    own = kim.referral_in(made["engagementId"])
    decline = (replacing("/status", "Closed"), replacing("/substatus", "Declined"))
    assert faults(kim.patch(own, *decline)) == {"/statusReason": "required"}
    assert faults(kim.patch(own, *decline, replacing("/statusReason", "Because"))) == {
        "/statusReason": "invalidValue"
    }
    assert faults(kim.patch(own, *decline, replacing("/statusReason", "Other"))) == {
        "/statusReason": "required"
    }
    done = kim.patch(own, *decline, replacing("/statusReason", "Other: no capacity"))
    assert (done.json()["substatus"], done.json()["statusReason"]) == ("Declined", "Other")
    lost = rae.patch(
        rae.read(made["id"]),
        replacing("/status", "Closed"),
        replacing("/substatus", "Lost"),
        replacing("/statusReason", "BudgetNotAdequate"),
    )
    assert (lost.status_code, lost.json()["substatus"]) == (200, "Lost")


def test_a_last_value_and_the_win_go_in_one_patch(service: Service, name: str) -> None:
    rae = service.rae
    made = rae.create(private(name))
    won = rae.patch(
        made,
        replacing("/details/dealValue", 99),
        replacing("/salesStage", 80),
        replacing("/status", "Closed"),
        replacing("/substatus", "Won"),
    ).json()
    assert (won["state"] if "state" in won else won["substatus"], won["details"]["dealValue"]) == ("Won", 99)
    assert (won["salesStage"], won["eTag"]) == ("Won", '"2"')
    assert rae.kinds(made["id"]) == ["created", "edited", "stageChanged", "won"]
    refused = rae.patch(won, replacing("/name", "Too late"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "terminalState")


@pytest.mark.parametrize(
    ("changes", "status", "target"),
    [
        ({"/status": "Closed"}, 422, "/substatus"),
        ({"/substatus": "Expired"}, 422, "/substatus"),
        ({"/substatus": "Declined", "/status": "Closed", "/statusReason": "Other: no"}, 409, None),
        ({"/statusReason": "Because"}, 422, "/statusReason"),
    ],
)
def test_a_status_that_no_verb_reaches_is_refused(
    service: Service, name: str, changes: dict, status: int, target: str | None
) -> None:
    made = service.rae.create(private(name))
    answer = service.rae.patch(made, *[replacing(path, value) for path, value in changes.items()])
    assert answer.status_code == status, answer.text
    if target:
        assert set(faults(answer)) == {target}


def test_nothing_but_the_answer_is_edited_before_it_is_given(service: Service, name: str) -> None:
    """E1: Active only; L2's fields with the acceptance."""
    made = service.rae.create(deal(name, "fabrikam"))
    own = service.kim.referral_in(made["engagementId"])
    early = service.kim.patch(own, replacing("/name", "Ours"))
    assert (early.status_code, early.json()["error"]["code"]) == (409, "notAllowed")
    accept = (replacing("/status", "Active"), replacing("/substatus", "Accepted"))
    more = service.kim.patch(own, *accept, replacing("/details/requirements/solutions", []))
    assert set(faults(more)) == {"/details/requirements/solutions"}
    late = service.kim.patch(own, *accept, replacing("/details/closingDateTime", "2001-01-01T00:00:00Z"))
    assert faults(late) == {"/details/closingDateTime": "outOfRange"}


def test_after_sending_the_terms_are_the_invited_partners_alone(service: Service, name: str) -> None:
    """C3: the inviter cannot change them, the invited partner can, solutions as well."""
    made = service.rae.create(deal(name, "fabrikam"))
    own = service.kim.referral_in(made["engagementId"])["id"]
    accepted = service.kim.act(own, "accept").json()
    changed = service.kim.patch(
        accepted,
        replacing("/details/dealValue", 7),
        replacing("/details/currency", "EUR"),
        replacing("/details/requirements/solutions", [{"id": "SOL-MS-AZURE"}, {"id": "SOL-FABRIKAM-IOT"}]),
    ).json()
    kinds = [solution["type"] for solution in changed["details"]["requirements"]["solutions"]]
    assert (changed["details"]["dealValue"], kinds) == (7, ["Microsoft", "MyCompany"])
    service.rae.patch(service.rae.read(made["id"]), replacing("/details/dealValue", 8))
    assert service.kim.read(own)["details"]["dealValue"] == 7
    assert service.rae.get(f"{REFERRALS}/{own}").status_code == 404


def test_a_put_of_the_whole_resource_changes_what_differs_and_ignores_what_the_server_owns(
    service: Service, name: str
) -> None:
    rae = service.rae
    made = rae.create(private(name))
    whole = copy.deepcopy(made)
    whole |= {"name": "Renamed", "createdDateTime": "2001-01-01T00:00:00Z", "links": None, "eTag": "x"}
    whole["details"] |= {"notes": None, "customerAction": None}
    done = rae.put(f"{REFERRALS}/{made['id']}", whole, headers={"If-Match": made["eTag"]})
    assert done.status_code == 200, done.text
    assert (done.json()["name"], done.json()["details"]["notes"]) == ("Renamed", None)
    assert done.json()["createdDateTime"] == made["createdDateTime"]
    moved = {"location": "contoso-munich", "mpnId": "contoso-munich"}
    refused = rae.put(f"{REFERRALS}/{made['id']}", moved, headers={"If-Match": '"2"'})
    assert faults(refused) == {"/location": "notEditable", "/mpnId": "notEditable"}


def test_two_who_edit_the_same_version_have_one_outcome(service: Service, name: str) -> None:
    rae, ana = service.rae, service.ana
    made = rae.create(private(name))
    outcomes = [who.patch(made, replacing("/name", f"By {who.email}")).status_code for who in (rae, ana)]
    assert outcomes == [200, 412]


def test_stages_by_name_by_percent_and_by_the_organizations_own_names(service: Service, name: str) -> None:
    """S1 to S4."""
    rae = service.rae
    made = rae.create(deal(name, "fabrikam"))
    stages = f"{REFERRALS}/{made['id']}/stage"
    marked = [
        rae.post(stages, body).json().get("salesStage")
        for body in ({"stage": "Proposed"}, {"percent": 39.9}, {"percent": 0}, {"stage": "negotiated"})
    ]
    assert marked == ["Proposed", "Qualified", "Created", "Negotiated"]
    for body in (
        {"percent": 100},
        {"percent": -1},
        {"stage": "Won"},
        {"stage": "Accepted"},
        {},
        {"stage": "X"},
    ):
        assert rae.post(stages, body).status_code == 422, body
    assert rae.post(stages, {"stage": "Qualified", "percent": 20}).status_code == 422
    own_names = "/v1.0/organizations/contoso/stage-map"
    table = {
        "stages": [{"name": "Angebot  raus", "stage": "Proposed"}, {"name": "Start", "stage": "Created"}]
    }
    assert rae.put(own_names, table).status_code == 200
    assert rae.post(stages, {"stage": "angebot raus"}).json()["salesStage"] == "Proposed"
    own = service.kim.referral_in(made["engagementId"])["id"]
    assert service.kim.act(own, "stage", {"stage": "Qualified"}).status_code == 409
    service.kim.act(own, "accept")
    assert service.kim.act(own, "stage", {"stage": "Angebot raus"}).status_code == 422
    assert service.kim.act(own, "stage", {"stage": "Developed"}).status_code == 200
    seen = service.rae.get(f"/v1.0/engagements/{made['engagementId']}").json()["parties"]
    assert {p["organizationId"]: p["salesStage"] for p in seen} == {
        "contoso": "Proposed",
        "msft": None,
        "fabrikam": "Developed",
    }
    assert "stageChanged" in rae.kinds(made["id"])


def test_the_conversation_is_for_the_parties_that_take_part(service: Service, name: str) -> None:
    """E3, V1, L5: append-only, numbered, shown to creator and accepted parties."""
    rae, kim, nia = service.rae, service.kim, service.nia
    made = rae.create(deal(name, "fabrikam", "northwind"))
    messages = f"/v1.0/engagements/{made['engagementId']}/messages"
    first = rae.post(messages, {"text": "Welcome."}, headers={"Idempotency-Key": name})
    again = rae.post(messages, {"text": "Welcome."}, headers={"Idempotency-Key": name})
    assert (first.status_code, first.json()) == (201, again.json())
    assert kim.post(messages, {"text": "Too early."}).json()["error"]["code"] == "notAllowed"
    kim.act(kim.referral_in(made["engagementId"])["id"], "accept")
    assert kim.post(messages, {"text": "Hello."}).json()["sequence"] == 2
    assert faults(kim.post(messages, {"text": "   "})) == {"/text": "required"}
    engagement = f"/v1.0/engagements/{made['engagementId']}"
    assert [m["text"] for m in rae.get(engagement).json()["messages"]] == ["Welcome.", "Hello."]
    assert nia.get(engagement).json()["messages"] == []
    assert service.tom.post(messages, {"text": "Hi"}).status_code == 404
    rae.act(made["id"], "win")
    assert rae.post(messages, {"text": "Done."}).json()["error"]["code"] == "terminalState"
    assert len(rae.get(engagement).json()["messages"]) == 2
