import stat
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from localcloud import issuer
from localcloud.errors import DamagedFileError
from localcloud.issuer import signing_key

TENANT, PERSON = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def key_of(data):
    return signing_key(data).private.public_key()


async def test_a_token_verifies_against_the_published_keys(cloud, http, tmp_path):
    token = issuer.token(tmp_path / "data", tid=TENANT, oid=PERSON)
    async with http.get(cloud.jwks_url) as answer:
        keys = jwt.PyJWKSet.from_dict(await answer.json())
    claims = jwt.decode(
        token,
        keys[jwt.get_unverified_header(token)["kid"]],
        algorithms=["RS256"],
        audience="api://cosell-referrals",
        issuer=f"https://issuer.localhost/{TENANT}/v2.0",
        options={"require": ["iss", "aud", "iat", "nbf", "exp", "tid", "oid", "sub", "ver", "uti"]},
    )
    assert (claims["tid"], claims["oid"], claims["ver"]) == (TENANT, PERSON, "2.0")


@pytest.mark.parametrize(
    ("application", "access"),
    [(False, {"scp": "access_as_user"}), (True, {"roles": ["Referrals.Access"]})],
)
def test_a_token_has_an_identity_and_the_scope_or_the_application_role(tmp_path, application, access):
    token = issuer.token(tmp_path, tid=TENANT, oid=PERSON, application=application)
    claims = jwt.decode(token, key_of(tmp_path), algorithms=["RS256"], audience=issuer.AUDIENCE)
    known = {"iss", "aud", "iat", "nbf", "exp", "tid", "oid", "sub", "ver", "uti"}
    assert {name: claims[name] for name in claims.keys() - known} == access
    assert jwt.get_unverified_header(token)["typ"] == "JWT"


def test_a_token_lives_as_long_as_asked_from_the_wall_clock(tmp_path):
    moment = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    token = issuer.token(
        tmp_path, tid=TENANT, oid=PERSON, lifetime=timedelta(minutes=5), clock=lambda: moment
    )
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iat"], claims["nbf"], claims["exp"]) == (1795255200, 1795255200, 1795255500)


def test_the_subject_is_stable_and_differs_between_people(tmp_path):
    def subject(oid):
        token = issuer.token(tmp_path, tid=TENANT, oid=oid)
        return jwt.decode(token, options={"verify_signature": False})["sub"]

    assert subject(PERSON) == subject(PERSON)
    assert subject(PERSON) != subject(TENANT)


def test_the_key_persists_and_only_its_owner_reads_it(tmp_path):
    first = signing_key(tmp_path)
    assert signing_key(tmp_path).kid == first.kid
    (file,) = (tmp_path / "issuer").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_keys_publish_nothing_private(tmp_path):
    (key,) = signing_key(tmp_path).jwks()["keys"]
    assert set(key) == {"kty", "n", "e", "use", "alg", "kid"}


def test_a_damaged_key_is_named_with_its_file(tmp_path):
    (tmp_path / "issuer").mkdir()
    (tmp_path / "issuer" / "signing-key.pem").write_text("no key")
    with pytest.raises(DamagedFileError, match=r"signing-key\.pem"):
        signing_key(tmp_path)
