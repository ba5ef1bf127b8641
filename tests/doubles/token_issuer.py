"""An issuer of tokens in memory: it signs any claims, and publishes its key to a verifier."""

import time
from base64 import urlsafe_b64encode
from json import dumps
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from jwt.algorithms import RSAAlgorithm

from shared.auth.tokens import APPLICATION_ROLE, SCOPE, SigningKeys, TokenVerifier

ISSUER, AUDIENCE = "https://issuer.localhost/{tid}/v2.0", "api://test"
TENANT, OID = "0a1b2c3d-1111-4111-8111-aabbccddeeff", "9f8e7d6c-2222-4222-8222-ffeeddccbbaa"
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_PUBLISHED = {**RSAAlgorithm.to_jwk(_KEY.public_key(), as_dict=True), "kid": "key", "use": "sig"}


def claims(*, tid: object = TENANT, oid: object = OID, **changes: Any) -> dict[str, Any]:
    """The claims of a person's token, valid for a day: tests are collected long before they run.

    None leaves a claim out.
    """
    now = int(time.time())
    good = {
        "iss": ISSUER.replace("{tid}", str(tid)),
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + 24 * 3600,
        "tid": tid,
        "oid": oid,
        "scp": SCOPE,
    }
    return {key: value for key, value in (good | changes).items() if value is not None}


def of_application(**changes: Any) -> dict[str, Any]:
    """The claims of an application's own token."""
    return claims(**{"scp": None, "roles": [APPLICATION_ROLE], **changes})


def bearer(payload: dict[str, Any]) -> str:
    """An Authorization header with signed claims."""
    return bearer_of_bytes(dumps(payload).encode())


def bearer_of_bytes(payload: bytes, header: bytes = dumps({"alg": "RS256", "kid": "key"}).encode()) -> str:
    """An Authorization header with a properly signed token, whose parts need not be JSON."""
    head, body = (urlsafe_b64encode(part).rstrip(b"=") for part in (header, payload))
    signature = _KEY.sign(b".".join((head, body)), padding.PKCS1v15(), SHA256())
    return f"Bearer {b'.'.join((head, body, urlsafe_b64encode(signature).rstrip(b'='))).decode()}"


def verifier() -> TokenVerifier:
    """Verifies the tokens of this issuer."""

    async def published() -> object:
        return {"keys": [_PUBLISHED]}

    return TokenVerifier(SigningKeys(published), ISSUER, AUDIENCE)
