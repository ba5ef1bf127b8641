"""The development token issuer: tokens with the claims of Entra ID v2, signed with a key of the data directory.

Source: "Access token claims reference" of the Microsoft identity platform.
"""

import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from json import dumps
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import RSAAlgorithm

from localcloud.clocks import Clock, wall_clock
from localcloud.errors import DamagedFileError
from localcloud.private_files import read_or_create

ISSUER = "https://issuer.localhost/{tid}/v2.0"
AUDIENCE = "api://cosell-referrals"
SCOPE, APPLICATION_ROLE = "access_as_user", "Referrals.Access"
"""What the app registration of the service offers to people's clients, and to applications."""
JWKS_PATH = "/discovery/v2.0/keys"


@dataclass(frozen=True)
class SigningKey:
    """An RSA key and its id, the RFC 7638 thumbprint."""

    private: RSAPrivateKey
    kid: str

    def jwks(self) -> dict[str, Any]:
        """Return `{"keys": [one public key]}` (RFC 7517)."""
        return {"keys": [{**_public(self.private), "use": "sig", "alg": "RS256", "kid": self.kid}]}


def signing_key(data: Path) -> SigningKey:
    """Return the key of the data directory; the first call creates it (mode 0600).

    Raises DamagedFileError if the file is not an RSA key in PEM.
    """
    path = data / "issuer" / "signing-key.pem"
    try:
        private = load_pem_private_key(read_or_create(path, _new_key), password=None)
    except ValueError as error:
        raise DamagedFileError(f"{path} is not a private key. Delete it and ask for new tokens.") from error
    if not isinstance(private, RSAPrivateKey):
        raise DamagedFileError(f"{path} is not an RSA key. Delete it and ask for new tokens.")
    return SigningKey(private, _thumbprint(private))


def _new_key() -> bytes:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public(key: RSAPrivateKey) -> dict[str, Any]:
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {name: public[name] for name in ("kty", "n", "e")}


def _thumbprint(key: RSAPrivateKey) -> str:
    canonical = dumps(_public(key), sort_keys=True, separators=(",", ":"))
    return urlsafe_b64encode(sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def token(
    data: Path,
    *,
    tid: str,
    oid: str,
    application: bool = False,
    audience: str = AUDIENCE,
    lifetime: timedelta = timedelta(hours=12),
    clock: Clock = wall_clock,
) -> str:
    """Return a signed token for the person or the application `oid` of the tenant `tid`.

    A person's carries the delegated scope, an application's the application role; neither gives any rights.

    The key is that of the data directory. Times are whole seconds of the wall clock.
    """
    key = signing_key(data)
    now = int(clock().timestamp())
    claims = {
        "iss": ISSUER.format(tid=tid),
        "aud": audience,
        "iat": now,
        "nbf": now,
        "exp": now + int(lifetime.total_seconds()),
        "tid": tid,
        "oid": oid,
        "sub": _pairwise_subject(tid, oid, audience),
        "ver": "2.0",
        "uti": secrets.token_urlsafe(16),
        **({"roles": [APPLICATION_ROLE]} if application else {"scp": SCOPE}),
    }
    return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.kid, "typ": "JWT"})


def _pairwise_subject(tid: str, oid: str, audience: str) -> str:
    """Return a pairwise subject, as Entra does: the same for a person and an audience, another for each audience."""
    digest = sha256(f"{tid}\n{oid}\n{audience}".encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def issuer_routes(key: SigningKey) -> list[web.RouteDef]:
    """Return the route of the JSON Web Key Set, at the path that Entra uses."""

    async def keys(_request: web.Request) -> web.Response:
        return web.json_response(key.jwks())

    return [web.get(JWKS_PATH, keys)]
