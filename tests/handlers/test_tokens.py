"""What a token must say: it is issued for calling this API, and whatever its parts hold, it is judged."""

import re
import time
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.auth.tokens import Identity
from shared.errors import Unauthenticated
from tests.doubles.token_issuer import (
    OID,
    TENANT,
    bearer,
    bearer_of_bytes,
    claims,
    of_application,
    verifier,
)

VERIFIER = verifier()


async def test_a_person_needs_the_scope_and_an_application_the_role() -> None:
    assert await VERIFIER.identify(bearer(claims())) == Identity(TENANT, OID, is_application=False)
    assert await VERIFIER.identify(bearer(of_application())) == Identity(TENANT, OID, is_application=True)
    both = claims(scp="profile access_as_user", roles=["Referrals.Access"])
    assert await VERIFIER.identify(bearer(both)) == Identity(TENANT, OID, is_application=False)


@pytest.mark.parametrize(
    "changes",
    [
        {"scp": None},
        {"scp": ""},
        {"scp": "User.Read openid"},
        {"scp": "Access_As_User"},
        {"scp": "access_as_user2"},
        {"scp": ["access_as_user"]},
        {"scp": {"access_as_user": 1}},
        {"scp": 7},
        {"scp": None, "roles": "Referrals.Access"},
        {"scp": None, "roles": []},
        {"scp": None, "roles": ["MpnPartnerAdmin", 7, None, ["Referrals.Access"]]},
        {"scp": None, "roles": {"Referrals.Access": True}},
        {"scp": None, "roles": 3.5},
        {"scp": "User.Read", "roles": ["Referrals.Access"]},
        {"scp": [], "roles": ["Referrals.Access"]},
    ],
)
async def test_a_token_without_scope_and_role_opens_nothing(changes: dict[str, Any]) -> None:
    """The last two are tokens of a signed-in person, for whom the application role says nothing."""
    refusal = (await VERIFIER.identify(bearer(claims(**changes)))).refusal or ""
    assert re.search(r"scope api://test/access_as_user.*role Referrals\.Access", refusal)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "11111111-2222-4333-8444-555555555555"},  # of an ID token: the client itself
        {"aud": ["another", 7]},
        {"aud": 7},
        {"iss": 7},
        {"iss": ["https://issuer.localhost"]},
        {"tid": 7},
        {"tid": ["a"]},
        {"oid": {}},
        {"oid": "\ud800"},
        {"oid": "o" * 101},
        {"oid": "a\nb"},
        {"tid": "名"},
        {"exp": "soon"},
        {"exp": [1]},
        {"nbf": {}},
        {"iat": "x"},
        {"iat": None},
    ],
    ids=str,
)
async def test_a_malformed_claim_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        await VERIFIER.identify(bearer(claims(**changes)))


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["1e999", "-1e999", "NaN", "1" * 5000])
async def test_a_time_that_is_none_is_refused(claim: str, value: str) -> None:
    good = {"exp": int(time.time()) + 600, "nbf": 0, "iat": 0}
    times = ",".join(f'"{name}": {value if name == claim else good[name]}' for name in good)
    issued = f'{{"iss": "i", "aud": "api://test", {times}}}'
    with pytest.raises(Unauthenticated):
        await VERIFIER.identify(bearer_of_bytes(issued.encode()))


DEEP = b"[" * 8000
"""JSON that is nested more deeply than the parser goes."""


@pytest.mark.parametrize("payload", [b"", b"[]", b"7", b"null", b'"x"', b"\xff\xfe", b"{", DEEP])
async def test_a_signed_token_that_holds_no_claims_is_refused(payload: bytes) -> None:
    with pytest.raises(Unauthenticated):
        await VERIFIER.identify(bearer_of_bytes(payload))


@pytest.mark.parametrize(
    "header",
    [
        *(b"", b"[]", b"7", b"null", b"\xff", b"{", DEEP, b'{"kid": ' + DEEP),
        *(b'{"alg": "RS256"}', b'{"alg": "RS256", "kid": ["key"]}', b'{"alg": "RS256", "kid": 7}'),
        *(b'{"alg": ["RS256"], "kid": "key"}', b'{"alg": {}, "kid": "key"}', b'{"kid": "key"}'),
        *(b'{"alg": "RS256", "kid": "key", "crit": ["x"]}', b'{"alg": "RS256", "kid": "key", "b64": false}'),
        *(b'{"alg": "RS256", "kid": "\\ud800"}', b'{"alg": "RS256", "kid": ""}'),
    ],
)
async def test_a_malformed_header_is_refused(header: bytes) -> None:
    with pytest.raises(Unauthenticated):
        await VERIFIER.identify(bearer_of_bytes(b"{}", header))


PARTS = st.binary(max_size=60).map(lambda part: urlsafe_b64encode(part).rstrip(b"=").decode())
TEXTS = st.text(st.characters(codec=None), max_size=80)
"""Any text, also lone surrogates: how the worker hands over bytes that are not UTF-8."""


@given(
    st.one_of(
        TEXTS,
        TEXTS.map(lambda text: f"Bearer {text}"),
        st.lists(TEXTS, min_size=3, max_size=3).map(lambda parts: f"Bearer {'.'.join(parts)}"),
        st.lists(PARTS, min_size=3, max_size=3).map(lambda parts: f"bearer {'.'.join(parts)}"),
        st.binary(max_size=80).map(lambda sent: f"Bearer {sent.decode(errors='surrogateescape')}"),
        st.binary(max_size=80).map(lambda sent: f"Bearer {sent.decode(errors='replace')}"),
        st.binary(max_size=80).map(lambda sent: f"Bearer {sent.decode('latin-1')}"),
    )
)
@example("Bearer \udcff.a.b")
@example("Bearer \ufffd.a.b")
@example("Bearer ÿ.a.b")
@example("Bearer a\x00.b.c")
@example("Bearer \x00")
@example(f"Bearer {'a' * 100_000}.a.a")
@example(f"Bearer {'.' * 100_000}")
@example("Bearer ٣.٣.٣")
async def test_any_other_authorization_is_refused_and_nothing_else(authorization: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await VERIFIER.identify(authorization)
    assert str(refused.value).isascii(), "the text reaches the response, and never quotes the token"


@pytest.mark.parametrize("spelled", [str.upper, str.title, str.lower])
async def test_letter_case_does_not_matter_in_ids(spelled: Any) -> None:
    """GUIDs have none."""
    tenant, oid = spelled(TENANT), spelled(OID)
    issuers = (f"https://issuer.localhost/{each}/v2.0" for each in (TENANT, tenant))
    for issuer in issuers:
        token = bearer(claims(tid=tenant, oid=oid, iss=issuer))
        assert await VERIFIER.identify(token) == Identity(TENANT, OID, is_application=False)
