"""A client for the service: its HTTP API, its clock, and the mails that it sent."""

import json
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import httpx

from localcloud.issuer import token
from samples.world import SampleApplication, SampleCaller

REFERRALS = "/v1.0/engagements/referrals"
_CLOCK = "/admin/devhost/clock"
_MAIL = "/admin/devhost/mail"
_LONGEST_PAUSE_SECONDS = 60
"""A service that limits requests, as `dev.py run` does, admits more in the next minute."""
_TIMEOUT_SECONDS = 120.0  # an advance answers when everything that became due is done


class UnexpectedAnswer(Exception):
    """The service responded differently than expected; the text says how."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that the mail sink received."""

    id: int
    to: tuple[str, ...]
    subject: str
    text: str
    thread: str
    received: datetime

    @classmethod
    def read(cls, wire: Mapping[str, Any]) -> Self:
        """Parse an item of `GET /admin/devhost/mail`."""
        return cls(
            int(wire["id"]),
            tuple(wire["to"]),
            wire["subject"],
            wire["text"],
            wire["headers"].get("References", ""),
            datetime.fromisoformat(wire["receivedDateTime"]),
        )


class Service:
    """Calls the service as different people. All methods raise `UnexpectedAnswer`.

    `controls` is the base URL for moving the clock and reading the mails.
    """

    def __init__(
        self,
        url: str,
        controls: str,
        data: Path,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS, transport=transport)
        self._clock, self._mail = controls + _CLOCK, controls + _MAIL
        self._data = data
        self._pause = pause
        self._last_mail = 0

    def __enter__(self) -> Self:
        self._last_mail = max((mail.id for mail in self._mails()), default=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, caller: SampleCaller | None, path: str) -> Any:
        """GET as a person, an application or, with None, without a token."""
        return self._send("GET", path, HTTPStatus.OK, caller=caller)

    def post(
        self,
        caller: SampleCaller | None,
        path: str,
        body: object,
        expected: HTTPStatus = HTTPStatus.OK,
        *,
        etag: str | None = None,
    ) -> Any:
        """POST as `get` does, with `etag` in If-Match if it is given."""
        headers = {"If-Match": etag} if etag else {}
        return self._send("POST", path, expected, caller=caller, body=body, headers=headers)

    def put(self, caller: SampleCaller, path: str, etag: str, body: object) -> Any:
        """PUT as a person, with `etag` in If-Match."""
        headers = {"If-Match": etag}
        return self._send("PUT", path, HTTPStatus.OK, caller=caller, body=body, headers=headers)

    def patch(self, caller: SampleCaller, path: str, etag: str, operations: list[dict[str, Any]]) -> Any:
        """PATCH as a person, with `etag` in If-Match; returns the changed resource."""
        headers = {"If-Match": etag, "Prefer": "return=representation"}
        return self._send("PATCH", path, HTTPStatus.OK, caller=caller, body=operations, headers=headers)

    def refused(
        self, caller: SampleCaller | None, method: str, path: str, status: HTTPStatus, body: object = None
    ) -> str:
        """Send a request that must be refused with this status; returns the error message."""
        return str(self._send(method, path, status, caller=caller, body=body)["error"]["message"])

    def now(self) -> datetime:
        """The virtual time."""
        return datetime.fromisoformat(self._send("GET", self._clock, HTTPStatus.OK)["now"])

    def advance(self, duration: str) -> datetime:
        """Advance the time (ISO 8601 duration), wait until everything due is done; returns the new virtual time."""
        answer = self._send("POST", self._clock, HTTPStatus.OK, body={"advance": duration})
        return datetime.fromisoformat(answer["now"])

    def new_mails(self, referrals: AbstractSet[str]) -> list[Mail]:
        """The mails about these referrals that arrived since the last call."""
        mails = self._mails()
        self._last_mail = max((mail.id for mail in mails), default=self._last_mail)
        return [mail for mail in mails if any(referral in mail.thread for referral in referrals)]

    def _mails(self) -> list[Mail]:
        answer = self._send("GET", f"{self._mail}?after={self._last_mail}", HTTPStatus.OK)
        return [Mail.read(wire) for wire in answer["value"]]

    def _send(
        self,
        method: str,
        path: str,
        expected: HTTPStatus,
        *,
        caller: SampleCaller | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        sent = {**self._headers(caller), **(headers or {})}
        try:
            answer = self._http.request(method, path, json=body, headers=sent)
            if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS != expected:
                self._pause(min(int(answer.headers["Retry-After"]), _LONGEST_PAUSE_SECONDS))
                answer = self._http.request(method, path, json=body, headers=sent)
        except httpx.TransportError as failure:
            raise UnexpectedAnswer(
                f"No response from {self._http.base_url} ({failure}). Start the service: python3 dev.py run"
            ) from failure
        if answer.status_code != expected:
            raise UnexpectedAnswer(
                f"{method} {path} returned {answer.status_code} instead of {expected.value}: {_explanation(answer)}"
            )
        return _json(answer)

    def _headers(self, caller: SampleCaller | None) -> dict[str, str]:
        if caller is None:
            return {}
        signed = token(
            self._data,
            tid=caller.tenant_id,
            oid=caller.oid,
            application=isinstance(caller, SampleApplication),
        )
        return {"Authorization": f"Bearer {signed}"}


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as failure:
        raise UnexpectedAnswer(f"The response of {answer.request.url} is not JSON.") from failure


def _explanation(answer: httpx.Response) -> str:
    """The message and faults of an error response; otherwise the beginning of its text."""
    try:
        error = answer.json()["error"]
        faults = [f"{fault['target']}: {fault['message']}" for fault in error.get("details", [])]
        return " ".join([error["message"], *faults])
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
        return answer.text[:500] or "no text"
