"""Access tokens with the claims of Entra ID v2.

Source: "Access token claims reference" of the Microsoft identity platform.
"""

import secrets
from base64 import urlsafe_b64encode
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import jwt

from localcloud.clocks import Clock, wall_clock
from localcloud.issuer.keys import signing_key

ISSUER = "https://issuer.localhost/{tid}/v2.0"
AUDIENCE = "api://cosell-referrals"


def token(
    data: Path,
    *,
    tid: str,
    oid: str,
    audience: str = AUDIENCE,
    lifetime: timedelta = timedelta(hours=12),
    clock: Clock = wall_clock,
) -> str:
    """Return a signed token that says who (tenant `tid`, object `oid`) and nothing about what they may.

    Signed with the key of the data directory, which the first call makes. Times are whole seconds of the wall clock.
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
    }
    return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.kid, "typ": "JWT"})


def _pairwise_subject(tid: str, oid: str, audience: str) -> str:
    """Return what Entra calls pairwise: stable for one person and audience, different for the next audience."""
    digest = sha256(f"{tid}\n{oid}\n{audience}".encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
