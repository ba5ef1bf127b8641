"""No good token, no answer: signature, issuer, audience and times are checked, and claims give no rights."""

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from localcloud.issuer import AUDIENCE, ISSUER, SCOPE
from tests.live import REFERRALS, WORLD, Service, deal

TENANT, OID, _, _ = WORLD["rae"]
STRANGERS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {
        "iss": ISSUER.replace("{tid}", TENANT),
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "tid": TENANT,
        "oid": OID,
        "scp": SCOPE,
    }
    return {key: value for key, value in (good | changes).items() if value is not None}


@pytest.fixture(scope="module")
def signed(service: Service) -> Any:
    """Signs claims as the development issuer does, with its key and key id."""
    token = service.rae.token
    key_file = next(service.stack.data.path.glob("issuer/*.pem"))
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    header = jwt.get_unverified_header(token)

    def sign(payload: dict[str, Any], **options: Any) -> str:
        return jwt.encode(
            payload, options.pop("key", key), options.pop("algorithm", "RS256"), headers=header | options
        )

    return sign


def answer(service: Service, authorization: str | None) -> tuple[int, str]:
    headers = {} if authorization is None else {"Authorization": authorization}
    got = service.http.get(f"{service.stack.url}{REFERRALS}", headers=headers)
    assert got.status_code != 401 or got.headers["WWW-Authenticate"] == "Bearer"
    return got.status_code, got.json().get("error", {}).get("code", "")


def test_a_good_token_is_let_in(service: Service, signed: Any) -> None:
    assert answer(service, f"Bearer {signed(claims())}") == (200, "")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic cmFlOnJhZQ==", "Bearer x.y.z"])
def test_without_a_token_nobody_is_let_in(service: Service, header: str | None) -> None:
    assert answer(service, header) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Bearer \xff.a.b", 400),
        (b"Bearer \xed\xa0\x80.a.b", 400),
        ("Bearer é.a.b".encode(), 401),
        ("Bearer \ufffd.a.b".encode(), 401),
        (b"Bearer " + b"a" * 20_000 + b".a.a", 401),
    ],
    ids=["not UTF-8", "a surrogate", "not ASCII", "a replacement character", "long"],
)
def test_bytes_that_are_no_token_are_refused(service: Service, header: bytes, status: int) -> None:
    """The host itself refuses what is not UTF-8; that it need not is tried in `tests/handlers/test_tokens.py`."""
    got = service.http.get(f"{service.stack.url}{REFERRALS}", headers={b"Authorization": header})
    assert got.status_code == status


@pytest.mark.parametrize(
    "changes",
    [
        *({"scp": None}, {"scp": "User.Read"}, {"scp": ["access_as_user"]}, {"scp": 7}),
        *({"scp": None, "roles": "Referrals.Access"}, {"scp": None, "roles": [["Referrals.Access"], 7]}),
    ],
    ids=str,
)
def test_a_token_that_was_not_issued_for_this_api_opens_nothing(
    service: Service, signed: Any, changes: dict[str, Any]
) -> None:
    assert answer(service, f"Bearer {signed(claims(**changes))}") == (403, "accessDenied")


def test_an_id_token_is_none_for_this_api(service: Service, signed: Any) -> None:
    """Its audience is the client itself."""
    token = signed(claims(aud="11111111-2222-4333-8444-555555555555", scp=None, name="Rae"))
    assert answer(service, f"Bearer {token}") == (401, "unauthenticated")


def test_ids_in_capital_letters_are_the_same_persons(service: Service, signed: Any, name: str) -> None:
    made = service.rae.create(deal(name))
    assert service.rae.call("PUT", f"{REFERRALS}/{made['id']}/favorite").status_code == 204
    token = signed(claims(tid=TENANT.upper(), oid=OID.upper()))
    headers = {"Authorization": f"Bearer {token}"}
    got = service.http.get(f"{service.stack.url}{REFERRALS}/{made['id']}", headers=headers)
    assert (got.status_code, got.json()["favorite"]) == (200, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://issuer.localhost/other/v2.0"},
        {"iss": "https://elsewhere.example/v2.0"},
        {"iss": None},
        {"tid": "00000000-0000-0000-0000-000000000000"},
        {"aud": "api://another-service"},
        {"aud": None},
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"nbf": int(time.time()) + 3600},
        {"tid": None},
        {"oid": None},
        {"oid": ""},
        {"oid": 7},
    ],
    ids=lambda changes: next(iter(changes)),  # without the times, which differ from process to process
)
def test_a_claim_that_does_not_fit_is_refused(service: Service, signed: Any, changes: dict[str, Any]) -> None:
    assert answer(service, f"Bearer {signed(claims(**changes))}") == (401, "unauthenticated")


def test_a_token_signed_by_a_stranger_is_refused(service: Service, signed: Any) -> None:
    assert answer(service, f"Bearer {signed(claims(), key=STRANGERS_KEY)}") == (401, "unauthenticated")
    unknown = signed(claims(), key=STRANGERS_KEY, kid="unknown")
    assert answer(service, f"Bearer {unknown}") == (401, "unauthenticated")


def test_a_token_without_a_proper_signature_is_refused(service: Service, signed: Any) -> None:
    nobodys = jwt.encode(
        claims(), None, "none", headers={"kid": jwt.get_unverified_header(service.rae.token)["kid"]}
    )
    secret = signed(claims(), key="0123456789abcdef0123456789abcdef", algorithm="HS256", alg="HS256")
    for token in (nobodys, secret, signed(claims())[:-8] + "AAAAAAAA"):
        assert answer(service, f"Bearer {token}") == (401, "unauthenticated")


def test_who_is_in_no_directory_may_do_nothing(service: Service, signed: Any) -> None:
    stranger = claims(oid="11111111-1111-1111-1111-111111111111", roles=["MpnPartnerAdmin"])
    assert answer(service, f"Bearer {signed(stranger)}") == (403, "accessDenied")


def test_roles_in_a_token_give_no_rights(service: Service, signed: Any) -> None:
    """V7: what a person may do comes from the directory."""
    tenant, oid, _, _ = WORLD["dee"]
    reviewer = claims(tid=tenant, iss=ISSUER.replace("{tid}", tenant), oid=oid, roles=["MicrosoftSeller"])
    assert answer(service, f"Bearer {signed(reviewer)}") == (403, "accessDenied")


def test_only_health_needs_no_token(service: Service) -> None:
    ready = service.http.get(f"{service.stack.url}/healthz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    some = "00000000-0000-7000-8000-000000000000"
    for method, path in [
        *[("GET", REFERRALS), ("POST", REFERRALS), ("GET", f"{REFERRALS}/{some}")],
        *[("GET", f"{REFERRALS}/{some}/timeline"), ("GET", f"/v1.0/engagements/{some}")],
        *[("POST", f"{REFERRALS}/{some}/{verb}") for verb in ("accept", "decline", "win", "lose")],
    ]:
        assert service.http.request(method, f"{service.stack.url}{path}").status_code == 401, path
