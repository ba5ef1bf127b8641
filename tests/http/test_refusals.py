"""What is refused, in which order, with which words; and nothing is stored by a refused request."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.live import ADVENTURE_WORKS, REFERRALS, Service, deal, invitation


@pytest.fixture(scope="module")
def service(service_of_its_own: Service) -> Service:
    """Days pass here."""
    return service_of_its_own


Faults = dict[str, str]


def faults(answer: httpx.Response) -> Faults:
    assert answer.status_code == 422, answer.text
    return {fault["target"]: fault["code"] for fault in answer.json()["error"]["details"]}


def test_every_fault_of_a_request_is_told_at_once_and_nothing_is_stored(service: Service, name: str) -> None:
    before = service.rae.get(REFERRALS).json()["value"]
    body = deal(
        name,
        team=[{"firstName": "Rae", "lastName": "R", "phoneNumber": "12", "email": "nowhere"}],
        consent={"consentToToShareInfoWithOthers": False},
        location="contoso-atlantis",
        colour="blue",
        invitations=[
            invitation("tailspin"),
            invitation("contoso"),
            invitation("nobody", team=[]),
            invitation("fabrikam", target={"type": "BusinessProfileLocation", "id": "contoso-seoul"}),
            invitation("northwind", currency="KRW", dealValue=10.5),
            invitation(
                "northwind", solutions=[{"id": "SA-DATA-ESTATE"}], assistanceRequestCode="NoHelpRequired"
            ),
        ],
    )
    body["customerProfile"]["team"] = []
    body["details"] |= {"dealValue": -1, "currency": "DEM", "closingDateTime": "2001-01-01T00:00:00Z"}
    body["details"]["requirements"]["solutions"] = [{"id": "SOL-UNKNOWN"}, {}]
    assert faults(service.rae.post(REFERRALS, body)) == {
        "/colour": "unknownField",
        "/team/0/phoneNumber": "invalidFormat",
        "/team/0/email": "invalidFormat",
        "/details/requirements/solutions/1/id": "required",
        "/location": "notInCatalogue",
        "/customerProfile/team": "required",
        "/consent/consentToToShareInfoWithOthers": "required",
        "/details/dealValue": "outOfRange",
        "/details/currency": "notInCatalogue",
        "/details/closingDateTime": "outOfRange",
        "/details/requirements/solutions/0/id": "notInCatalogue",
        "/invitations/0/organizationId": "notAllowed",
        "/invitations/1/organizationId": "notAllowed",
        "/invitations/2/organizationId": "notInCatalogue",
        "/invitations/2/team": "required",
        "/invitations/3/target/id": "notInCatalogue",
        "/invitations/4/dealValue": "invalidValue",
        "/invitations/5/organizationId": "notAllowed",
        "/invitations/5/solutions/0/id": "notAllowed",
        "/invitations/5/assistanceRequestCode": "invalidValue",
    }
    assert service.rae.get(REFERRALS).json()["value"] == before
    service.advance("PT0S")
    assert service.mails(name) == []


def test_an_ambiguous_customer_is_refused_with_the_candidates(service: Service, name: str) -> None:
    """C7: the directory tells them apart by their numbers."""
    body = deal(name)
    del body["customerProfile"]["ids"]
    refused = service.rae.post(REFERRALS, body)
    assert faults(refused) == {"/customerProfile/ids": "invalidValue"}
    candidates = refused.json()["error"]["innerError"]["candidates"]
    assert [each["ids"] for each in candidates] == [entity["ids"] for entity in ADVENTURE_WORKS]
    elsewhere = deal(name)
    elsewhere["customerProfile"]["address"]["country"] = "DE"
    assert faults(service.rae.post(REFERRALS, elsewhere)) == {
        "/customerProfile/address/country": "invalidValue"
    }


def test_at_most_twenty_organizations_are_invited_in_one_call(service: Service, name: str) -> None:
    crowd = deal(name, invitations=[invitation("fabrikam")] * 21)
    assert faults(service.rae.post(REFERRALS, crowd)) == {"/invitations": "tooLong"}


def test_microsoft_is_invited_by_the_answer_or_by_name_and_only_once(service: Service, name: str) -> None:
    by_name = deal(name, inviteContext={}, invitations=[{"organizationId": "msft", "notes": "By name."}])
    made = service.rae.create(by_name)
    assert made["inviteContext"]["assistanceRequestCode"] == "GeneralOrOther"
    assert [target["id"] for target in made["target"]] == ["msft"]
    differing = deal(
        name, invitations=[{"organizationId": "msft", "assistanceRequestCode": "QuotesOrLicensing"}]
    )
    assert faults(service.rae.post(REFERRALS, differing)) == {
        "/inviteContext/assistanceRequestCode": "invalidValue"
    }


def test_checks_run_in_their_order(service: Service, name: str) -> None:
    """401 · 413, 415 · 404 · 403 · 400 · 412 · 409 · 422: the first that fails answers."""
    made = service.rae.create(deal(name))
    lose, sam = f"{REFERRALS}/{made['id']}/lose", service.sam
    own = sam.referral_in(made["engagementId"])["id"]
    stale, typed = {"If-Match": '"9"'}, {"Content-Type": "application/json"}
    assert service.http.post(service.stack.url + lose, content=b"{").status_code == 401
    assert service.kim.call("POST", lose, content=b" " * 2_000_000 + b"{}", headers=typed).status_code == 413
    assert (
        service.kim.call("POST", lose, content=b"{}", headers={"Content-Type": "text/xml"}).status_code == 415
    )
    assert service.kim.call("POST", lose, content=b"{", headers=typed).status_code == 404
    assert service.rae.call("POST", lose, content=b"{", headers=stale | typed).status_code == 400
    assert service.kim.post(lose, {"reason": "?"}, headers=stale).status_code == 404
    refused = service.rae.post(lose, {"reason": "?"}, headers=stale)
    assert (refused.status_code, refused.json()["error"]["code"]) == (412, "resourceModified")
    assert refused.json()["error"]["innerError"]["eTag"] == '"1"'
    assert sam.act(own, "lose", {"reason": "?"}).json()["error"]["code"] == "notAllowed"
    assert faults(service.rae.post(lose, {"reason": "?"}, headers={"If-Match": '"1"'})) == {
        "/reason": "invalidValue"
    }
    assert faults(service.rae.post(lose, {"reason": "Other"})) == {"/notes": "required"}


def test_a_stale_answer_hears_what_changed_since(service: Service, name: str) -> None:
    made = service.rae.create(deal(name, "fabrikam"))
    kim = service.kim
    own = kim.referral_in(made["engagementId"])
    kim.act(own["id"], "accept", {"dealValue": 1})
    stale = kim.act(own["id"], "win", headers={"If-Match": own["eTag"]})
    assert stale.status_code == 412
    changed = set(stale.json()["error"]["innerError"]["changedFields"])
    assert {"/status", "/substatus", "/salesStage", "/details/dealValue"} <= changed


@pytest.mark.parametrize("round_", range(6))
def test_of_accept_and_decline_at_the_same_moment_exactly_one_happens(
    service: Service, name: str, round_: int
) -> None:
    """L4: the loser is told what stands in its way."""
    made = service.rae.create(deal(f"{name} {round_}", "fabrikam"))
    own = service.kim.referral_in(made["engagementId"])["id"]
    answers = {"accept": {}, "decline": {"reason": "TimelineTooShort"}}
    with ThreadPoolExecutor(2) as pool:
        done = dict(
            zip(
                answers,
                pool.map(lambda verb: service.kim.act(own, verb, answers[verb]), answers),
                strict=True,
            )
        )
    codes = {verb: answer.status_code for verb, answer in done.items()}
    assert sorted(codes.values()) == [200, 409]
    winner = next(verb for verb, code in codes.items() if code == 200)
    loser = next(answer for answer in done.values() if answer.status_code == 409)
    assert loser.json()["error"]["code"] == ("notAllowed" if winner == "accept" else "terminalState")
    kinds = service.kim.kinds(own)
    assert len([kind for kind in kinds if kind in {"accepted", "declined"}]) == 1


@pytest.mark.parametrize("round_", range(4))
def test_of_an_answer_and_the_expiry_at_the_same_moment_exactly_one_happens(
    service: Service, name: str, round_: int
) -> None:
    """L4: the clock runs into the deadline while the answer is on its way."""
    made = service.rae.create(deal(f"{name} {round_}", "fabrikam"))
    own = service.kim.referral_in(made["engagementId"])["id"]
    service.advance("P13DT23H59M58S")
    with ThreadPoolExecutor(2) as pool:
        passing = pool.submit(service.advance, "PT2S")
        answer = pool.submit(service.kim.act, own, "accept").result()
        passing.result()
    service.advance("PT1S")
    outcome = [kind for kind in service.kim.kinds(own) if kind in {"accepted", "expired"}]
    if answer.status_code == 200:
        assert outcome == ["accepted"]
    else:
        assert (answer.status_code, answer.json()["error"]["code"], outcome) == (
            409,
            "terminalState",
            ["expired"],
        )


def test_every_fault_of_an_answer_is_told_at_once_and_nothing_changes(service: Service, name: str) -> None:
    """L2, C6: zero is no amount, and what is sent empty is a fault."""
    made = service.rae.create(deal(name, "fabrikam"))
    kim = service.kim
    own = kim.referral_in(made["engagementId"])
    body = {
        "dealValue": 0,
        "currency": "KRX",
        "closingDateTime": "2001-01-01",
        "name": " ",
        "team": [{}],
        "no": 1,
    }
    told = faults(kim.act(own["id"], "accept", body))
    assert told == {
        "/dealValue": "outOfRange",
        "/currency": "notInCatalogue",
        "/closingDateTime": "outOfRange",
        "/name": "required",
        "/no": "unknownField",
        **{f"/team/0/{field}": "required" for field in ("firstName", "lastName", "phoneNumber", "email")},
    }
    assert faults(kim.act(own["id"], "accept", {"currency": "KRW", "dealValue": 10.5})) == {
        "/dealValue": "invalidValue"
    }
    assert kim.get(f"{REFERRALS}/{own['id']}").json() == own


def test_a_repeated_verb_with_the_same_key_is_answered_as_the_first(service: Service, name: str) -> None:
    made = service.rae.create(deal(name, "fabrikam"))
    kim, key = service.kim, {"Idempotency-Key": f"accept {name}"}
    own = kim.referral_in(made["engagementId"])["id"]
    first, again = (kim.act(own, "accept", headers=key) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()["id"]) == (200, 200, own)
    assert kim.act(own, "accept", headers={"Idempotency-Key": "another"}).status_code == 409
    assert kim.kinds(own).count("accepted") == 1


def test_concurrent_creations_under_one_key_make_one_deal(service: Service, name: str) -> None:
    body, headers = deal(name, "fabrikam"), {"Idempotency-Key": f"together {name}"}
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: service.rae.post(REFERRALS, body, headers=headers), range(4)))
    assert {answer.status_code for answer in made} == {201}
    assert len({answer.json()["id"] for answer in made}) == 1


BAD_BODIES = [
    *[
        b"{",
        b'{"name": NaN}',
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b"[" * 50_000,
        b"\x00",
        b"1e",
        b'{"a":1}x',
    ],
    b'{"details":{"dealValue":' + b"9" * 5000 + b"}}",
    b'{"a":' * 3000 + b"1" + b"}" * 3000,
]
BAD_DOCUMENTS: list[Any] = [
    *[[], None, 7, "text", True],
    {"name": ["x"], "team": {"a": 1}, "customerProfile": 7, "details": [], "invitations": "no", "consent": 1},
    {
        "details": {
            "dealValue": True,
            "currency": 5,
            "closingDateTime": 12,
            "requirements": {"solutions": [1, None]},
        }
    },
    {"details": {"requirements": {"industries": [1, {}, []], "solutions": [{"id": {}}, {"id": "/#?\\"}]}}},
    {
        "invitations": [
            None,
            1,
            [],
            {"organizationId": []},
            {"organizationId": "a/b#?"},
            {"organizationId": "x" * 999},
        ]
    },
    {"details": {"dealValue": "1e400", "closingDateTime": "9999-12-31T23:59:59-23:00"}},
    {"details": {"dealValue": 0.001, "closingDateTime": "0001-01-01T00:00:00+23:00"}},
    {"team": [{"email": "a@" + "b" * 300 + ".com", "phoneNumber": "+" * 30}] * 60},
    {"team": [{}] * 100_000},
    {
        "customerProfile": {"name": "\u0000", "ids": {}, "address": {"country": "XX"}},
        "location": "%",
        "mpnId": "$",
    },
]


@pytest.mark.parametrize("index", range(len(BAD_BODIES)))
def test_what_cannot_be_read_is_a_400(service: Service, index: int) -> None:
    headers = {"Content-Type": "application/json"}
    assert service.rae.call("POST", REFERRALS, content=BAD_BODIES[index], headers=headers).status_code == 400


@pytest.mark.parametrize("index", range(len(BAD_DOCUMENTS)))
def test_what_can_be_read_but_makes_no_deal_is_a_422(service: Service, index: int) -> None:
    content, headers = json.dumps(BAD_DOCUMENTS[index]), {"Content-Type": "application/json"}
    answer = service.rae.call("POST", REFERRALS, content=content, headers=headers)
    assert answer.status_code in ({413, 422} if len(content) > 1_000_000 else {422}), answer.text[:300]


@pytest.mark.parametrize(
    "path",
    [
        *[f"{REFERRALS}?$top={top}" for top in ("0", "-1", "x", "1.5", "%C2%B2")],
        *[f"{REFERRALS}?$skiptoken={token}" for token in ("%%%", "zzzz", "é", "AAAA")],
        *[f"{REFERRALS}?{option}=1" for option in ("$filter", "$orderby", "$count", "nonsense")],
    ],
)
def test_a_query_that_is_not_understood_is_a_400_that_names_it(service: Service, path: str) -> None:
    refused = service.rae.get(path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalidRequest"), path


@pytest.mark.parametrize(
    "identifier", ["nope", "%01", "a" * 2000, "..", "00000000-0000-7000-8000-00000000000G", "%F0%9F%98%80"]
)
def test_an_id_that_is_none_reads_like_an_unknown_one(service: Service, identifier: str) -> None:
    for path in (f"{REFERRALS}/{identifier}/timeline", f"{REFERRALS}/{identifier}/accept"):
        method = "GET" if path.endswith("timeline") else "POST"
        assert service.rae.call(method, path, json={}).status_code == 404


def test_answers_carry_the_ids_of_the_request(service: Service) -> None:
    sent = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    answer = service.rae.get(REFERRALS, headers={"client-request-id": sent})
    assert answer.headers["client-request-id"] == sent
    assert answer.headers["request-id"]
    assert answer.headers["timestamp"].endswith("Z")
    assert service.rae.get(REFERRALS, headers={"client-request-id": "x" * 999}).status_code == 200
