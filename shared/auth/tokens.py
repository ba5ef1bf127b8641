"""Bearer tokens: verifies signature, issuer, audience and times; uses only the claims `tid` and `oid`.

Permissions come from the directory, never from a claim. Times are checked against the real clock.
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
"""The minimum interval between fetches of the keys, also after a failure: an unknown key id causes a fetch."""
KEYS_LIVE_SECONDS = 24 * 3600.0
CONNECT_SECONDS, FETCH_SECONDS = 5, 10
"""Time limits of a fetch of the keys: to connect, and in total."""


class KeysUnavailable(ServiceError):
    """The issuer's signing keys cannot be fetched, so tokens cannot be verified now."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity in a token: tenant id and object id."""

    tenant_id: str
    object_id: str


FetchKeys = Callable[[], Awaitable[dict[str, Any]]]


class SigningKeys:
    """The issuer's published keys, fetched when needed.

    If a refresh fails, the old keys stay in use. While the issuer is slow, only requests with an unknown key wait,
    and one other request for each fetch.
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
        """The key with this id, or None if the issuer does not publish it.

        Raises `KeysUnavailable` if the key is unknown and the keys cannot be fetched.
        """
        key = self._keys.get(key_id)
        if key and (self._lock.locked() or not self._has_passed(KEYS_LIVE_SECONDS, self._fetched_at)):
            return key
        async with self._lock:
            if self._has_passed(REFETCH_SECONDS, self._tried_at):
                await self._refresh()
        key = self._keys.get(key_id)
        if key is None and self._failure:
            raise KeysUnavailable(
                f"The issuer's signing keys could not be fetched: {self._failure!r}"
            ) from self._failure
        return key

    async def _refresh(self) -> None:
        try:
            published = PyJWKSet.from_dict(await self._fetch())
        except (aiohttp.ClientError, TimeoutError, jwt.PyJWTError, ValueError) as error:
            logger.warning("signing_keys_stale: the issuer's keys could not be fetched: %r", error)
            self._failure = error
        else:
            self._keys = {key.key_id: key for key in published.keys if key.key_id}
            self._failure, self._fetched_at = None, self._clock()
        self._tried_at = self._clock()

    def _has_passed(self, seconds: float, since: float | None) -> bool:
        return since is None or self._clock() - since > seconds


@dataclass(frozen=True, slots=True)
class TokenVerifier:
    """Verifies bearer tokens. `issuer` contains `{tid}` in place of the token's tenant."""

    keys: SigningKeys
    issuer: str
    audience: str

    async def identify(self, authorization: str | None) -> Identity:
        """The verified identity in an Authorization header. Raises `Unauthenticated`, `KeysUnavailable`."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("Send a bearer token in the Authorization header.")
        claims = await self._claims(token.strip())
        tenant, person = claims.get("tid"), claims.get("oid")
        if not isinstance(tenant, str) or not isinstance(person, str) or not tenant or not person:
            raise Unauthenticated("The token does not identify a person: it needs the claims tid and oid.")
        if claims["iss"] != self.issuer.replace("{tid}", tenant):
            raise Unauthenticated("The token's issuer does not match its tenant.")
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
    """A function that fetches the keys from a URL; `seconds` is the time limit of a fetch."""
    timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(CONNECT_SECONDS, seconds))

    async def fetch() -> dict[str, Any]:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            response.raise_for_status()
            published: dict[str, Any] = await response.json(content_type=None)
            return published

    return fetch
