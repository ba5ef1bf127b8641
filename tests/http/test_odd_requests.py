"""Odd bytes in every header, query option, path and number: refused as the contract says, and never a 500.

What the contract says of shapes is tried in `test_contract`; here requests are sent as bytes, as no client library
would send them.
"""

import base64
import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from api import operations  # noqa: F401 - declares every operation
from api.http.operation import OPERATIONS, Operation
from tests.live import REFERRALS, Person, Service, deal, private

ODD_BYTES = [
    b"\xff",
    b"\xff.a.b",
    b"Bearer \xff.a.b",
    "é".encode(),
    "\U0001f600".encode(),
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\x7f",
    b"\t",
    b'"',
    b'"\xb2"',
    "\u00b2".encode(),
    b"*",
    b"W/",
    b'"1", "2", \xff',
    b"=" * 200,
    b"9" * 5000,
    b"%00",
    b"%ff%fe",
    b"\\",
    b"/../..",
]
"""For headers; each is also a value of some header that clients send wrongly."""
HEADERS = [
    "Host",
    "Origin",
    "Authorization",
    "Idempotency-Key",
    "client-request-id",
    "If-Match",
    "If-None-Match",
    "Prefer",
    "Content-Type",
    "Accept",
    "X-Forwarded-For",
    "traceparent",
]
ODD_OPTIONS = [
    "",
    " ",
    "0",
    "-1",
    "1" * 4400,
    "0" * 4400 + "1",
    "1e9",
    "²",
    "٣",
    "null",
    "true",
    "\x00",
    "\ud800",
    "\ufffd",
    "é" * 100,
    "[" * 2000,
    "(" * 2000,
    "not " * 1000,
    base64.urlsafe_b64encode(b"[" * 5000).decode(),
    base64.urlsafe_b64encode(b'{"place": ' * 500).decode(),
    "'" * 101,
    "a" * 6000,
    "$filter",
    "../..",
    "%",
]
ODD_NUMBERS = [
    "1E+9999999999999999999",
    "1E-9999999999999999999",
    "-1e400",
    "1e999",
    "1e1000",
    "0." + "0" * 3000 + "1",
    "9" * 5000,
    "-0.0",
    "1.0000000000000000000000000000000000001",
    "NaN",
    "-Infinity",
    "01",
    "1e",
    "9007199254740993",
    "1e-7",
]


def sent(
    service: Service, method: str, path: str, headers: dict[str, bytes], body: bytes = b""
) -> tuple[int, bytes]:
    """The status and body of the answer to a request that is sent as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", service.stack.addresses.host, timeout=60)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def asked_by(service: Service, declared: Operation) -> Person:
    """Somebody who may ask for it."""
    if declared.name in {"submit_leads", "find_providers"}:
        return service.web
    if declared.name in {"review_registration", "assign_registration"}:
        return service.dee
    return service.ops if "routing" in declared.route else service.ana


@pytest.fixture(scope="module")
def service(service_of_its_own: Service) -> Service:
    """Whatever is sent may be stored."""
    return service_of_its_own


@pytest.fixture(scope="module")
def places(service: Service) -> dict[str, str]:
    """Values of the routes' parameters that exist, where there are such."""
    made = service.rae.create(deal("Odd requests", "fabrikam"))
    return {
        "id": made["id"],
        "engagementId": made["engagementId"],
        "country": "US",
        "location": "contoso-seattle",
        "token": "A" * 43,
        "rid": "00000000-0000-7000-8000-000000000001",
        "oid": "00000000-0000-4000-8000-000000000001",
    }


def path_of(declared: Operation, places: dict[str, str]) -> str:
    route = {**places, **({"id": "contoso"} if "organizations" in declared.route else {})}
    return "/" + declared.route.format_map({name: quote(value) for name, value in route.items()})


def require_described(declared: Operation, status: int, body: bytes, what: object) -> None:
    """A status of the contract, and an error with a code; the host itself refuses what is no HTTP, or too long."""
    described = {*declared.returns, *declared.error_statuses}
    assert status < 500, (declared.name, what, status, body[:300])
    assert status in described or status in {400, 414}, (declared.name, what, status, body)
    if status >= 400 and body[:1] == b"{" and not declared.public:
        assert json.loads(body)["error"]["code"], what


NAMES = sorted(OPERATIONS)


EVERYWHERE = ["create_referral", "get_referral", "patch_referral", "get_docs"]
"""Operations that are tried with every header: what all operations have in common is the same in the others."""


def odd_headers(declared: Operation) -> Iterator[tuple[str, bytes]]:
    names = HEADERS if declared.name in EVERYWHERE else ["Authorization", *declared.headers]
    values = ODD_BYTES if declared.name in EVERYWHERE or declared.headers else ODD_BYTES[:2]
    yield from ((name, value) for name in names for value in values)


@pytest.mark.parametrize("name", NAMES)
def test_no_bytes_of_a_header_are_more_than_a_refusal(
    service: Service, places: dict[str, str], name: str
) -> None:
    declared, path = OPERATIONS[name], path_of(OPERATIONS[name], places)
    usual = {
        "Authorization": f"Bearer {asked_by(service, declared).token}".encode(),
        "Content-Type": b"application/json",
    }
    body = b"{}" if declared.body is not None else b""
    for header, value in odd_headers(declared):
        status, answer = sent(service, declared.method, path, {**usual, header: value}, body)
        if header == "Authorization" and not declared.public:
            assert status in {400, 401}, (value, status)
        require_described(declared, status, answer, (header, value))


def odd_queries(declared: Operation) -> Iterator[str]:
    names = [option.name for option in declared.query or ()] or ["unknown"]
    for name in names:
        for value in ODD_OPTIONS:
            yield f"{name}={quote(value.encode('utf-8', 'surrogatepass'), safe='')}"
        yield f"{name}=%ff%fe"
        yield f"{name}=1&{name}=2"


@pytest.mark.parametrize("name", [name for name in NAMES if OPERATIONS[name].query])
def test_no_value_of_a_query_option_is_more_than_a_refusal(
    service: Service, places: dict[str, str], name: str
) -> None:
    declared, path = OPERATIONS[name], path_of(OPERATIONS[name], places)
    person = asked_by(service, declared)
    for query in odd_queries(declared):
        status, answer = sent(
            service,
            declared.method,
            f"{path}?{query}",
            {"Authorization": f"Bearer {person.token}".encode()},
        )
        require_described(declared, status, answer, query[:200])


ODD_PLACES = ["%ff", "%00", "%2F", "..", "%5C", "é", "%F0%9F%98%80", "%ED%A0%80", "a" * 300, "%C3%A9" * 100]


@pytest.mark.parametrize("name", [name for name in NAMES if "{" in OPERATIONS[name].route])
def test_no_name_in_a_path_is_more_than_unknown(service: Service, places: dict[str, str], name: str) -> None:
    declared = OPERATIONS[name]
    person, body = asked_by(service, declared), b"{}" if declared.body is not None else b""
    headers = {
        "Authorization": f"Bearer {person.token}".encode(),
        "Content-Type": b"application/json",
    }
    parameters = [part[1:-1] for part in declared.route.split("/") if part.startswith("{")]
    for parameter in parameters:
        for odd in ODD_PLACES:
            known = {**places, **({"id": "contoso"} if "organizations" in declared.route else {})}
            path = "/" + declared.route.format_map({**known, parameter: odd}).replace("é", "%C3%A9")
            status, answer = sent(service, declared.method, path, headers, body)
            require_described(declared, status, answer, path[:100])


ODD_BODIES = [
    b'{"\\ud800": 1, "\\ud800": 2}',
    b'{"\\ud800": 1}',
    b'{"name": "\\udc00", "details": {"notes": "\\ud800"}}',
    b'{"": 1, "": 2}',
    b'{"~": 1, "~": 2, "/": 1, "/": 2}',
    b'{"\\u0000": 1, "\\u0000": 2}',
    b'[{"op": "test", "OP": "add", "path": "/name", "value": {"a": 1, "A": 2}}]',
    b'[{"op": "test", "path": "/\\ud800", "value": 1}]',
    b'[{"op": "replace", "path": "/name", "value": "\\ud800"}]',
    b"[[[[]]]]",
    b'"text"',
    b"null",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
    b'{"name": {"name": {"NAME": 1, "name": 2}}}',
]
"""Names and texts that are no Unicode, or are there twice; and documents of another shape."""


@pytest.mark.parametrize("name", [name for name in NAMES if OPERATIONS[name].body is not None])
def test_no_names_and_texts_of_a_body_are_more_than_a_refusal(
    service: Service, places: dict[str, str], name: str
) -> None:
    declared, path = OPERATIONS[name], path_of(OPERATIONS[name], places)
    headers = {
        "Authorization": f"Bearer {asked_by(service, declared).token}".encode(),
        "Content-Type": b"application/json",
        "If-Match": b"*",
    }
    for body in ODD_BODIES:
        for key in ({}, {"Idempotency-Key": b"odd body"}):
            status, answer = sent(service, declared.method, path, {**headers, **key}, body)
            require_described(declared, status, answer, body)


def numbers_in(document: Any) -> int:
    """How many numbers a document has."""
    if isinstance(document, dict | list):
        values = document.values() if isinstance(document, dict) else document
        return sum(numbers_in(each) for each in values)
    return int(isinstance(document, int | float) and not isinstance(document, bool))


@pytest.mark.parametrize("number", ODD_NUMBERS, ids=lambda number: number[:24])
def test_no_number_is_more_than_a_fault(service: Service, places: dict[str, str], number: str) -> None:
    person = service.rae
    headers = {
        "Authorization": f"Bearer {person.token}".encode(),
        "Content-Type": b"application/json",
    }
    referral = f"{REFERRALS}/{places['id']}"
    version = person.get(referral).json()["eTag"].encode()
    body = private("Odd number")
    body["details"]["dealValue"] = 123454321
    assert numbers_in(body) == 1
    bodies: list[tuple[str, str, str]] = [
        ("POST", REFERRALS, json.dumps(body).replace("123454321", number)),
        ("POST", f"{referral}/stage", f'{{"percent": {number}}}'),
        ("PATCH", referral, f'[{{"op": "replace", "path": "/details/dealValue", "value": {number}}}]'),
        ("PATCH", referral, f'[{{"op": "replace", "path": "/salesStage", "value": {number}}}]'),
        ("PATCH", referral, f'[{{"op": "test", "path": "/name", "value": {number}}}]'),
        ("PUT", referral, f'{{"details": {{"dealValue": {number}}}, "unknown": {number}}}'),
        ("POST", f"{referral}/accept", f'{{"dealValue": {number}}}'),
        ("POST", f"{referral}/invitations", f'{{"invitations": [{{"dealValue": {number}}}]}}'),
        (
            "POST",
            f"{referral}/registrations",
            f'{{"solutionValue": {number}, "contract": {{"value": {number}}}}}',
        ),
        ("POST", f"{referral}/lose", f'{{"reason": {number}, "notes": {number}}}'),
    ]
    for method, path, text in bodies:
        for extra in ({}, {"If-Match": version}, {"Idempotency-Key": b"odd"}):
            status, answer = sent(service, method, path, {**headers, **extra}, text.encode())
            assert status < 500, (method, path, number[:40], answer[:300])
    status, _ = sent(
        service,
        "POST",
        "/v1.0/leads",
        {**headers, "Authorization": f"Bearer {service.web.token}".encode()},
        f'{{"alternatives": {number}}}'.encode(),
    )
    assert status < 500
