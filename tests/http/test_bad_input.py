"""Bad input by hand (docs/api.md): each a 4xx with its reason, at once, and without taking memory."""

import json
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.live import REFERRALS, Service, deal, private

JSON_TYPE = {"Content-Type": "application/json"}


def sent(service: Service, body: dict[str, Any], raw: dict[str, str] | None = None) -> dict[str, str]:
    """The faults of a creation; `raw` puts JSON text where the body has a placeholder."""
    content = json.dumps(body)
    for placeholder, text in (raw or {}).items():
        content = content.replace(json.dumps(placeholder), text)
    answer = service.rae.call("POST", REFERRALS, content=content, headers=JSON_TYPE)
    assert answer.status_code == 422, answer.text
    return {fault["target"]: fault["message"] for fault in answer.json()["error"]["details"]}


@pytest.mark.parametrize(
    ("details", "target", "word"),
    [
        ({"dealValue": "@"}, "/details/dealValue", "number"),
        ({"dealValue": 10.005, "currency": "USD"}, "/details/dealValue", "2 decimals"),
        ({"dealValue": 10.5, "currency": "JPY"}, "/details/dealValue", "0 decimals for JPY"),
        ({"dealValue": 1.234, "currency": "BHD"}, "/details/dealValue", "2 decimals for BHD"),
        ({"dealValue": 1e12}, "/details/dealValue", "at most 999,999,999,999.99"),
        ({"dealValue": 0}, "/details/dealValue", "above 0"),
        ({"dealValue": "ten"}, "/details/dealValue", ""),
        ({"dealValue": True}, "/details/dealValue", "number"),
        ({"currency": "DEM"}, "/details/currency", "current ISO 4217"),
        ({"currency": "usd"}, "/details/currency", ""),
        ({"closingDateTime": "2025-12-31T00:00:00Z"}, "/details/closingDateTime", "later date"),
        ({"closingDateTime": "soon"}, "/details/closingDateTime", ""),
        ({"notes": "x" * 8001}, "/details/notes", "8000"),
        ({"colour": "blue"}, "/details/colour", "no such field"),
    ],
)
def test_details_that_cannot_be_are_refused_with_the_reason(
    service: Service, details: dict, target: str, word: str
) -> None:
    body = private("Bad details")
    body["details"] = {**body["details"], **details}
    faults = sent(service, body, {"@": "1e400"})
    assert set(faults) == {target}
    assert word in faults[target]


@pytest.mark.parametrize(
    ("contact", "target"),
    [
        ({"email": "rae"}, "/team/0/email"),
        ({"email": "rae@"}, "/team/0/email"),
        ({"email": "rae@localhost"}, "/team/0/email"),
        ({"email": "a b@contoso.com"}, "/team/0/email"),
        ({"phoneNumber": "none"}, "/team/0/phoneNumber"),
        ({"phoneNumber": "12345"}, "/team/0/phoneNumber"),
        ({"phoneNumber": "+1 234 567 890 123 456"}, "/team/0/phoneNumber"),
        ({"firstName": "x" * 256}, "/team/0/firstName"),
        ({"lastName": "a\nb"}, "/team/0/lastName"),
        ({"contactPreference": {"locale": "not a locale!"}}, "/team/0/contactPreference/locale"),
        ({"age": 7}, "/team/0/age"),
    ],
)
def test_contacts_that_cannot_be_reached_are_refused(service: Service, contact: dict, target: str) -> None:
    body = private("Bad contact")
    body["team"] = [{**body["team"][0], **contact}]
    assert set(sent(service, body)) == {target}


def test_every_fault_of_a_body_is_told_at_once(service: Service) -> None:
    body = deal("x" * 256, "fabrikam", "contoso", "nobody", consent={}, team=[], location="moon")
    body["customerProfile"] = {"name": "", "address": {"country": "XX"}}
    body["details"] = {"dealValue": -1, "currency": "XXX?", "requirements": {"solutions": [{"id": "?"}]}}
    body["unknown"] = 1
    assert set(sent(service, body)) == {
        *("/name", "/location", "/team", "/unknown", "/customerProfile/name", "/customerProfile/team"),
        *("/customerProfile/address/country", "/consent/consentToToShareInfoWithOthers"),
        *("/details/dealValue", "/details/currency", "/details/closingDateTime"),
        *("/details/requirements/solutions/0/id", "/invitations/1/organizationId"),
        "/invitations/2/organizationId",
    }


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"name": NaN}', 400),
        (b'{"name": Infinity}', 400),
        (b'{"name": "\xff\xfe"}', 400),
        (b"\xff" * 100, 400),
        (b"{" * 100_000, 400),
        (b'{"team": [' + b'{"firstName": "A"},' * 1_000_000 + b"{}]}", 413),
        (b'{"name": "' + b"x" * 50_000_000 + b'"}', 413),
    ],
    ids=["NaN", "Infinity", "invalid UTF-8", "no text", "nesting", "a million members", "50 MB"],
)
def test_a_body_that_cannot_be_read_is_refused_with_the_reason(
    service: Service, content: bytes, status: int
) -> None:
    refused = service.rae.call("POST", REFERRALS, content=content, headers=JSON_TYPE)
    assert refused.status_code == status
    assert refused.json()["error"]["message"]


@pytest.mark.parametrize("verb", ["win", "accept", "decline", "stage", "invitations"])
def test_a_body_in_chunks_is_refused_and_does_nothing(service: Service, verb: str, name: str) -> None:
    """The Functions host hands such a body on as an empty one, which would be another wish."""
    made = service.rae.create(private(name))
    path = f"{REFERRALS}/{made['id']}"
    refused = service.rae.call("POST", f"{path}/{verb}", content=iter([b'{"no', b'": 1}']), headers=JSON_TYPE)
    assert refused.status_code == 411, refused.text
    assert refused.json()["error"]["code"] == "invalidRequest"
    assert "Content-Length" in refused.json()["error"]["message"]
    assert service.rae.read(made["id"])["eTag"] == made["eTag"]


def test_chunks_are_refused_wherever_they_are_sent(service: Service) -> None:
    """Also where an operation takes no body; without a token it is the token that is asked for."""
    for method, path in [
        ("POST", REFERRALS),
        ("GET", REFERRALS),
        ("PUT", f"{REFERRALS}/unknown"),
        ("PATCH", f"{REFERRALS}/unknown"),
        ("DELETE", f"{REFERRALS}/unknown/favorite"),
        ("POST", "/v1.0/leads"),
        ("POST", f"/v1.0/mail-events?key={service.stack.environment()['MAIL_EVENTS_KEY']}"),
    ]:
        refused = service.rae.call(method, path, content=iter([b"[]"]), headers=JSON_TYPE)
        assert refused.status_code == 411, (method, path)
    unknown = service.http.post(service.stack.url + REFERRALS, content=iter([b"[]"]), headers=JSON_TYPE)
    assert unknown.status_code == 401


def test_a_filter_of_twenty_thousand_terms_is_refused(service: Service) -> None:
    """By the app where it arrives, by the host where its line is too long."""
    address = urlsplit(service.stack.url)
    for terms, status, has_words in ((200, 400, True), (20_000, 414, False)):
        text = quote(" or ".join(["status eq 'New'"] * terms))
        connection = HTTPConnection(address.hostname or "", address.port, timeout=30)
        headers = {"Authorization": f"Bearer {service.rae.token}"}
        connection.request("GET", f"{REFERRALS}?$filter={text}", headers=headers)
        refused = connection.getresponse()
        assert refused.status == status
        assert bool(refused.read()) is has_words
        connection.close()


def test_bodies_that_are_too_large_take_memory_once_and_give_it_back(service: Service) -> None:
    """The host takes in a whole body before the app can refuse it: one at a time, and none is kept."""
    app = service.stack.host
    if app.name != "devhost":
        pytest.skip("Memory is measured on devhost, where the app runs in the host's process.")
    body = b'{"name": "' + b"x" * 50_000_000 + b'"}'

    def resident(kind: str) -> int:
        status = Path(f"/proc/{app.pid}/status").read_text(encoding="ascii")
        return int(status.split(f"{kind}:")[1].split()[0])

    def refuse() -> None:
        refused = service.rae.call("POST", REFERRALS, content=body, headers=JSON_TYPE)
        assert refused.status_code == 413
        assert "1,048,576 bytes" in refused.json()["error"]["message"]

    service.rae.call("POST", REFERRALS, content=body[:1_000_000], headers=JSON_TYPE)
    before = resident("VmRSS")
    refuse()
    once = resident("VmHWM")
    for _ in range(5):
        refuse()
    assert resident("VmHWM") - once < 20_000  # kB, of 50 MB sent five times
    assert service.rae.get(REFERRALS).status_code == 200
    assert resident("VmRSS") - before < 40_000, "a body of 50 MB is kept after the next request"
