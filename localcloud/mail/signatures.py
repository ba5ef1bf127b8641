"""Verification of HMAC-signed requests, as the service does it, and the access key that signs them.

Source: "HMAC authentication" of Azure Communication Services. The string to sign has
three lines: the method; path and query; the values of x-ms-date, host and x-ms-content-sha256, joined by semicolons.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path

from localcloud.mail.refusals import RefusedError
from localcloud.private_files import base64_key

ALLOWED_SKEW = timedelta(minutes=5)
_SIGNED_HEADERS = "x-ms-date;host;x-ms-content-sha256"
_AUTHORIZATION = re.compile(
    rf"HMAC-SHA256 SignedHeaders={re.escape(_SIGNED_HEADERS)}&Signature=(?P<signature>[A-Za-z0-9+/]+=*)"
)


def access_key(data: Path) -> str:
    """Return the access key of the data directory in base64; the first call creates it."""
    return base64_key(data / "mail" / "access-key")


@dataclass(frozen=True)
class SignedRequest:
    """The parts of a request that its signature covers. `target` is the raw path with its query."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def verify(request: SignedRequest, *, key: bytes, now: datetime) -> None:
    """Check that `request` was signed with `key` within five minutes of `now`. Raises RefusedError 401."""
    given = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    if given is None:
        raise _denied(
            f"Sign the request: Authorization: HMAC-SHA256 SignedHeaders={_SIGNED_HEADERS}&Signature=…"
        )
    _verify_date(request.headers.get("x-ms-date", ""), now)
    digest = b64encode(sha256(request.body).digest()).decode()
    if request.headers.get("x-ms-content-sha256") != digest:
        raise _denied("x-ms-content-sha256 is not the hash of the received body.")
    if not hmac.compare_digest(_signature(request, digest, key), given["signature"]):
        raise _denied("The signature does not match; check the access key.")


def _verify_date(text: str, now: datetime) -> None:
    sent = http_date(text)
    if sent is None or abs(now - sent) > ALLOWED_SKEW:
        raise _denied(
            "x-ms-date must be an HTTP date within five minutes of now; check the clock of this machine."
        )


def _signature(request: SignedRequest, digest: str, key: bytes) -> str:
    date, host = request.headers["x-ms-date"], request.headers.get("Host", "")
    text = f"{request.method}\n{request.target}\n{date};{host};{digest}"
    return b64encode(hmac.new(key, text.encode(), sha256).digest()).decode()


def http_date(text: str) -> datetime | None:
    """Return an HTTP date (RFC 9110 §5.6.7) as UTC, or None if `text` is not one."""
    if not text.endswith(" GMT"):
        return None
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC)
    except ValueError:
        return None


def _denied(message: str) -> RefusedError:
    return RefusedError(401, "Denied", message)
