"""Bearer tokens: verifies signature, issuer, audience and times, and that the token was issued for calling this API.

What a caller may do comes from the directory, never from a claim. Times are checked against the real clock.
Source: "Access token claims reference" and "Verify scopes and app roles" of the Microsoft identity platform.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

import aiohttp
import jwt
from jwt import PyJWK, PyJWKSet, PyJWKSetError

from shared.domain.ids import object_id, tenant_id
from shared.errors import ServiceError, Unauthenticated

logger = logging.getLogger(__name__)

ALGORITHMS = ("RS256",)
SCOPE = "access_as_user"
"""The delegated permission (claim `scp`) that a token of a signed-in person carries."""
APPLICATION_ROLE = "Referrals.Access"
"""The application permission (claim `roles`) that a token of an application carries."""
LEEWAY_SECONDS = 60
REFETCH_SECONDS = 10.0
"""The minimum interval between fetches of the keys, also after a failure: an unknown key id causes a fetch."""
KEYS_LIVE_SECONDS = 5 * 60.0
"""The age at which keys in use are fetched again; requests with a known key do not wait for it."""
KEYS_TRUSTED_SECONDS = 15 * 60.0
"""The age from which keys are no longer trusted, also if the issuer does not answer (decision 29)."""
CONNECT_SECONDS, FETCH_SECONDS = 5, 10
"""Time limits of a fetch of the keys: to connect, and in total."""
_COMPACT_JWS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
"""The form of every signed token (RFC 7515, section 7.1)."""
_MAX_ID_LENGTH = 100


class KeysUnavailable(ServiceError):
    """The issuer's signing keys cannot be fetched, so tokens cannot be verified now."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity in a token: tenant id and object id, in lower case; and whether it is an application's own.

    `refusal` says why the token does not open this API, None if it does.
    """

    tenant_id: str
    object_id: str
    is_application: bool
    refusal: str | None = None


FetchKeys = Callable[[], Awaitable[object]]
"""Gives the issuer's JSON Web Key Set, as parsed from JSON."""


class SigningKeys:
    """The issuer's published keys, fetched when needed, one fetch at a time.

    While keys are trusted, only requests with an unknown key wait for a fetch.
    """

    def __init__(self, fetch: FetchKeys, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._failure: Exception | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, key_id: str) -> PyJWK | None:
        """The key with this id, or None if the issuer does not publish it.

        Raises `KeysUnavailable` if the key is unknown or no longer trusted, and the keys cannot be fetched.
        """
        key = self._trusted(key_id)
        if key is None or self._has_passed(KEYS_LIVE_SECONDS, self._fetched_at):
            fetching = self._fetch_again()
            if key is None and fetching:
                await asyncio.shield(fetching)
        key = key or self._trusted(key_id)
        if key is None and self._failure:
            raise KeysUnavailable(
                f"The issuer's signing keys could not be fetched: {self._failure!r}"
            ) from self._failure
        return key

    def _trusted(self, key_id: str) -> PyJWK | None:
        if self._has_passed(KEYS_TRUSTED_SECONDS, self._fetched_at):
            return None
        return self._keys.get(key_id)

    def _fetch_again(self) -> asyncio.Task[None] | None:
        """The fetch that is running, or a new one; None if the last one has only just ended."""
        if self._fetching is None and self._has_passed(REFETCH_SECONDS, self._tried_at):
            self._fetching = asyncio.create_task(self._refresh())
        return self._fetching

    async def _refresh(self) -> None:
        # A withdrawn key is trusted until a fetch that began after its withdrawal, so its age counts from the start.
        started = self._clock()
        try:
            self._keys = _usable_keys(await self._fetch())
        except (aiohttp.ClientError, TimeoutError, jwt.PyJWTError, ValueError) as error:
            logger.warning("signing_keys_stale: the issuer's keys could not be fetched: %r", error)
            self._failure = error
        else:
            self._failure, self._fetched_at = None, started
        finally:
            self._tried_at = self._clock()
            self._fetching = None

    def _has_passed(self, seconds: float, since: float | None) -> bool:
        return since is None or self._clock() - since > seconds


def _usable_keys(published: object) -> dict[str, PyJWK]:
    """The keys of a JSON Web Key Set by their ids. Raises `PyJWTError` if it is none."""
    if not isinstance(published, dict):
        raise PyJWKSetError("The issuer's answer is not a JSON Web Key Set")
    keys: list[PyJWK] = PyJWKSet.from_dict(published).keys
    return {key.key_id: key for key in keys if isinstance(key.key_id, str)}


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
        tenant, caller = claims.get("tid"), claims.get("oid")
        if not _is_id(tenant) or not _is_id(caller):
            raise Unauthenticated("The token does not identify a caller: it needs the claims tid and oid.")
        if not self._is_issuer(claims["iss"], tenant):
            raise Unauthenticated("The token's issuer does not match its tenant.")
        return Identity(
            tenant_id=tenant_id(tenant),
            object_id=object_id(caller),
            is_application="scp" not in claims,
            refusal=None if _opens_api(claims) else self._refusal(),
        )

    def _is_issuer(self, issuer: object, tenant: str) -> bool:
        return isinstance(issuer, str) and issuer.lower() == self.issuer.replace("{tid}", tenant).lower()

    def _refusal(self) -> str:
        return (
            f"The token was not issued for calling this API. Sign in and ask for the scope {self.audience}/{SCOPE}. "
            f"An application that calls for itself needs the application role {APPLICATION_ROLE}, which an "
            f"administrator of its tenant grants; then it asks for {self.audience}/.default."
        )

    async def _claims(self, token: str) -> dict[str, Any]:
        if not _COMPACT_JWS.fullmatch(token):  # PyJWT fails to encode some text, such as lone surrogates
            raise Unauthenticated("The token is not valid: it is not a signed JSON Web Token.")
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


def _opens_api(claims: dict[str, Any]) -> bool:
    """Whether a token was issued for calling this API. Only applications' own tokens have no `scp`."""
    scopes, roles = claims.get("scp"), claims.get("roles")
    if "scp" in claims:
        return isinstance(scopes, str) and SCOPE in scopes.split()
    return isinstance(roles, list) and APPLICATION_ROLE in roles


def _is_id(claim: object) -> TypeGuard[str]:
    return (
        isinstance(claim, str)
        and 0 < len(claim) <= _MAX_ID_LENGTH
        and claim.isascii()
        and claim.isprintable()
    )


def fetch_from(url: str, seconds: float = FETCH_SECONDS) -> FetchKeys:
    """A function that fetches the keys from a URL; `seconds` is the time limit of a fetch."""
    timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(CONNECT_SECONDS, seconds))

    async def fetch() -> object:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            response.raise_for_status()
            published: object = await response.json(content_type=None)
            return published

    return fetch
