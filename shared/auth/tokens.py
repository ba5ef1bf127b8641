"""Bearer tokens: signature, issuer, audience and times; of the content only who it is (`tid`, `oid`).

What a person may do comes from the directory, never from a claim. Times are checked against the real clock.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt
from jwt import PyJWK, PyJWKSet

from shared.errors import ServiceError, Unauthenticated

logger = logging.getLogger(__name__)

ALGORITHMS = ("RS256",)
LEEWAY_SECONDS = 60
REFETCH_SECONDS = 10.0
"""An unknown key id makes us look for new keys, but not more often than this, nor after a look that failed."""
KEYS_LIVE_SECONDS = 24 * 3600.0
CONNECT_SECONDS, FETCH_SECONDS = 5, 10
"""Bounds on fetching the keys: until connected, and in all."""


class KeysUnavailable(ServiceError):
    """The issuer's signing keys could not be fetched, so nobody can be recognized for now."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token says is calling: tenant and object id."""

    tenant_id: str
    object_id: str


FetchKeys = Callable[[], Awaitable[dict[str, Any]]]


class SigningKeys:
    """The issuer's published keys, fetched when needed and never blocking the loop.

    Keys that could not be fetched again stay in use. While an issuer is slow, those wait whose key is not known, and
    of the others one for each fetch.
    """

    def __init__(self, fetch: FetchKeys, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._failure: Exception | None = None
        self._lock = asyncio.Lock()

    async def key(self, key_id: str) -> PyJWK | None:
        """The key of an id, or None if its issuer publishes none.

        Raises `KeysUnavailable` if that is not known, since the keys could not be fetched.
        """
        known = self._keys.get(key_id)
        if known and (self._lock.locked() or not self._is_over(KEYS_LIVE_SECONDS, self._fetched_at)):
            return known
        async with self._lock:
            if self._is_over(REFETCH_SECONDS, self._tried_at):
                await self._refresh()
        found = self._keys.get(key_id)
        if found is None and self._failure:
            raise KeysUnavailable(
                f"The issuer's keys could not be fetched: {self._failure!r}"
            ) from self._failure
        return found

    async def _refresh(self) -> None:
        try:
            published = PyJWKSet.from_dict(await self._fetch())
        except (aiohttp.ClientError, TimeoutError, jwt.PyJWTError, ValueError) as failed:
            logger.warning("signing_keys_stale: the issuer's keys could not be fetched: %r", failed)
            self._failure = failed
        else:
            self._keys = {key.key_id: key for key in published.keys if key.key_id}
            self._failure, self._fetched_at = None, self._clock()
        self._tried_at = self._clock()

    def _is_over(self, seconds: float, since: float | None) -> bool:
        return since is None or self._clock() - since > seconds


@dataclass(frozen=True, slots=True)
class TokenVerifier:
    """Verifies bearer tokens. `issuer` holds `{tid}` where the token's own tenant must stand."""

    keys: SigningKeys
    issuer: str
    audience: str

    async def identify(self, authorization: str | None) -> Identity:
        """Who an Authorization header proves to be calling. Raises `Unauthenticated` or `KeysUnavailable`."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("Send a bearer token in the Authorization header.")
        claims = await self._claims(token.strip())
        tenant, person = claims.get("tid"), claims.get("oid")
        if not isinstance(tenant, str) or not isinstance(person, str) or not tenant or not person:
            raise Unauthenticated("The token names no person: it needs the claims tid and oid.")
        if claims["iss"] != self.issuer.replace("{tid}", tenant):
            raise Unauthenticated("The token's issuer is not the one of its tenant.")
        return Identity(tenant_id=tenant, object_id=person)

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            key = await self.keys.key(key_id) if isinstance(key_id, str) else None
            if key is None:
                raise Unauthenticated("The token is signed with a key that its issuer does not publish.")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self.audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "nbf", "iat", "iss", "aud"]},
            )
        except jwt.PyJWTError as invalid:
            raise Unauthenticated(f"The token is not valid: {invalid}.") from invalid
        return claims


def fetch_from(url: str, seconds: float = FETCH_SECONDS) -> FetchKeys:
    """How to fetch the keys that an issuer publishes at a URL; `seconds` bounds a fetch."""
    bounds = aiohttp.ClientTimeout(total=seconds, sock_connect=min(CONNECT_SECONDS, seconds))

    async def fetch() -> dict[str, Any]:
        async with aiohttp.ClientSession(timeout=bounds) as session, session.get(url) as answer:
            answer.raise_for_status()
            published: dict[str, Any] = await answer.json(content_type=None)
            return published

    return fetch
